from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fertools.data import Split
from fertools.dataset.example import FEATURES
from fertools.dataset.manifest import SHARD_TEMPLATE, Manifest
from fertools.dataset.sidecars import features_json, readme, tfds_files


def test_the_three_files_say_what_the_manifest_says(dataset: Path) -> None:
    manifest = Manifest.read(dataset)
    files = tfds_files(manifest)

    assert list(files) == ["dataset_info.json", "features.json", "label.labels.txt"]
    assert files["label.labels.txt"].decode() == "기쁨\n슬픔\n중립\n"
    assert all(data.endswith(b"}\n") for name, data in files.items() if name.endswith("json"))
    info = json.loads(files["dataset_info.json"])
    data = sum(shard.bytes for shard in manifest.splits["train"].shards) - 16 * 12
    assert info["splits"][0] == {
        "name": "train",
        "shardLengths": ["6", "6"],
        "numBytes": str(data),
        "filepathTemplate": SHARD_TEMPLATE,
    }
    assert (info["name"], info["version"], info["fileFormat"]) == ("fer", "1.0.0", "tfrecord")


def test_a_split_without_records_is_left_out(dataset: Path) -> None:
    manifest = Manifest.read(dataset)
    assert Split.TEST in manifest.splits
    info = json.loads(tfds_files(manifest)["dataset_info.json"])
    assert [split["name"] for split in info["splits"]] == ["train", "validation"]


def test_every_row_of_the_table_is_described(dataset: Path) -> None:
    features = features_json(Manifest.read(dataset))["featuresDict"]["features"]
    assert list(features) == [feature.name for feature in FEATURES]
    assert features["image"]["image"]["shape"] == {"dimensions": ["8", "8", "1"]}
    assert features["label"]["classLabel"] == {"numClasses": "3"}
    assert features["box"]["tensor"]["shape"] == {"dimensions": ["4"]}


def test_the_readme_says_that_files_of_other_commands_must_stay(dataset: Path) -> None:
    manifest = Manifest.read(dataset)
    line = "| `labels.parquet`, `suspects.csv` | if made: "
    assert line in readme(manifest).decode()
    # What an older fertools wrote is verified byte for byte.
    assert line not in readme(replace(manifest, format=1)).decode()

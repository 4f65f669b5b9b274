"""Parquet files hold every example in its order, with the metadata that `datasets` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from tests.exports.conftest import FORMAT1
from tests.exports.test_export import SMALL, exported


def rows(dest: Path, split: str) -> list[dict[str, Any]]:
    files = sorted((dest / "data").glob(f"{split}-*.parquet"))
    assert [file.name for file in files] == [
        f"{split}-{number:05d}-of-{len(files):05d}.parquet" for number in range(len(files))
    ]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_rows_are_the_examples_in_their_order(dataset: Path, tmp_path: Path) -> None:
    exported(dataset, tmp_path / "dest")
    manifest = Manifest.read(dataset)
    for split in Split:
        found, examples = rows(tmp_path / "dest", split), [*fertools.read_examples(dataset, split)]
        assert len(found) == len(examples) > 0
        for row, one in zip(found, examples, strict=True):
            assert row["image"] == {"bytes": one.image, "path": f"{one.key}.png"}
            for name in ("label", "key", "subject", "sex", "age"):
                assert row[name] == getattr(one, name)
            assert row["box"] == [one.box.x0, one.box.y0, one.box.x1, one.box.y1]
            assert row["confidence"] == one.confidence
            assert tuple(row["votes"]) == one.votes
            assert row.get("uploader", -1) == one.uploader
            assert ("uploader" in row) == manifest.uploader


def test_the_schema_says_what_hugging_face_asks(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "dest", **SMALL | {"shard_size": "1MB"})
    file = pq.ParquetFile(tmp_path / "dest" / "data" / "train-00000-of-00001.parquet")
    about = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    names = [entry.name for entry in Manifest.read(faces).classes]
    assert list(about) == file.schema_arrow.names
    assert about["image"] == {"_type": "Image"}
    assert about["label"] == {"names": names, "_type": "ClassLabel"}
    assert about["votes"] == {
        "feature": {"dtype": "int64", "_type": "Value"},
        "_type": "Sequence",
    }
    assert about["sex"] == {"dtype": "string", "_type": "Value"}
    column = file.metadata.row_group(0).column(0)
    assert column.path_in_schema == "image.bytes"
    assert (column.has_offset_index, column.compression) == (True, "UNCOMPRESSED")


def test_row_groups_have_a_hundred_rows(tmp_path: Path) -> None:
    from tests.benchmarks.bench_report import repeat  # writes a dataset by repeating another

    out = tmp_path / "out"
    repeat(FORMAT1, out, 300)
    exported(out, tmp_path / "dest", **SMALL | {"shard_size": "1MB"})
    groups = pq.ParquetFile(next((tmp_path / "dest").rglob("train-*.parquet"))).metadata
    sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert sizes[:-1] == [100] * (len(sizes) - 1)
    assert len(sizes) > 1


@pytest.mark.parametrize("size", ["1KB", "10KB", "1GB"])
def test_files_are_about_as_large_as_asked(faces: Path, tmp_path: Path, size: str) -> None:
    exported(faces, tmp_path / "dest", **SMALL | {"shard_size": size})
    counts = [pq.read_metadata(file).num_rows for file in (tmp_path / "dest/data").glob("train-*")]
    assert max(counts) - min(counts) <= 1
    bytes_ = sum(shard.bytes for shard in Manifest.read(faces).splits["train"].shards)
    wanted = {"1KB": sum(counts), "10KB": -(-bytes_ // 10_000), "1GB": 1}[size]
    assert len(counts) == min(wanted, -(-bytes_ // 1000))
    assert np.sum(counts) == Manifest.read(faces).splits["train"].records

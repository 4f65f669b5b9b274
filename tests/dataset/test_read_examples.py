from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.dataset.shards import check_shard, read_examples
from fertools.dataset.tfrecord import RecordWriter, frame
from fertools.errors import DatasetError, OptionError
from fertools.files import whole_file
from tests.dataset.conftest import example

FIRST = "fer-train.tfrecord-00000-of-00002"


def test_all_examples_come_in_the_order_of_the_disk(dataset: Path) -> None:
    train = [*range(0, 12, 2), *range(1, 12, 2)]
    assert list(read_examples(dataset, "train")) == [example(n) for n in train]
    assert list(read_examples(dataset)) == [example(n) for n in [*train, *range(12, 17)]]
    assert list(read_examples(dataset, "test")) == []


def test_a_split_that_is_not_there_is_named_at_once(dataset: Path) -> None:
    with pytest.raises(OptionError, match=r"no split 'dev': take one of test, train, validation"):
        read_examples(dataset, "dev")


def test_an_incomplete_dataset_is_refused_at_once(dataset: Path) -> None:
    (dataset / MANIFEST).unlink()
    with pytest.raises(DatasetError, match=r"metadata\.json is missing"):
        read_examples(dataset)


def test_cuts_and_flipped_bytes_are_noticed(dataset: Path) -> None:
    shard = dataset / FIRST
    whole = shard.read_bytes()
    between_records = len(frame(example(0).to_bytes()))
    for size in (0, 1, between_records, len(whole) - 1):
        shard.write_bytes(whole[:size])
        with pytest.raises(DatasetError, match=f"it has {size} bytes, the manifest says"):
            list(read_examples(dataset, "train"))
    for at in range(0, len(whole), 37):
        shard.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        with pytest.raises(DatasetError, match="checksum"):
            list(read_examples(dataset, "train"))


def test_a_cut_between_records_is_noticed_even_where_the_size_was_mended(dataset: Path) -> None:
    shard = dataset / FIRST
    last = frame(example(10).to_bytes())
    shard.write_bytes(shard.read_bytes().removesuffix(last))
    manifest = Manifest.read(dataset)
    tree = json.loads(manifest.to_json())
    tree["splits"]["train"]["shards"][0]["bytes"] = shard.stat().st_size
    (dataset / MANIFEST).write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(DatasetError, match="has 5 records, the manifest says 6"):
        list(read_examples(dataset, "train"))


def test_a_shard_that_is_gone_is_named(dataset: Path) -> None:
    (dataset / FIRST).unlink()
    with pytest.raises(DatasetError, match=f"{FIRST} is missing"):
        list(read_examples(dataset))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (replace(example(0), label=3).to_bytes(), "record 2 has label 3 of 3"),
        (b"something else", "record 2 is not an example that fertools wrote"),
    ],
)
def test_a_record_that_does_not_belong_is_named(dataset: Path, data: bytes, what: str) -> None:
    with whole_file(dataset / FIRST) as file:
        writer = RecordWriter(file)
        for record in [example(0).to_bytes()] * 2 + [data] + [example(0).to_bytes()] * 3:
            writer.write(record)
    tree = json.loads((dataset / MANIFEST).read_text(encoding="utf-8"))
    tree["splits"]["train"]["shards"][0]["bytes"] = writer.size
    (dataset / MANIFEST).write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(DatasetError, match=what):
        list(read_examples(dataset, "train"))


def test_a_shard_is_checked_by_size_and_count_without_its_data(dataset: Path) -> None:
    path, shard = dataset / FIRST, Manifest.read(dataset).splits["train"].shards[0]
    whole = path.read_bytes()
    check_shard(path, shard)
    path.write_bytes(whole[:20] + bytes((whole[20] ^ 1,)) + whole[21:])
    check_shard(path, shard)

    with pytest.raises(DatasetError, match="it has 6 records, the manifest says 7"):
        check_shard(path, replace(shard, records=7))
    path.write_bytes(b"\1" + whole[1:])
    with pytest.raises(DatasetError, match="does not end with the file"):
        check_shard(path, shard)
    path.write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match=f"it has {len(whole) - 1} bytes, the manifest says"):
        check_shard(path, shard)
    path.unlink()
    with pytest.raises(DatasetError, match=f"{FIRST} is missing: put it back, or build again"):
        check_shard(path, shard)

"""Shards are held against the manifest before TensorFlow, which would not notice, sees them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from google_crc32c import value as crc32c

from fertools.dataset.manifest import LeakageReport, Manifest
from fertools.dataset.tfrecord import FRAMING_BYTES, read_records
from fertools.errors import DatasetError, OptionError
from fertools.training.data import DatasetSplit
from tests.training.datasets import write_splits


def test_a_whole_split_opens(tmp_path: Path) -> None:
    source = DatasetSplit.open(write_splits(tmp_path, {"train": 7, "test": 3}), "train")
    assert (source.records, source.counts) == (7, [3, 2, 2])
    assert source.damage() is None


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": 3, "test": 3})
    with pytest.raises(OptionError, match="no examples in 'validation': take one of train, test"):
        DatasetSplit.open(tmp_path, "validation")


@pytest.mark.parametrize("how", ["by image", "by proof"])
def test_splits_that_share_people_are_refused(how: str, tmp_path: Path) -> None:
    if how == "by image":
        write_splits(tmp_path, {"train": 3}, options={"split_by": "image"})
    else:
        write_splits(tmp_path, {"train": 3}, proof=LeakageReport(overlap=1))
    with pytest.raises(OptionError, match="the same people in several splits"):
        DatasetSplit.open(tmp_path, "train")
    assert DatasetSplit.open(tmp_path, "train", allow_leak=True).records == 3


def test_a_shard_cut_between_two_records_is_noticed(tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": 3})
    (shard,) = Manifest.read(tmp_path).splits["train"].shards
    path = tmp_path / shard.file
    last = len(list(read_records(path))[-1]) + FRAMING_BYTES
    path.write_bytes(path.read_bytes()[:-last])
    with pytest.raises(DatasetError, match=f"{shard.file} is not the shard"):
        DatasetSplit.open(tmp_path, "train")
    path.unlink()
    with pytest.raises(DatasetError, match=f"{shard.file} is missing"):
        DatasetSplit.open(tmp_path, "train")


def test_a_length_of_64_gib_with_a_right_checksum_is_refused(tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": 3})
    (shard,) = Manifest.read(tmp_path).splits["train"].shards
    length = struct.pack("<Q", 64 << 30)
    crc = crc32c(length)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    data = bytearray((tmp_path / shard.file).read_bytes())
    data[:12] = length + struct.pack("<I", masked)
    (tmp_path / shard.file).write_bytes(data)
    with pytest.raises(DatasetError, match=shard.file):
        DatasetSplit.open(tmp_path, "train")


def test_damage_inside_a_record_is_found_and_named(tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": 3})
    (shard,) = Manifest.read(tmp_path).splits["train"].shards
    data = bytearray((tmp_path / shard.file).read_bytes())
    data[-20] ^= 1
    (tmp_path / shard.file).write_bytes(data)
    damage = DatasetSplit.open(tmp_path, "train").damage()
    assert damage and shard.file in str(damage) and "record 2" in str(damage)

from __future__ import annotations

import pytest

from fertools.data import Split
from fertools.dataset.manifest import shard_name
from fertools.errors import OptionError
from fertools.options import check_dataset_name


def test_shards_are_called_as_tensorflow_datasets_calls_them() -> None:
    assert shard_name("fer", Split.TRAIN, 0, 64) == "fer-train.tfrecord-00000-of-00064"
    assert shard_name("fer", Split.TEST, 7, 100_000) == "fer-test.tfrecord-000007-of-100000"


@pytest.mark.parametrize(("shard", "shards"), [(1, 1), (-1, 3), (0, 0)])
def test_a_shard_that_is_not_there_has_no_name(shard: int, shards: int) -> None:
    with pytest.raises(ValueError, match=f"shard {shard} of {shards}"):
        shard_name("fer", Split.TRAIN, shard, shards)


@pytest.mark.parametrize("name", ["f", "fer_2", "Fer2024"])
def test_names_that_a_dataset_can_have(name: str) -> None:
    assert check_dataset_name(name) == name


@pytest.mark.parametrize("name", ["", "2fer", "_fer", "fer-2", "fer/x", "f\n", "얼굴", "fé"])
def test_names_that_it_cannot_have(name: str) -> None:
    with pytest.raises(OptionError) as raised:
        check_dataset_name(name)
    assert repr(name) in str(raised.value)

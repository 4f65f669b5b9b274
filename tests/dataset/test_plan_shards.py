from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.dataset.shards import plan_shards
from fertools.errors import OptionError
from fertools.hashing import rank, ranks

KEYS = ["joy/1", "joy/2", "joy/3", "joy/4", "sad/1", "sad/2", "sad/3", "sad/4"]


def plan(keys: list[str], labels: list[int], size: int, seed: int = 7) -> list[list[str]]:
    """Plan records of 100 bytes each, and say in keys what goes where."""
    shards = plan_shards(
        ranks(seed, keys), np.array(labels), np.full(len(keys), 100), shard_size=size
    )
    return [[keys[row] for row in rows] for rows in shards]


def test_eight_records_in_two_shards() -> None:
    # Written down once: another order here is another order of every dataset.
    assert plan(KEYS, [0] * 4 + [1] * 4, 400) == [
        ["sad/3", "joy/1", "joy/2", "sad/2"],
        ["sad/4", "joy/3", "joy/4", "sad/1"],
    ]


def test_a_shard_is_in_the_order_of_the_hash() -> None:
    for shard in plan(KEYS, [0] * 4 + [1] * 4, 300):
        assert shard == sorted(shard, key=lambda key: rank(7, key))


def test_another_seed_is_another_order() -> None:
    assert plan(KEYS, [0] * 8, 10**6, seed=7) != plan(KEYS, [0] * 8, 10**6, seed=8)


@pytest.mark.parametrize(
    ("size", "shards"),
    [(1, 8), (100, 8), (101, 8), (200, 4), (399, 3), (799, 2), (800, 1), (9999, 1)],
)
def test_there_are_as_many_shards_as_the_bytes_fill(size: int, shards: int) -> None:
    assert len(plan(KEYS, [0] * 8, size)) == shards


def test_a_split_without_records_has_no_shard() -> None:
    assert plan([], [], 100) == []


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(1, 9000), st.randoms())
def test_every_shard_is_a_fair_sample(labels: list[int], size: int, random: Random) -> None:
    keys = [f"{n}" for n in range(len(labels))]
    shards = plan(keys, labels, size)

    assert sorted(key for shard in shards for key in shard) == sorted(keys)
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    for label in set(labels):
        counts = [sum(labels[int(key)] == label for key in shard) for shard in shards]
        assert max(counts) - min(counts) <= 1

    order = list(range(len(labels)))
    random.shuffle(order)
    assert plan([keys[i] for i in order], [labels[i] for i in order], size) == shards


def test_no_shard_is_always_the_short_one() -> None:
    # 5 classes of 3 records in 2 shards: dealt one by one the totals are 8 and 7, not 10 and 5.
    labels = [n % 5 for n in range(15)]
    assert sorted(map(len, plan([str(n) for n in range(15)], labels, 800))) == [7, 8]


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        plan(["a", "b", "a"], [0, 0, 0], 100)


@pytest.mark.parametrize("size", [0, -5])
def test_a_shard_size_without_a_byte_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"{size} bytes"):
        plan(KEYS, [0] * 8, size)

"""Trades against a search that tries everything."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fertools.columns import Ints
from fertools.splits.local_search import (
    Loads,
    Shares,
    excess,
    greedy_start,
    swap_groups,
    to_loads,
)

SHARES = np.array([0.6, 0.25, 0.15])


def cost(split_of: Ints, load: Loads, shares: Shares) -> float:
    return float(np.square(excess(split_of, load, shares)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_afterwards_no_move_and_no_swap_helps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    load = to_loads(rng.integers(1, 40, (18, 3)))
    split_of = swap_groups(rng.integers(0, 3, 18), load, SHARES)
    least = cost(split_of, load, SHARES)
    for group, split in product(range(18), range(3)):
        moved = split_of.copy()
        moved[group] = split
        assert cost(moved, load, SHARES) >= least
    for one, other in product(range(18), repeat=2):
        swapped = split_of.copy()
        swapped[[one, other]] = split_of[[other, one]]
        assert cost(swapped, load, SHARES) >= least


def test_what_is_even_is_left_alone() -> None:
    load = to_loads(np.full((4, 2), 10))
    split_of = np.array([0, 1, 1, 0])
    assert swap_groups(split_of, load, np.array([0.5, 0.5])).tolist() == split_of.tolist()


def test_large_and_small_groups_come_into_every_split_in_proportion() -> None:
    load = to_loads(np.array([[8]] * 20 + [[1]] * 20))
    split_of = greedy_start(load, np.array([0.8, 0.1, 0.1]))
    assert np.bincount(split_of[:20]).tolist() == [16, 2, 2]
    assert np.bincount(split_of[20:]).tolist() == [16, 2, 2]


def test_loads_are_whole_numbers_and_a_class_is_one_whole() -> None:
    load = to_loads(np.array([[3, 0], [4, 1]]), np.array([[2], [0]]))
    assert (load == np.rint(load)).all()
    assert load[:, 0] / load[:, 0].sum() == pytest.approx([3 / 7, 4 / 7], abs=1e-6)
    assert load.sum(axis=0).tolist() == [2**23, 2**23, 2**22]


def test_the_largest_sum_stays_exact() -> None:
    for columns in (1, 7, 20, 200):
        whole = to_loads(np.ones((1, columns), dtype=np.int64)).max()
        assert 16 * columns * whole**2 <= 2**53

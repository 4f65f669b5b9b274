from __future__ import annotations

from itertools import combinations
from time import process_time

import numpy as np
import pytest

from fertools.splits.duplicates import (
    MAX_CANDIDATES,
    MAX_DISTANCE,
    WINDOW,
    candidate_pairs,
    hamming_distance,
)
from fertools.splits.groups import connected_components

Hashes = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def drawn(rows: int, seed: int = 0) -> Hashes:
    """Hashes of pictures that have nothing in common."""
    return np.random.default_rng(seed).integers(0, 256, (rows, 32), dtype=np.uint8)


def flipped(hashes: Hashes, bits: int, seed: int = 0) -> Hashes:
    """The same with so many bits of each turned over."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((len(hashes), 256), np.uint8)
    for row in mask:
        row[rng.choice(256, bits, replace=False)] = 1
    return hashes ^ np.packbits(mask, axis=1)


def alone(hashes: Hashes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(len(hashes), dtype=np.int64)


def test_distance_counts_bits() -> None:
    a = drawn(50)
    assert hamming_distance(a, a).tolist() == [0] * 50
    assert hamming_distance(a, ~a).tolist() == [256] * 50
    assert hamming_distance(a, flipped(a, 17)).tolist() == [17] * 50


@pytest.mark.parametrize("bits", [0, 1, 8, 16])
def test_every_copy_is_found_and_nothing_else(bits: int) -> None:
    originals = drawn(3000)
    hashes = np.concatenate([originals, flipped(originals[::10], bits)])
    planted = [[10 * i, 3000 + i] for i in range(300)]
    assert candidate_pairs(hashes, alone(hashes)).tolist() == planted


def test_nearly_every_copy_is_found_at_the_worst_distance_seen() -> None:
    originals = drawn(8000)
    hashes = np.concatenate([originals, flipped(originals[:500], 24)])
    assert len(candidate_pairs(hashes, alone(hashes))) >= 495


def test_a_studio_in_which_all_share_half_of_their_bits() -> None:
    hashes = drawn(5000)
    hashes[:, :16] = hashes[0, :16]
    hashes[4000:] = flipped(hashes[:1000], 16)
    pairs = candidate_pairs(hashes, alone(hashes))
    true = pairs[:, 1] - pairs[:, 0] == 4000
    assert true.sum() >= 990
    assert (~true).sum() < 300


def test_all_of_a_few_are_compared() -> None:
    base = drawn(1)
    hashes = np.concatenate([flipped(base, 6, seed) for seed in range(6)])
    wanted = [list(pair) for pair in combinations(range(6), 2)]
    assert candidate_pairs(hashes, alone(hashes)).tolist() == wanted


def test_what_is_too_far_is_no_candidate() -> None:
    one = drawn(1)
    assert (
        len(candidate_pairs(np.concatenate([one, flipped(one, MAX_DISTANCE)]), np.arange(2))) == 1
    )
    assert (
        len(candidate_pairs(np.concatenate([one, flipped(one, MAX_DISTANCE + 1)]), np.arange(2)))
        == 0
    )


def test_inside_a_group_nothing_is_sought() -> None:
    hashes = np.repeat(drawn(1), 3, axis=0)
    assert candidate_pairs(hashes, np.array([7, 7, 7])).tolist() == []
    assert candidate_pairs(hashes, np.array([7, 7, 8])).tolist() == [[1, 2]]


def test_zeros_are_like_nothing() -> None:
    hashes = np.concatenate([np.zeros((50, 32), np.uint8), drawn(3), drawn(3)])
    assert candidate_pairs(hashes, alone(hashes)).tolist() == [[50, 53], [51, 54], [52, 55]]


@pytest.mark.parametrize("rows", [0, 1])
def test_none_and_one(rows: int) -> None:
    hashes = drawn(rows)
    assert candidate_pairs(hashes, alone(hashes)).shape == (0, 2)


def test_equal_hashes_are_a_chain() -> None:
    hashes = np.concatenate([drawn(500), np.repeat(drawn(1, seed=1), 2000, axis=0), drawn(10, 2)])
    pairs = candidate_pairs(hashes, alone(hashes))
    assert pairs.tolist() == [[row, row + 1] for row in range(500, 2499)]


def test_a_crowd_of_near_hashes_is_bounded_and_tied_whole() -> None:
    hashes = np.concatenate([flipped(drawn(1), 8, seed) for seed in range(3000)])
    pairs = candidate_pairs(hashes, alone(hashes))
    assert len(pairs) <= 3000 * (MAX_CANDIDATES + 2 * WINDOW)
    assert connected_components(3000, map(tuple, pairs.tolist())).max() == 0


def test_the_numbers_of_groups_do_not_matter() -> None:
    hashes = np.concatenate([drawn(200), drawn(200)])
    groups = np.arange(400) // 2
    assert np.array_equal(candidate_pairs(hashes, groups), candidate_pairs(hashes, 1000 - groups))


@pytest.mark.slow
def test_a_hundred_thousand_take_seconds() -> None:
    sessions = drawn(40_000)
    copies = flipped(sessions[:10_000], 16)
    hashes = np.concatenate([sessions, sessions ^ 1, copies, drawn(10_000, seed=3)])
    groups = np.concatenate([np.arange(40_000), np.arange(40_000), 50_000 + np.arange(20_000)])
    start = process_time()
    pairs = candidate_pairs(hashes, groups)
    assert process_time() - start < 12  # 500,000 in a minute
    tied = connected_components(70_000, map(tuple, groups[pairs].tolist()))
    assert (tied[:10_000] == tied[50_000:60_000]).mean() > 0.999

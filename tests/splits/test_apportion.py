from __future__ import annotations

import numpy as np

from fertools.splits.assign import apportion, interleave


def test_a_hand_is_laid_out_evenly() -> None:
    assert interleave(np.array([4, 2, 1])).tolist() == [0, 1, 0, 2, 0, 1, 0]


def test_the_largest_remainders_get_what_is_left() -> None:
    shortfall = np.array([[5.6], [0.7], [0.7]])
    assert apportion(shortfall, np.array([7])).tolist() == [[5, 1, 1]]


def test_remainders_are_carried_so_that_small_classes_do_not_all_round_one_way() -> None:
    shortfall = np.outer([0.8, 0.1, 0.1], np.full(6, 5.0))
    dealt = apportion(shortfall, np.full(6, 5))
    assert dealt.tolist() == [[4, 1, 0], [4, 0, 1]] * 3


def test_a_split_that_has_too_much_gets_nothing() -> None:
    shortfall = np.array([[12.0], [4.0], [-6.0]])
    assert apportion(shortfall, np.array([10])).tolist() == [[8, 2, 0]]  # of 7.5, 2.5 and 0


def test_what_a_product_misses_a_whole_number_by_is_no_remainder() -> None:
    shortfall = np.array([[14.5, 29 - 1e-9], [35.5, 71 + 1e-9]])
    assert apportion(shortfall, np.array([50, 100])).tolist() == [[15, 35], [29, 71]]

"""Figures of confusion matrices, and calibration, held against hand counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.inference.metrics import accuracy, f1, macro_f1, precision, recall
from fertools.inference.predictions import calibration_error, reliability

#          answered  0  1  2
MATRIX = np.array([[4, 1, 0], [2, 3, 0], [0, 0, 0]])


def test_figures_of_a_matrix_counted_by_hand() -> None:
    assert accuracy(MATRIX) == pytest.approx(7 / 10)
    np.testing.assert_allclose(recall(MATRIX), [4 / 5, 3 / 5, np.nan])
    np.testing.assert_allclose(precision(MATRIX), [4 / 6, 3 / 4, np.nan])
    np.testing.assert_allclose(f1(MATRIX), [8 / 11, 6 / 9, np.nan])


def test_macro_f1_counts_a_class_that_was_answered_but_is_not_there() -> None:
    assert macro_f1(MATRIX) == pytest.approx((8 / 11 + 6 / 9) / 2)
    answered = MATRIX.copy()
    answered[0, 2] = 1
    assert macro_f1(answered) == pytest.approx((8 / 12 + 6 / 9 + 0) / 3)


@given(st.lists(st.lists(st.integers(0, 9), min_size=9, max_size=9), min_size=1, max_size=4))
def test_a_stack_of_matrices_gives_what_each_gives(rows: list[list[int]]) -> None:
    stack = np.array(rows).reshape(-1, 3, 3)
    for figure in (accuracy, macro_f1):
        np.testing.assert_array_equal(figure(stack), [figure(matrix) for matrix in stack])


def test_calibration_error_counted_by_hand() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.51, 0.51])
    right = np.array([True, True, True, False, True, False])
    bins = reliability(confidence, right)
    assert [(each.count, each.accuracy) for each in bins] == [(2, 0.5), (4, 0.75)]
    assert calibration_error(bins) == pytest.approx((2 * 0.01 + 4 * 0.2) / 6)


def test_a_confidence_on_the_edge_belongs_to_the_bin_below() -> None:
    (found,) = reliability(np.array([0.2]), np.array([True]))
    assert (found.low, found.high) == pytest.approx((2 / 15, 0.2))


def test_every_answer_is_in_one_bin_that_holds_its_confidence() -> None:
    confidence = np.array([0.0, 1 / 15, 0.2, 0.9999, 1.0], np.float32)
    bins = reliability(confidence, np.ones(5, bool))
    assert sum(each.count for each in bins) == 5
    assert bins[-1].count == 2
    assert all(each.low - 1e-6 <= each.confidence <= each.high + 1e-6 for each in bins)

"""Figures that can be checked by hand."""

from __future__ import annotations

import numpy as np

from fertools.options import Ratios
from fertools.splits.measures import deviation, measure_leakage, overlapping_groups

#                  kim kim lee lee lee cho cho  one who is left out
GROUPS = np.array([0, 0, 1, 1, 1, 2, 2, 0])
SPLITS = np.array([0, 2, 2, 2, 1, 0, 0, -1], dtype=np.int8)


def test_leak_counts_test_photos_of_people_in_train() -> None:
    assert measure_leakage(GROUPS, SPLITS) == (1, 3)


def test_leak_of_a_split_without_test() -> None:
    assert measure_leakage(GROUPS, np.zeros(8, dtype=np.int8)) == (0, 0)


def test_overlap_counts_people_in_two_splits() -> None:
    assert (
        overlapping_groups(GROUPS, SPLITS) == 2
    )  # kim in train and test, lee in validation and test


def test_left_out_rows_do_not_overlap() -> None:
    assert overlapping_groups(np.array([0, 0]), np.array([0, -1], dtype=np.int8)) == 0


def test_deviation_is_in_points_of_the_class() -> None:
    classes = np.array([0, 0, 0, 0, 2, 2, 2, 2])
    splits = np.array([0, 0, 1, 2, 0, 0, 0, -1], dtype=np.int8)
    points = deviation(classes, splits, Ratios(50, 25, 25), 3)
    assert points.tolist() == [[0, 0, 0], [0, 0, 0], [50, -25, -25]]

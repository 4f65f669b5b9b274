"""Eight photos that a reader can divide by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fertools.errors import SplitError
from fertools.options import Ratios
from fertools.splits.assign import OfficialOverlap, assign_official
from fertools.splits.measures import TEST, TRAIN, VALIDATION, overlapping_groups

T, V, N = TRAIN, TEST, -1  # AI-Hub's Training and Validation, and neither
ORDER = ["kim", "lee", "cho", "park"]
#                  kim, in both  lee    cho    park
GROUPS = np.array([0, 0, 0, 1, 1, 2, 2, 3])
HALVES = np.array([T, T, V, T, T, T, N, V], dtype=np.int8)
CLASSES = np.zeros(8, dtype=np.int64)
NO_ATTRIBUTES = np.zeros((8, 0), dtype=np.int64)
EVEN = Ratios(1, 1, 8)


def test_training_photos_of_those_in_both_are_left_out() -> None:
    splits, overlap = assign_official(
        HALVES, GROUPS, CLASSES, EVEN, group_keys=ORDER, seed=1, attributes=NO_ATTRIBUTES
    )
    assert splits[[0, 1, 6]].tolist() == [-1, -1, -1]
    assert splits[[2, 7]].tolist() == [2, 2]
    assert {int(splits[3]), int(splits[5])} == {0, 1}  # lee and cho, one in each
    assert splits[3] == splits[4]
    assert overlap == OfficialOverlap(in_both=1, training=2, validation=1)
    assert (splits < 0).sum() == 3
    assert overlapping_groups(GROUPS, splits) == 0


def test_they_are_only_counted_if_that_is_asked_for() -> None:
    splits, overlap = assign_official(
        HALVES,
        GROUPS,
        CLASSES,
        EVEN,
        group_keys=ORDER,
        seed=1,
        attributes=NO_ATTRIBUTES,
        overlap="report",
    )
    assert splits[0] == splits[1] != 2
    assert splits[2] == 2
    assert overlap == OfficialOverlap(in_both=1, training=2, validation=1)
    assert (splits < 0).sum() == 1
    assert overlapping_groups(GROUPS, splits) == 1


def test_train_and_validation_keep_their_proportion() -> None:
    people = np.arange(100)
    halves = np.array([T] * 90 + [V] * 10, dtype=np.int8)
    order = [str(i) for i in range(100)]
    sex = people % 2
    none = np.zeros(100, dtype=np.int64)
    splits, _ = assign_official(
        halves, people, none, Ratios(8, 1, 1), group_keys=order, seed=1, attributes=sex[:, None]
    )
    assert np.bincount(splits).tolist() == [80, 10, 10]
    assert np.bincount(sex[splits == 1]).tolist() == [5, 5]


@pytest.mark.parametrize("half", [T, V])
def test_one_half_alone_is_refused_with_a_cure(half: int) -> None:
    halves = np.full(8, half, dtype=np.int8)
    with pytest.raises(SplitError, match="add the other folder, or use --split"):
        assign_official(
            halves, GROUPS, CLASSES, EVEN, group_keys=ORDER, seed=1, attributes=NO_ATTRIBUTES
        )


def test_three_official_splits_stay_and_earlier_photos_give_way() -> None:
    official = np.array([T, VALIDATION, V, T, T, T, N, V], dtype=np.int8)
    splits, overlap = assign_official(
        official, GROUPS, CLASSES, EVEN, group_keys=ORDER, seed=1, attributes=NO_ATTRIBUTES
    )
    # kim is in all three: only the test photo stays; lee and cho stay in train
    assert splits.tolist() == [-1, -1, 2, 0, 0, 0, -1, 2]
    assert overlap == OfficialOverlap(in_both=1, training=2, validation=1)
    kept, _ = assign_official(
        official,
        GROUPS,
        CLASSES,
        EVEN,
        group_keys=ORDER,
        seed=1,
        attributes=NO_ATTRIBUTES,
        overlap="report",
    )
    assert kept.tolist() == official.tolist()

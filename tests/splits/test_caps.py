from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fertools.splits.groups import cap_photos

KEYS = [f"{i}.jpg" for i in range(12)]
#                  one person: 6 of class 0, 2 of class 1, 1 of class 2; another: 3 of class 0
GROUPS = np.array([0] * 9 + [1] * 3)
CLASSES = np.array([0] * 6 + [1] * 2 + [2] + [0] * 3)


def kept_classes(mask: NDArray[np.bool_], group: int) -> NDArray[np.int64]:
    return np.bincount(CLASSES[mask & np.equal(GROUPS, group)], minlength=3)


@pytest.mark.parametrize(
    ("most", "first", "second"),
    [
        (9, [6, 2, 1], [3, 0, 0]),
        (7, [4, 2, 1], [3, 0, 0]),
        (5, [2, 2, 1], [3, 0, 0]),
        (3, [1, 1, 1], [3, 0, 0]),
    ],
)
def test_a_persons_classes_take_turns(most: int, first: list[int], second: list[int]) -> None:
    mask = cap_photos(GROUPS, CLASSES, KEYS, seed=1, max_per_subject=most)
    assert kept_classes(mask, 0).tolist() == first
    assert kept_classes(mask, 1).tolist() == second


def test_the_cap_of_a_class_counts_what_the_cap_of_a_person_left() -> None:
    mask = cap_photos(GROUPS, CLASSES, KEYS, seed=1, max_per_subject=3, max_per_class=2)
    assert np.bincount(CLASSES[mask]).tolist() == [2, 1, 1]


def test_without_caps_everything_stays() -> None:
    assert cap_photos(GROUPS, CLASSES, KEYS, seed=1).all()
    assert cap_photos(GROUPS[:0], CLASSES[:0], [], seed=1, max_per_class=1).tolist() == []


def test_another_seed_keeps_other_photos() -> None:
    chosen = {
        cap_photos(GROUPS, CLASSES, KEYS, seed=s, max_per_class=3).tobytes() for s in range(5)
    }
    assert len(chosen) > 1


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(turned: list[int]) -> None:
    plain = cap_photos(GROUPS, CLASSES, KEYS, seed=3, max_per_subject=4, max_per_class=5)
    mask = cap_photos(
        GROUPS[turned],
        CLASSES[turned],
        [KEYS[i] for i in turned],
        seed=3,
        max_per_subject=4,
        max_per_class=5,
    )
    assert mask.tolist() == plain[turned].tolist()


def test_one_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="2 keys, but only 1"):
        cap_photos(GROUPS[:2], CLASSES[:2], ["a", "a"], seed=1, max_per_class=1)

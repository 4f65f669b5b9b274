from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fertools.columns import Words
from fertools.splits.groups import connected_components, group_by_subject


def test_a_person_is_a_group_and_a_photo_of_nobody_too() -> None:
    subjects = Words(np.array([0, -1, 0, -1], np.int32), ["kim"])
    groups, order = group_by_subject(subjects, ["a", "b", "c", "d"])
    assert groups.tolist() == [0, 1, 0, 2]
    assert list(order) == ["subject kim", "photo b", "photo d"]


def test_a_person_is_not_taken_for_a_photo_of_the_same_name() -> None:
    subjects = Words(np.array([0, -1], np.int32), ["a"])
    assert group_by_subject(subjects, ["x", "a"])[0].tolist() == [0, 1]


def test_ties_reach_through_others() -> None:
    assert connected_components(6, [(4, 1), (5, 4), (3, 0)]).tolist() == [0, 1, 2, 0, 1, 1]


def test_without_ties_everything_stays_alone() -> None:
    assert connected_components(3, []).tolist() == [0, 1, 2]
    assert connected_components(0, []).tolist() == []


pairs = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


@given(pairs)
def test_the_order_and_direction_of_ties_do_not_show(ties: list[tuple[int, int]]) -> None:
    turned = [(b, a) for a, b in ties][::-1]
    assert connected_components(20, turned).tolist() == connected_components(20, ties).tolist()


@given(pairs)
def test_groups_are_what_can_be_reached(ties: list[tuple[int, int]]) -> None:
    reach = np.eye(20, dtype=bool)
    for a, b in ties:
        reach[a, b] = reach[b, a] = True
    for _ in range(5):  # 2**5 steps reach everything
        reach = reach @ reach
    groups = connected_components(20, ties)
    assert ((groups[:, None] == groups) == reach).all()

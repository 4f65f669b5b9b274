"""Who is photographed when: the archive's proportions, without drawing anything."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.sample.schedule import Session, Shot, schedule


def sessions(shots: tuple[Shot, ...]) -> dict[Session, list[Shot]]:
    found: dict[Session, list[Shot]] = defaultdict(list)
    for shot in shots:
        found[shot.session].append(shot)
    return found


def test_orientations_come_in_the_proportions_of_the_archive() -> None:
    plan = schedule(0, 40, 4000)
    held = Counter(shot.session.orientation for shot in plan.training + plan.validation)
    upright = held[None] + held[0]
    for count, share in [
        (held[1], 0.595),
        (held[3], 0.252),
        (upright, 0.086),
        (held[4], 0.058),
        (held[8], 0.004),
        (held[2], 0.004),
    ]:
        assert count / 4000 == pytest.approx(share, abs=0.006)
    assert min(held[None], held[0], held[8], held[2]) > 0


def test_a_session_is_about_four_shots_within_seconds() -> None:
    plan = schedule(0, 12, 336)
    found = sessions(plan.training + plan.validation)
    assert len(found) == 84
    assert {len(shots) for shots in found.values()} == {3, 4, 5}
    for shots in found.values():
        assert len({shot.name for shot in shots}) == len(shots)
        assert shots[-1].after - shots[0].after <= 12
        assert [shot.number - shots[0].number for shot in shots] == list(range(len(shots)))


def test_people_are_of_unequal_size_and_show_all_emotions() -> None:
    plan = schedule(0, 12, 1200)
    shots = plan.training + plan.validation
    sizes = Counter(shot.session.person.subject for shot in shots)
    assert max(sizes.values()) > 2 * min(sizes.values())
    shown = {(shot.session.person.subject, shot.session.emotion) for shot in shots}
    assert len(shown) == 12 * 7


def test_validation_holds_a_tenth_somebody_new_and_somebody_known() -> None:
    plan = schedule(0, 40, 2000)
    assert 190 <= len(plan.validation) <= 200
    known = {shot.session.person.subject for shot in plan.training}
    tested = {shot.session.person.subject for shot in plan.validation}
    assert len(tested - known) == 1
    assert len(tested & known) > 10
    halves = [{shot.session for shot in half} for half in (plan.training, plan.validation)]
    assert not halves[0] & halves[1]


@given(st.integers(0, 99), st.integers(1, 12), st.integers(0, 90))
def test_counts_are_exact_whatever_is_asked_for(seed: int, people: int, more: int) -> None:
    plan = schedule(seed, people, people + more)
    shots = plan.training + plan.validation
    assert len({shot.name for shot in shots}) == len(shots) == people + more
    assert len({shot.session.person.subject for shot in shots}) == people
    assert len(plan.training) > len(plan.validation)

"""All figures together: intervals cover the truth, and slots differ where they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fertools.votes.answers import Answers, number_people
from fertools.votes.survey import Survey
from tests.votes.drawn import ARCHIVE, answers_of, draw

MISSING = 0.04


@pytest.fixture(scope="module")
def survey() -> Survey:
    return Survey.of(answers_of(draw(ARCHIVE, 3000, seed=0, missing=MISSING)))


def test_intervals_hold_what_can_be_computed(survey: Survey) -> None:
    truth = ARCHIVE.ceilings(MISSING)
    assert survey.ceilings.keys() == truth.keys()
    for name, value in truth.items():
        found = survey.ceilings[name]
        assert found.low is not None and found.high is not None
        assert found.low <= value <= found.high, name
        assert found.high - found.low < 0.06, name


def test_the_agreement_with_the_name_by_group(survey: Survey) -> None:
    everything, *groups = survey.named
    assert (everything.heading, everything.number, everything.people) == ("", 3000, 60)
    assert [(g.heading, g.name, g.number, g.people) for g in groups] == [
        ("sex", "female", 1500, 30),
        ("sex", "male", 1500, 30),
    ]
    named = survey.confusion[:, :-1].trace() / survey.confusion.sum()
    assert everything.estimate.value == pytest.approx(named)
    assert everything.estimate.value == pytest.approx(
        np.mean([group.estimate.value for group in groups])
    )


def test_a_group_of_one_person_has_no_interval() -> None:
    drawn = draw(ARCHIVE, 90, seed=3)
    _, female, male = Survey.of(answers_of(drawn, each=30)).named
    assert (female.people, male.people) == (2, 1)
    assert female.estimate.low is not None
    assert male.estimate.low is male.estimate.high is None


def test_equal_slots_do_not_differ(survey: Survey) -> None:
    assert [slot.name for slot in survey.slots] == ["A", "B", "C"]
    assert not survey.slots_differ


def test_a_slot_that_guesses_differs() -> None:
    drawn = draw(ARCHIVE, 3000, seed=1)
    drawn.votes[::2, 2] = np.random.default_rng(0).integers(0, 7, 1500)
    survey = Survey.of(answers_of(drawn))
    assert survey.slots_differ
    a, b, c = (slot.estimate.value for slot in survey.slots)
    assert min(a, b) > c + 0.1


def test_one_person_and_no_names() -> None:
    drawn = draw(ARCHIVE, 200, seed=2)
    people, none = np.zeros(200, np.int64), np.full(200, -1)
    survey = Survey.of(Answers(drawn.counts, none, none, people, 1, drawn.votes[:, :0]))
    assert survey.model.uploader is None
    assert survey.slots == ()
    assert np.isnan(survey.named[0].estimate.value)
    assert np.isnan(survey.ceilings["name_from_votes"].value)
    best = survey.ceilings["best_classifier"]
    assert best.value == pytest.approx(ARCHIVE.ceilings(MISSING)["best_classifier"], abs=0.1)
    assert best.low is best.high is None


def test_photos_without_a_person_are_no_people() -> None:
    answers = answers_of(draw(ARCHIVE, 200, seed=4))
    survey = Survey.of(replace(answers, people=np.arange(200), known=50))
    assert (survey.people, survey.unknown) == (50, 150)
    everything, female, male = survey.named
    assert (everything.people, female.people, male.people) == (50, 50, 0)
    alone = Survey.of(replace(answers, people=np.arange(200), known=0))
    assert alone.named[0].people == 0
    assert alone.named[0].estimate.low is not None


def test_photos_without_a_person_are_put_into_parts() -> None:
    people, known = number_people(np.array([7, -1, 3, 7, -1]))
    assert people.tolist() == [1, 2, 0, 1, 3]
    assert known == 2
    many, none = number_people(np.full(20_000, -1))
    assert none == 0
    assert np.bincount(many).tolist() == [4] * 5000

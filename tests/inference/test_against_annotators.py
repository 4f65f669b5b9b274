"""A network against its annotators, counted by hand and on votes whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.inference.against_annotators import VoteFigures
from fertools.inference.predictions import Predictions


def predictions(votes: Any, predicted: Any, people: Any = None) -> Predictions:
    """Give a network's classes, each 0.8 probable, for photos with votes."""
    counts, said = np.array(votes), np.array(predicted)
    count, classes = counts.shape
    rest = 0.2 / (classes - 1)
    subjects = np.array([f"p{who}" for who in (range(count) if people is None else people)])
    return Predictions(
        probabilities=np.where(np.eye(classes)[said] > 0, 0.8, rest).astype(np.float32),
        labels=np.zeros(count, np.int64),
        subjects=subjects,
        sexes=np.full(count, ""),
        ages=np.full(count, -1),
        keys=subjects,
        votes=counts,
        uploaders=np.full(count, -1),
    )


def figures(found: Predictions) -> VoteFigures:
    made = VoteFigures.of(found, seed=0)
    assert made is not None
    return made


def values(made: VoteFigures) -> dict[str, float | None]:
    names = ("majority", "all_agree", "most_agree", "random", "as_annotator", "annotators")
    return {name: each and each.value for name in names for each in [getattr(made, name)]}


def test_figures_counted_by_hand() -> None:
    votes = [(3, 0, 0), (2, 1, 0), (2, 1, 0), (1, 1, 1), (0, 0, 0)]
    made = figures(predictions(votes, [0, 0, 1, 2, 0]))
    assert values(made) == {
        "majority": pytest.approx(2 / 3),  # the fourth has none, the fifth no votes
        "all_agree": 1,
        "most_agree": 0.5,
        "random": pytest.approx((3 + 2 + 1 + 1) / 12),
        # In the first all three places count, in the two after it that of the dissenter.
        "as_annotator": pytest.approx((3 + 1 + 0) / 5),
        "annotators": pytest.approx((3 + 0 + 0) / 5),
    }
    assert (made.photos, made.all_agree_photos, made.most_agree_photos) == (4, 1, 2)
    shares = np.array([1, 2 / 3, 1 / 3, 1 / 3])
    wanted = -(shares * np.log(0.8) + (1 - shares) * np.log(0.1)).mean()
    assert made.cross_entropy is not None
    assert made.cross_entropy.value == pytest.approx(wanted, rel=1e-5)


def test_photos_of_one_person_make_nothing_surer() -> None:
    votes, said = [(3, 0), (0, 3)] * 10, [0, 0] * 10
    people = [row // 2 for row in range(20)]
    once = figures(predictions(votes, said, people)).majority
    often = figures(predictions(votes * 9, said * 9, people * 9)).majority
    assert once == often and once is not None and once.value == 0.5


def drawn(photos: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Draw what photos show, three votes for each, and the annotators' confusion matrix."""
    annotator = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.3, 0.2, 0.5]])
    rng = np.random.default_rng(1)
    shown = rng.integers(0, 3, photos)
    return shown, np.array([rng.multinomial(3, annotator[each]) for each in shown]), annotator


def test_a_network_that_knows_what_is_shown_reaches_the_ceiling() -> None:
    shown, votes, annotator = drawn(6000)
    people = np.arange(6000) % 60
    made = figures(predictions(votes, shown, people))
    truth = annotator.max(1).mean()
    assert made.ceiling is not None and made.random is not None
    assert made.ceiling.low is not None and made.ceiling.high is not None
    assert made.ceiling.low < truth < made.ceiling.high
    assert made.random.value == pytest.approx(truth, abs=0.02)
    assert f"{made.random.value:.2f} of a ceiling of {made.ceiling.value:.2f}" in made.last_line()
    others = rotate(shown)
    worse = figures(predictions(votes, others, people))
    assert worse.random is not None and worse.random.value < 0.3
    assert worse.ceiling == made.ceiling  # it does not depend on the network


def rotate(classes: NDArray[Any]) -> NDArray[Any]:
    return (classes + 1) % 3


def test_a_figure_of_no_photo_is_none_and_so_is_a_ceiling_of_single_votes() -> None:
    made = figures(predictions([(1, 0), (0, 1)], [0, 0]))
    assert set(values(made)) - {name for name, value in values(made).items() if value is None} == {
        "random"
    }
    assert made.ceiling is None and made.last_line() == ""
    assert "–" in made.text() and "one more annotator" not in made.text()


def test_without_votes_there_are_no_figures() -> None:
    some = predictions([(0, 0)] * 3, [0, 1, 0])
    assert VoteFigures.of(some, seed=0) is None
    assert VoteFigures.of(replace(some, votes=np.empty((3, 0), np.int64)), seed=0) is None

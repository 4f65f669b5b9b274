"""The model recovers how annotators err, and its probabilities mean what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fertools.votes.dawid_skene import SMOOTHING, DawidSkene, fit
from tests.votes.drawn import ARCHIVE, Drawn, Truth, calibration_error, draw


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return draw(ARCHIVE, 5000, seed=1)


@pytest.fixture(scope="module")
def fitted(drawn: Drawn) -> DawidSkene:
    return fit(drawn.counts, drawn.uploader)


def test_matrices_of_5000_photos_are_near_the_truth(fitted: DawidSkene) -> None:
    assert fitted.uploader is not None
    assert np.abs(fitted.annotator - ARCHIVE.annotator).max() <= 0.03
    assert np.abs(fitted.uploader - ARCHIVE.uploader).max() <= 0.03
    assert np.abs(fitted.priors - ARCHIVE.priors).max() <= 0.03


@pytest.mark.parametrize("seed", range(3))
def test_not_knowing_what_is_shown_costs_little(seed: int) -> None:
    """Counting with the truth known errs as much: there are 2,100 votes a class."""
    drawn = draw(ARCHIVE, 5000, seed)
    counted = np.zeros((7, 7))
    photos, slots = np.nonzero(drawn.votes >= 0)
    np.add.at(counted, (drawn.shown[photos], drawn.votes[photos, slots]), 1)
    counted /= counted.sum(axis=1, keepdims=True)
    assert np.abs(fit(drawn.counts, drawn.uploader).annotator - counted).max() <= 0.03


def test_the_posterior_is_calibrated_and_better_than_the_majority(
    drawn: Drawn, fitted: DawidSkene
) -> None:
    posterior = fitted.posterior(drawn.counts, drawn.uploader)
    assert posterior.sum(axis=1) == pytest.approx(1)
    assert calibration_error(posterior, drawn.shown) <= 0.03
    majority = (drawn.counts.argmax(axis=1) == drawn.shown).mean()
    assert (posterior.argmax(axis=1) == drawn.shown).mean() > majority + 0.05


def test_a_class_that_is_mostly_taken_for_another_keeps_its_place() -> None:
    annotator = ARCHIVE.annotator.copy()
    annotator[3] = [0.05, 0.45, 0.05, 0.3, 0.05, 0.05, 0.05]
    truth = replace(ARCHIVE, annotator=annotator)
    drawn = draw(truth, 20_000, seed=5)
    model = fit(drawn.counts, drawn.uploader)
    assert np.abs(model.annotator - annotator).max() <= 0.03
    assert model.alike == []


def test_only_classes_that_uploaders_name_are_shown() -> None:
    # Two of seven classes were downloaded; annotators say all seven of them.
    rows = np.full((7, 7), 0.02)
    rows[0, 0], rows[3] = 0.88, (0.02, 0.3, 0.02, 0.4, 0.12, 0.12, 0.02)
    draws = np.random.default_rng(5)
    shown = np.repeat([0, 3], 1500)
    counts = np.array([draws.multinomial(3, rows[one]) for one in shown])
    model = fit(counts, shown)
    assert np.flatnonzero(model.priors).tolist() == [0, 3]
    assert np.abs(model.annotator[[0, 3]] - rows[[0, 3]]).max() < 0.03
    assert model.posterior(counts, shown)[:, [0, 3]].sum(axis=1) == pytest.approx(1)
    assert model.alike == []


def test_classes_that_look_alike_are_found() -> None:
    annotator = ARCHIVE.annotator.copy()
    annotator[3] = annotator[1]
    for seed in range(3):
        drawn = draw(replace(ARCHIVE, annotator=annotator), 20_000, seed)
        assert (1, 3) in fit(drawn.counts, drawn.uploader).alike


def test_without_the_uploader_three_votes_are_enough() -> None:
    drawn = draw(ARCHIVE, 20_000, seed=2)
    model = fit(drawn.counts)
    assert model.uploader is None
    assert np.abs(model.annotator - ARCHIVE.annotator).max() <= 0.03
    assert calibration_error(model.posterior(drawn.counts), drawn.shown) <= 0.03


def test_ten_votes_of_eight_classes() -> None:
    truth = Truth.of([0.8, 0.7, 0.6, 0.5, 0.7, 0.6, 0.8, 0.5])
    drawn = draw(truth, 3000, seed=3, slots=10, missing=0.1)
    assert np.abs(fit(drawn.counts).annotator - truth.annotator).max() <= 0.03


def test_one_step_is_that_of_the_paper() -> None:
    """A fitted model is a fixed point: its own posteriors give its priors and matrices again."""
    drawn = draw(ARCHIVE, 800, seed=4)
    model = fit(drawn.counts, drawn.uploader)
    posterior = model.posterior(drawn.counts, drawn.uploader)
    by_hand = np.ones((800, 7)) * model.priors
    for votes in drawn.votes.T:
        by_hand[votes >= 0] *= model.annotator.T[votes[votes >= 0]]
    assert model.uploader is not None
    by_hand *= model.uploader.T[drawn.uploader]
    assert posterior == pytest.approx(by_hand / by_hand.sum(axis=1, keepdims=True), abs=1e-9)
    said = posterior.T @ drawn.counts + SMOOTHING
    again = said / said.sum(axis=1, keepdims=True)
    assert model.annotator == pytest.approx(again, abs=1e-5)


def test_a_photo_without_a_vote_gets_the_priors(fitted: DawidSkene) -> None:
    none = fitted.posterior(np.zeros((1, 7), np.int64), np.array([-1]))
    assert none[0] == pytest.approx(fitted.priors)


def test_a_class_that_nobody_says_is_possible_but_rare(drawn: Drawn) -> None:
    counts = np.column_stack([drawn.counts, np.zeros(5000, np.int64)])
    model = fit(counts, drawn.uploader)
    assert np.isfinite(model.annotator).all()
    assert model.priors[7] < 1e-4
    assert 0 < model.annotator[:7, 7].max() < 1e-4


def test_the_order_of_photos_changes_nothing(drawn: Drawn, fitted: DawidSkene) -> None:
    again = fit(drawn.counts[::-1], drawn.uploader[::-1])
    assert again.annotator.tobytes() == fitted.annotator.tobytes()
    assert again.priors.tobytes() == fitted.priors.tobytes()


def test_votes_that_are_all_missing_are_refused() -> None:
    with pytest.raises(ValueError, match="no photo has a vote"):
        fit(np.zeros((3, 7), np.int64), np.array([0, 1, 2]))

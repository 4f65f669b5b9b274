"""Agreement is what statsmodels, krippendorff and scikit-learn compute of the same votes."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix
from statsmodels.stats.inter_rater import fleiss_kappa as reference_kappa

from fertools.votes import agreement
from tests.votes.drawn import ARCHIVE, Ints, draw

TABLES = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=3, max_size=30).map(
    np.array
)


def alpha(counts: Ints) -> float:
    return float(agreement.krippendorff_alpha(agreement.alpha_terms(counts).sum(axis=0)))


def kappa(counts: Ints, votes: int) -> float:
    return float(agreement.fleiss_kappa(agreement.fleiss_terms(counts, votes).sum(axis=0)))


@given(TABLES)
def test_alpha_is_that_of_krippendorff_with_votes_missing(counts: Ints) -> None:
    paired = counts[counts.sum(axis=1) > 1]
    assume((paired.sum(axis=0) > 0).sum() > 1)
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert alpha(counts) == pytest.approx(expected, abs=1e-9)


@given(st.integers(2, 10), st.data())
def test_kappa_is_that_of_statsmodels(votes: int, data: st.DataObject) -> None:
    rows = st.lists(st.integers(0, 3), min_size=votes, max_size=votes)
    said = data.draw(st.lists(rows, min_size=3, max_size=20))
    counts = np.array([np.bincount(row, minlength=4) for row in said])
    assume((counts.sum(axis=0) > 0).sum() > 1)
    assert kappa(counts, votes) == pytest.approx(reference_kappa(counts), abs=1e-9)


def test_both_of_drawn_votes() -> None:
    counts = draw(ARCHIVE, 3000, seed=0).counts
    full = counts[counts.sum(axis=1) == 3]
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert alpha(counts) == pytest.approx(expected, abs=1e-9)
    assert kappa(counts, 3) == pytest.approx(reference_kappa(full), abs=1e-9)


def test_one_word_for_all_photos_says_nothing() -> None:
    counts = np.array([[3, 0], [3, 0]])
    assert np.isnan(alpha(counts))
    assert np.isnan(kappa(counts, 3))


def test_pairs_counted_by_hand() -> None:
    # aab: 1 of 3 pairs; aa: 1 of 1; a: none; abc: 0 of 3
    counts = np.array([[2, 1, 0], [2, 0, 0], [1, 0, 0], [1, 1, 1]])
    assert agreement.share(agreement.pair_terms(counts).sum(axis=0)) == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    ("votes", "word"),
    [
        ([3, 0, 0], 0),
        ([0, 2, 1], 1),
        ([1, 1, 1], -1),
        ([0, 0, 1], -1),  # one of three is no majority
        ([0, 0, 2], 2),  # the third cannot tell
        ([0, 1, 1], -1),
        ([4, 4, 2], -1),
        ([3, 4, 3], 1),  # of ten votes
        ([0, 0, 0], -1),
    ],
)
def test_the_majority(votes: list[int], word: int) -> None:
    assert agreement.majority(np.array([votes])).tolist() == [word]


def test_the_confusion_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    names, majorities = rng.integers(-1, 4, (2, 500))
    found = agreement.confusion(names, majorities, 4)
    named = names >= 0
    decided = named & (majorities >= 0)
    expected = confusion_matrix(names[decided], majorities[decided], labels=range(4))
    assert found[:, :4].tolist() == expected.tolist()
    assert found.sum() == named.sum()
    assert found[2, 4] == ((names == 2) & (majorities < 0)).sum()


@pytest.mark.parametrize(("votes", "usual"), [([3, 3, 2, 1, 1, 1], 3), ([2, 2, 3, 3], 3), ([0], 2)])
def test_the_usual_number_of_votes(votes: list[int], usual: int) -> None:
    assert agreement.usual_votes(np.array(votes)[:, None]) == usual

"""Ceilings are what can be computed where it is known how votes come about."""

from __future__ import annotations

import numpy as np
import pytest

from fertools.votes import ceilings
from fertools.votes.agreement import share
from fertools.votes.dawid_skene import fit_patterns
from fertools.votes.patterns import Patterns
from tests.votes.drawn import ARCHIVE, draw

MISSING = 0.04


def test_many_votes_give_the_ceilings_that_can_be_computed() -> None:
    drawn = draw(ARCHIVE, 100_000, seed=0, missing=MISSING)
    patterns = Patterns.of(drawn.counts, drawn.uploader)
    model = fit_patterns(patterns, patterns.photos)
    terms = ceilings.one_against_others_terms(patterns.counts)
    agree, decided, votes = patterns.photos @ terms
    told = ceilings.predictable_names(drawn.counts, drawn.uploader, np.arange(100_000) // 100)
    assert {
        "one_against_others": agree / decided,
        "ties": 1 - decided / votes,
        "name_from_votes": told.mean(),
        "best_classifier": ceilings.best_classifier(model),
        "next_annotator": ceilings.next_annotator(model, patterns, patterns.photos),
    } == pytest.approx(ARCHIVE.ceilings(MISSING), abs=0.006)


def test_the_mean_of_the_largest_share_says_too_much() -> None:
    drawn = draw(ARCHIVE, 50_000, seed=1, missing=0)
    assert (drawn.counts.max(axis=1) / 3).mean() > ARCHIVE.ceilings(0)["best_classifier"] + 0.01


def test_leaving_out_one_vote_counted_by_hand() -> None:
    counts = np.array([[2, 1, 0], [3, 0, 0], [1, 1, 1], [2, 0, 0], [0, 1, 0]])
    # aab: a|ab tie, a|ab tie, b|aa not; aaa: all three; abc: three ties; fewer votes: none
    expected = [[0, 1, 3], [3, 3, 3], [0, 0, 3], [0, 0, 0], [0, 0, 0]]
    assert ceilings.one_against_others_terms(counts).tolist() == expected


def test_leaving_out_one_of_ten() -> None:
    # Without an a: 4 b, 4 a: tie. Without a b: 5 a.
    terms = ceilings.one_against_others_terms(np.array([[5, 4]]))
    assert terms.tolist() == [[0, 4, 9]]
    assert share(terms[:, :2].sum(axis=0)) == 0


def test_a_persons_own_photos_do_not_tell_their_names() -> None:
    """Each person's votes are a code for the name that only holds for this person."""
    rng = np.random.default_rng(0)
    people = np.arange(4000) // 100
    names = rng.integers(0, 7, 4000)
    said = (names + people) % 7
    counts = 3 * np.equal.outer(said, np.arange(7)).astype(np.int64)
    assert ceilings.predictable_names(counts, names, people).mean() < 0.2


def test_one_person_alone_tells_nothing() -> None:
    counts, names = np.array([[3, 0], [0, 3]]), np.array([0, 1])
    assert not ceilings.predictable_names(counts, names, np.zeros(2, np.int64)).any()

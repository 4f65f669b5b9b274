"""Photos with equal votes are counted once, and every photo finds its pattern."""

from __future__ import annotations

import numpy as np
import pytest

from fertools.votes.patterns import Patterns
from tests.votes.drawn import ARCHIVE, draw


def test_every_photo_has_the_pattern_of_its_votes() -> None:
    drawn = draw(ARCHIVE, 2000, seed=1)
    patterns = Patterns.of(drawn.counts, drawn.uploader)
    assert (patterns.counts[patterns.index] == drawn.counts).all()
    assert (patterns.uploader[patterns.index] == drawn.uploader).all()
    assert (np.bincount(patterns.index) == patterns.photos).all()
    rows = np.column_stack([patterns.counts, patterns.uploader])
    assert len(np.unique(rows, axis=0)) == len(rows) < 960


def test_more_patterns_than_a_number_can_count_are_kept_apart() -> None:
    counts = np.random.default_rng(0).integers(0, 99, (500, 40))
    patterns = Patterns.of(np.concatenate([counts, counts]))
    assert (patterns.photos == 2).all()
    assert (patterns.counts[patterns.index[:500]] == counts).all()


def test_no_photo_is_no_pattern() -> None:
    assert len(Patterns.of(np.zeros((0, 7), np.int64)).photos) == 0


@pytest.mark.parametrize(
    ("counts", "uploader", "says"),
    [
        ([[1, -1]], [0], "negative"),
        ([[1, 1]], [2], "not among the 2 classes"),
        ([[1, 1]], [-2], "not among the 2 classes"),
        ([[1, 1]], [0, 1], "words of uploaders"),
        ([1, 1], [0, 1], "votes"),
    ],
)
def test_wrong_votes_are_refused(counts: list[int], uploader: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Patterns.of(np.array(counts), np.array(uploader))

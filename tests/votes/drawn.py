"""Draw votes of annotators whose confusion matrices are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """What annotators and the uploader say of what is shown; rows and priors sum to 1."""

    priors: Floats
    annotator: Floats
    uploader: Floats

    @classmethod
    def of(cls, right: list[float], acted: float = 0.85) -> Truth:
        """Return classes that annotators recognise so often, and otherwise take for the next."""
        classes = len(right)
        wrong = [(1 - share) / (classes - 1) for share in right]
        annotator = np.tile(np.array(wrong)[:, None] * 0.7, classes)
        annotator += np.roll(np.diag(wrong) * 0.3 * (classes - 1), 1, axis=1)
        np.fill_diagonal(annotator, right)
        uploader = np.full((classes, classes), (1 - acted) / (classes - 1))
        np.fill_diagonal(uploader, acted)
        return cls(np.full(classes, 1 / classes), annotator, uploader)


#: The recognition of the archive's seven emotions: one of them in 42 % of the votes.
ARCHIVE = Truth.of([0.91, 0.69, 0.78, 0.42, 0.52, 0.72, 0.86])


@dataclass(frozen=True)
class Drawn:
    """Votes of photos, and what they show: shown (N,), votes (N, slots), -1 missing."""

    shown: Ints
    votes: Ints
    uploader: Ints
    classes: int

    @property
    def counts(self) -> Ints:
        counts = np.zeros((len(self.votes), self.classes), np.int64)
        photos, slots = np.nonzero(self.votes >= 0)
        np.add.at(counts, (photos, self.votes[photos, slots]), 1)
        return counts


def draw(truth: Truth, photos: int, seed: int, slots: int = 3, missing: float = 0.04) -> Drawn:
    rng = np.random.default_rng(seed)
    shown = rng.choice(len(truth.priors), photos, p=truth.priors)
    votes = np.stack([said(rng, truth.annotator, shown) for _ in range(slots)], axis=1)
    votes[rng.random(votes.shape) < missing] = -1
    uploader = said(rng, truth.uploader, shown)
    return Drawn(shown, votes, uploader, len(truth.priors))


def said(rng: np.random.Generator, matrix: Floats, shown: Ints) -> Ints:
    """Draw a word for each photo by the row of what it shows."""
    above = rng.random(len(shown))[:, None] > matrix.cumsum(axis=1)[shown]
    words: Ints = np.minimum(above.sum(axis=1), len(matrix) - 1)
    return words

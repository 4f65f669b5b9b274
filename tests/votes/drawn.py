"""Draw votes of annotators whose confusion matrices are known."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fertools.votes.answers import Answers

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

    def ceilings(self, missing: float) -> dict[str, float]:
        """Return what the ceilings estimate, for three votes that are missing so often."""
        classes = len(self.priors)
        said = np.column_stack([self.annotator * (1 - missing), np.full(classes, missing)])
        decided = agree = ties = 0.0
        chance: defaultdict[tuple[int, ...], Floats] = defaultdict(lambda: np.zeros(classes))
        for votes in product(range(classes + 1), repeat=3):
            joint = self.priors * said[:, votes].prod(axis=1)  # with what is shown
            chance[tuple(sorted(votes))] += joint
            if classes in votes:
                continue
            for one, two, left_out in (votes, (*votes[1:], votes[0]), (votes[2], *votes[:2])):
                decided += joint.sum() * (one == two)
                agree += joint.sum() * (one == two == left_out)
                ties += joint.sum() * (one != two)
        joints = np.array([*chance.values()])
        named = joints[:, :, None] * self.uploader
        return {
            "one_against_others": agree / decided,
            "ties": ties / (ties + decided),
            "name_from_votes": named.sum(axis=1).max(axis=1).sum(),
            "best_classifier": self.priors @ self.annotator.max(axis=1),
            "next_annotator": np.einsum("pkw,kc->pwc", named, self.annotator).max(axis=2).sum(),
        }


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


def answers_of(drawn: Drawn, each: int = 50) -> Answers:
    """Return drawn votes as answers: `each` photos of one person, named by the uploader's word."""
    people = np.arange(len(drawn.shown)) // each
    groups = {"sex": (["female", "male"], people % 2), "none": (["a"], people * 0 - 1)}
    known = int(people.max()) + 1
    said = (drawn.counts, drawn.uploader, drawn.uploader)
    return Answers(*said, people, known, drawn.votes, groups)


def calibration_error(posterior: Floats, shown: Ints, bins: int = 15) -> float:
    """Return the mean gap between confidence and share of right guesses, by bins."""
    confidence, right = posterior.max(axis=1), posterior.argmax(axis=1) == shown
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, confidence - right, bins)
    return float(np.abs(gaps).sum() / len(shown))

"""Estimate what photos show from the votes of annotators who err (Dawid and Skene).

A. P. Dawid and A. M. Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM
Algorithm, Applied Statistics 28 (1979), 20-28. Every photo shows one class, which nobody sees:

    priors (C,)           share of the photos that show each class
    annotator (C, C)      row: what is shown; column: how often an annotator says each class
    uploader (C, C)       the same of the uploader, who says what was to be acted

    posterior of class k  ∝  priors[k] · Π annotator[k, said by each annotator] · uploader[k, said]

All annotators share one matrix: the archive does not say that slot A is one person. Votes are
independent given what is shown. EM alternates between posteriors and matrices until nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.votes.patterns import Counts, Patterns

Floats = NDArray[np.float64]

#: Votes added to each cell of a matrix, and photos added to each class: a pair of classes that was
#: never seen stays possible, and a class without a photo has a row.
SMOOTHING: Final = 0.01

#: EM stops when no prior and no cell moves by more, or after MOST_STEPS.
TOLERANCE: Final = 1e-6
MOST_STEPS: Final = 2000


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """A fitted model: float64; each row of a matrix, and the priors, sum to 1.

    priors     (classes,)
    annotator  (classes, classes): rows are what is shown, columns what an annotator says
    uploader   the same of the uploader, or None if no photo has a word of his
    """

    priors: Floats
    annotator: Floats
    uploader: Floats | None

    def posterior(self, counts: Counts, uploader: Counts | None = None) -> Floats:
        """Return the probability of each class for each photo, float64, (photos, classes).

        counts    int, (photos, classes): votes of annotators; any number a photo, 0 as well
        uploader  int, (photos,): his word's class index, -1 or None if unknown

        A photo without any vote gets the priors. Raises ValueError for other shapes.
        """
        patterns = Patterns.of(counts, uploader)
        return self.posterior_of(patterns)[patterns.index]

    def posterior_of(self, patterns: Patterns) -> Floats:
        """Return the probability of each class for each pattern, float64, (patterns, classes)."""
        scores = np.log(self.priors) + patterns.counts @ np.log(self.annotator).T
        if self.uploader is not None:
            known = patterns.uploader >= 0
            scores[known] += np.log(self.uploader).T[patterns.uploader[known]]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        posterior: Floats = scores / scores.sum(axis=1, keepdims=True)
        return posterior


def fit(counts: Counts, uploader: Counts | None = None) -> DawidSkene:
    """Estimate priors and confusion matrices from votes.

    counts    int, (photos, classes): votes of annotators, any number a photo
    uploader  int, (photos,): class index of the uploader's word, -1 or None if unknown

    The start is the share of the votes for each class, the uploader's word among them. Equal votes
    give equal bytes. Raises ValueError for other shapes or for votes that are all missing.
    """
    patterns = Patterns.of(counts, uploader)
    return fit_patterns(patterns, patterns.photos)


def fit_patterns(
    patterns: Patterns, photos: Ints | Floats, start: DawidSkene | None = None
) -> DawidSkene:
    """Do the same for patterns with a number of photos each, from a start if there is one."""
    if not (photos @ patterns.counts).any():
        raise ValueError("no photo has a vote")
    model = start or _step(patterns, photos, _shares(patterns))
    for _ in range(MOST_STEPS):
        last, model = model, _step(patterns, photos, model.posterior_of(patterns))
        if _distance(last, model) < TOLERANCE:
            break
    return model


def _shares(patterns: Patterns) -> Floats:
    """Return each class's share of a pattern's votes; all alike where there is none."""
    votes = patterns.counts + _words(patterns) + 1e-9
    shares: Floats = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _words(patterns: Patterns) -> Floats:
    """Return the uploader's words as votes, (patterns, classes)."""
    return np.equal.outer(patterns.uploader, np.arange(patterns.counts.shape[1])).astype(float)


def _step(patterns: Patterns, photos: Ints | Floats, posterior: Floats) -> DawidSkene:
    """Return the model that is most likely if photos show classes with these probabilities."""
    weights = posterior * photos[:, None]
    known = bool((photos[patterns.uploader >= 0]).any())
    return DawidSkene(
        priors=_normalised(weights.sum(axis=0)),
        annotator=_normalised(weights.T @ patterns.counts),
        uploader=_normalised(weights.T @ _words(patterns)) if known else None,
    )


def _normalised(counts: Floats) -> Floats:
    smooth = counts + SMOOTHING
    shares: Floats = smooth / smooth.sum(axis=-1, keepdims=True)
    return shares


def _distance(one: DawidSkene, other: DawidSkene) -> float:
    pairs = [(one.priors, other.priors), (one.annotator, other.annotator)]
    if one.uploader is not None and other.uploader is not None:
        pairs.append((one.uploader, other.uploader))
    return max(float(np.abs(a - b).max()) for a, b in pairs)

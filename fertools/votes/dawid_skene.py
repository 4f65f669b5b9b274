"""Estimate what photos show from the votes of annotators who err (Dawid and Skene).

A. P. Dawid and A. M. Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM
Algorithm, Applied Statistics 28 (1979), 20-28. Every photo shows one class, which is not observed:

    priors (C,)           share of the photos that show each class
    annotator (C, C)      row: what is shown; column: how often an annotator says each class
    uploader (C, C)       the same of the uploader, who says what was to be acted

    posterior of class k  ∝  priors[k] · Π annotator[k, said by each annotator] · uploader[k, said]

Only classes that uploaders name can be what is shown: of an archive of which few classes were
downloaded, EM would otherwise divide one class among others that no photo was taken of. Such a
class has a prior of 0 and an arbitrary row. Where no uploader is known, all classes can be shown.

All annotators share one matrix: the archive does not say that slot A is one person. Votes are
independent given what is shown. EM alternates between posteriors and matrices until they converge.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.votes.patterns import Counts, Patterns

Floats = NDArray[np.float64]

#: Votes added to each cell of a matrix, and photos added to each class: a pair of classes that was
#: never seen stays possible, and a class without a photo has a row.
SMOOTHING: Final = 0.01

#: Two classes whose rows share more than this are one class to the annotators: see `alike`.
_SHARED: Final = 0.75

#: EM stops when no prior and no cell moves by more, or after MOST_STEPS.
TOLERANCE: Final = 1e-6
MOST_STEPS: Final = 2000


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """A fitted model: float64; each row of a matrix, and the priors, sum to 1.

    priors     (classes,)
    annotator  (classes, classes): rows are what is shown, columns what an annotator says
    uploader   the same of the uploader, or None if no photo has an uploader's word
    """

    priors: Floats
    annotator: Floats
    uploader: Floats | None

    @property
    def alike(self) -> list[tuple[int, int]]:
        """The pairs of classes for which annotators choose nearly the same words.

        Their rows share more than 0.75 of their probability. EM finds some rows for such classes,
        but not the true ones: of drawn photos of two classes with equal rows, 8 of 8 draws of
        20,000 photos and 6 of 8 of 5,000 were above, with errors of up to 0.18 in a cell. Other
        pairs were below 0.72.
        """
        rows = self.annotator
        return [
            (one, other)
            for one, other in combinations(np.flatnonzero(self.priors).tolist(), 2)
            if np.minimum(rows[one], rows[other]).sum() > _SHARED
        ]

    def posterior(self, counts: Counts, uploader: Counts | None = None) -> Floats:
        """Return the probability of each class for each photo, float64, (photos, classes).

        counts    int, (photos, classes): votes of annotators; any number a photo, 0 as well
        uploader  int, (photos,): class index of the uploader's word, -1 or None if unknown

        A photo without any vote gets the priors. Raises ValueError for other shapes.
        """
        patterns = Patterns.of(counts, uploader)
        return self.posterior_of(patterns)[patterns.index]

    def posterior_of(self, patterns: Patterns) -> Floats:
        """Return the probability of each class for each pattern, float64, (patterns, classes)."""
        uploader = np.ones_like(self.annotator) if self.uploader is None else self.uploader
        with np.errstate(divide="ignore"):  # log(0) = -inf is a posterior of 0
            priors = np.log(self.priors)
        scores = patterns.said @ np.log(np.hstack([self.annotator, uploader])).T + priors
        likelihoods = np.exp(scores - scores.max(axis=1, keepdims=True))
        posterior: Floats = likelihoods / likelihoods.sum(axis=1, keepdims=True)
        return posterior

    def uploader_of(self, patterns: Patterns) -> Floats:
        """Return the probability of each word of the uploader, float64, (patterns, classes).

        Raises ValueError for a model without an uploader.
        """
        if self.uploader is None:
            raise ValueError("the model has no uploader")
        words: Floats = self.posterior_of(patterns) @ self.uploader
        return words


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
    patterns: Patterns,
    photos: Ints | Floats,
    start: DawidSkene | None = None,
    tolerance: float = TOLERANCE,
) -> DawidSkene:
    """Do the same for patterns with a number of photos each, from a start if there is one."""
    if not (photos @ patterns.counts).any():
        raise ValueError("no photo has a vote")
    said = patterns.said.astype(float)
    model = start or _step(said, photos, _shares(said))
    for _ in range(MOST_STEPS):
        last, model = model, _step(said, photos, model.posterior_of(patterns))
        if _distance(last, model) < tolerance:
            break
    return model


def _shares(said: Floats) -> Floats:
    """Return each class's share of a pattern's votes; all alike where there is none."""
    annotators, uploader = np.hsplit(said, 2)
    votes = annotators + uploader + 1e-9
    shares: Floats = votes / votes.sum(axis=1, keepdims=True)
    return shares


def _step(said: Floats, photos: Ints | Floats, posterior: Floats) -> DawidSkene:
    """Return the model that is most likely if photos show classes with these probabilities."""
    weights = posterior * photos[:, None]
    annotators, uploader = np.hsplit(weights.T @ said, 2)
    named = uploader.sum(axis=0) > 0
    return DawidSkene(
        priors=_normalised(weights.sum(axis=0), named if named.any() else True),
        annotator=_normalised(annotators),
        uploader=_normalised(uploader) if uploader.any() else None,
    )


def _normalised(counts: Floats, possible: NDArray[np.bool_] | bool = True) -> Floats:
    smooth = np.where(possible, counts + SMOOTHING, 0)
    shares: Floats = smooth / smooth.sum(axis=-1, keepdims=True)
    return shares


def _distance(one: DawidSkene, other: DawidSkene) -> float:
    pairs = [(one.priors, other.priors), (one.annotator, other.annotator)]
    if one.uploader is not None and other.uploader is not None:
        pairs.append((one.uploader, other.uploader))
    return max(float(np.abs(a - b).max()) for a, b in pairs)

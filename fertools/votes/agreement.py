"""Measure how far annotators agree with each other.

Votes are counts, (photos, classes): how many annotators chose each class. A figure is computed in
two steps, so that intervals over people cost one pass over the photos (`fertools.intervals`):

    counts (photos, C) ──X_terms──▶ terms (photos, k) ──sum──▶ (k,) ──X──▶ figure

    pairs   share of the pairs of votes for one photo that agree
    κ       Fleiss, Measuring nominal scale agreement among many raters, Psychological Bulletin 76
            (1971): agreement beyond chance, of photos with equally many votes
    α       Krippendorff, Content Analysis, 4th edition (2018), chapter 12, nominal data: the same
            for any number of votes a photo, without a bias in small samples

1 is perfect agreement, 0 what chance gives if everybody votes by the overall shares.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.intervals import Floats
from fertools.votes.patterns import Counts


def pair_terms(counts: Counts) -> Floats:
    """Return the agreeing pairs of votes and all pairs of each photo, float64, (photos, 2)."""
    votes = counts.sum(axis=1)
    terms: Floats = np.column_stack([_same(counts), votes * (votes - 1)]).astype(np.float64)
    return terms


def share(sums: NDArray[Any]) -> Floats:
    """Return the first sum over the second, (...), of (..., 2); NaN for 0/0."""
    part, whole = np.asarray(sums[..., 0], float), np.asarray(sums[..., 1], float)
    shares: Floats = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
    return shares


def fleiss_terms(counts: Counts, votes: int) -> Floats:
    """Return what κ needs of each photo, float64, (photos, 2 + classes).

    votes   at least 2; photos with another number of votes are left out (all their terms are 0)
    """
    used = counts.sum(axis=1) == votes
    agreement = _same(counts) / (votes * (votes - 1))
    terms: Floats = np.column_stack([used, agreement, counts]) * used[:, None]
    return terms


def fleiss_kappa(sums: NDArray[Any]) -> Floats:
    """Return κ, (...), of sums of `fleiss_terms`, (..., 2 + classes); NaN where it is 0/0."""
    observed = share(np.stack([sums[..., 1], sums[..., 0]], axis=-1))
    votes = np.asarray(sums[..., 2:], float)
    total = votes.sum(axis=-1)
    expected = share(np.stack([(votes**2).sum(axis=-1), total**2], axis=-1))
    return share(np.stack([observed - expected, 1 - expected], axis=-1))


def alpha_terms(counts: Counts) -> Floats:
    """Return what α needs of each photo, float64, (photos, 1 + classes).

    Photos with fewer than two votes are left out: nothing can be paired.
    """
    votes = counts.sum(axis=1)
    agreement = _same(counts) / np.maximum(votes - 1, 1)
    terms: Floats = np.column_stack([agreement, counts]) * (votes > 1)[:, None]
    return terms


def krippendorff_alpha(sums: NDArray[Any]) -> Floats:
    """Return α, (...), of sums of `alpha_terms`, (..., 1 + classes); NaN where it is 0/0."""
    votes = np.asarray(sums[..., 1:], float)
    total = votes.sum(axis=-1)
    disagreement = (total - 1) * (total - sums[..., 0])
    return 1 - share(np.stack([disagreement, total**2 - (votes**2).sum(axis=-1)], axis=-1))


def usual_votes(counts: Counts) -> int:
    """Return the number of votes, at least 2, that most photos have; the larger of two."""
    votes = np.bincount(counts.sum(axis=1), minlength=3)[2:]
    return 2 + len(votes) - 1 - int(votes[::-1].argmax())


def majority(counts: Counts) -> Ints:
    """Return the class that most annotators chose, int64, (photos,).

    It is -1 on a tie and for fewer than two votes: two of three annotators are a majority, one is
    none.
    """
    most = counts.max(axis=1, initial=0)
    alone = (counts == most[:, None]).sum(axis=1) == 1
    return np.where(alone & (most > 1), counts.argmax(axis=1), -1).astype(np.int64)


def confusion(names: Ints, majorities: Ints, classes: int) -> Ints:
    """Count photos by the class of the name (rows) and of the majority, int64, (C, C + 1).

    The last column counts photos without a majority; those whose name has no class are left out.
    """
    named = names >= 0
    said = np.where(majorities < 0, classes, majorities)[named]
    cells = np.bincount(names[named] * (classes + 1) + said, minlength=classes * (classes + 1))
    return cells.reshape(classes, classes + 1)


def _same(counts: Counts) -> Ints:
    """Return the ordered pairs of equal votes of each photo."""
    pairs: Ints = (counts * (counts - 1)).sum(axis=1)
    return pairs

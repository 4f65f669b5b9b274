"""Collect photos with equal votes.

    photos (N, C + 1) ──▶ patterns (P, C + 1), how many photos have each, which one a photo has

Three annotators and seven classes have at most 120 patterns, with the uploader's word 960. So the
work of an estimate does not grow with the number of photos: half a million take no longer than
five thousand, once the patterns are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints

Counts = NDArray[Any]

_MOST_CODES: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Patterns:
    """The different votes of photos.

    counts    int64, (patterns, classes): votes of annotators for each class
    uploader  int64, (patterns,): class index of the uploader's word, -1 if unknown
    photos    int64, (patterns,): number of photos with this pattern
    index     int64, (photos,): the pattern of each photo
    """

    counts: Ints
    uploader: Ints
    photos: Ints
    index: Ints

    @classmethod
    def of(cls, counts: Counts, uploader: Counts | None = None) -> Self:
        """Collect the patterns of photos, sorted.

        counts    int, (photos, classes), at least 0
        uploader  int, (photos,), a class index or -1; None if it is unknown for all photos

        Raises ValueError for other shapes or numbers.
        """
        counts = np.asarray(counts, np.int64)
        said = np.full(len(counts), -1) if uploader is None else np.asarray(uploader, np.int64)
        _check(counts, said)
        _, first, index, photos = np.unique(
            _codes(counts, said), return_index=True, return_inverse=True, return_counts=True
        )
        return cls(counts[first], said[first], photos, index)

    @property
    def said(self) -> Ints:
        """The votes and the uploader's word, int64, (patterns, 2 · classes): how often each."""
        classes = np.arange(self.counts.shape[1])
        return np.hstack([self.counts, np.equal.outer(self.uploader, classes)])


def _codes(counts: Ints, uploader: Ints) -> Ints:
    """Return a number for each photo, equal where the votes are equal, in their order."""
    codes = uploader + 1
    for votes in counts.T:
        values = int(votes.max(initial=0)) + 1
        if (int(codes.max(initial=0)) + 1) * values > _MOST_CODES:
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        codes = codes * values + votes
    return codes


def _check(counts: Ints, uploader: Ints) -> None:
    if counts.ndim != 2 or uploader.shape != counts.shape[:1]:
        raise ValueError(f"votes {counts.shape} and words of uploaders {uploader.shape}")
    if counts.min(initial=0) < 0:
        raise ValueError("a number of votes is negative")
    if not -1 <= uploader.min(initial=-1) <= uploader.max(initial=-1) < counts.shape[1]:
        raise ValueError(f"a word of an uploader is not among the {counts.shape[1]} classes")

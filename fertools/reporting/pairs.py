"""Find the most similar crops of different people, which may show a leak between splits.

For each crop the nearest one of another person is found, by the hash of `faces.fingerprint`, among
all crops of the page; then the pairs are scored by their thumbnails, like duplicates in a build.
With 20,000 crops this compares 200 million pairs in a few seconds; all numbers are integers, so
that the result is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.faces.fingerprint import fingerprint
from fertools.splits.duplicates import similarity

#: Rows that are compared with all others at a time: what is in memory then fits the CPU's cache.
_BLOCK: Final = 16

#: More bits than any two hashes differ in.
_FAR: Final = 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of different people; the similarity is 1 for one picture, about 0 for any two."""

    first: int
    second: int
    similarity: float


def nearest_pairs(thumbnails: NDArray[np.uint8], people: Ints, *, count: int) -> list[Pair]:
    """Return the most similar pairs, the most similar first, one for each two people.

    thumbnails  uint8, (rows, 64, 64)
    people      int64, (rows,), the number of each row's person
    """
    if len(np.unique(people)) < 2:
        return []
    near, distances = _nearest(_hashes(thumbnails), people)
    candidates: list[list[int]] = []
    seen = set()
    for row in np.argsort(distances, kind="stable").tolist():
        other = int(near[row])
        two = frozenset((int(people[row]), int(people[other])))
        if two not in seen and len(candidates) < 8 * count:
            seen.add(two)
            candidates.append(sorted((row, other)))
    pairs = np.array(candidates, np.int64)
    scores = similarity(thumbnails, pairs)
    best = np.argsort(-scores, kind="stable")[:count]
    return [Pair(int(pairs[i, 0]), int(pairs[i, 1]), round(float(scores[i]), 4)) for i in best]


def _hashes(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the hash of each thumbnail as four numbers, uint64, (rows, 4)."""
    hashes = [fingerprint(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)).hash for gray in thumbnails]
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)


def _nearest(hashes: NDArray[np.uint64], people: Ints) -> tuple[Ints, Ints]:
    """Return, for each row, the row of another person with the most similar hash, and its bits."""
    words = np.ascontiguousarray(hashes.T)
    near, distances = np.zeros(len(hashes), np.int64), np.zeros(len(hashes), np.int64)
    for first in range(0, len(hashes), _BLOCK):
        block = slice(first, first + _BLOCK)
        bits = np.where(people[block, None] == people, np.uint16(_FAR), np.uint16(0))
        for word in words:
            bits += np.bitwise_count(word[block, None] ^ word)
        near[block] = bits.argmin(axis=1)
        distances[block] = bits.min(axis=1)
    return near, distances

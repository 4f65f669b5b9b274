"""Candidates: pairs of hashes that are near each other, without comparing all pairs.

    table 1   bits 17 203 9 …   sort ──▶  … 0110 0111 0111 1000 …  each against the next WINDOW
    table 2   bits 80 4 151 …   sort ──▶  … 0010 0010 0011 0011 …
      ⋮

Two hashes that differ in few bits begin alike in some order of their bits, and lie side by side
when all are sorted in that order (Charikar, 2002). How long a beginning that takes follows from
how many hashes are alike, so a studio in which all photos share half of their bits costs what
any other archive does: TABLES x WINDOW comparisons a photo, whatever the photos show.
Tried and left: words of 16 bits with one bit forgiven (Norouzi, 2012), which finds every pair up
to 31 bits for certain, but compares all photos that share a word, and in a studio those are too
many.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.hashing import rank

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

BITS: Final = 256
# Copies differed in 23 bits at most, 99 of 100 in 15; pictures of different people in 24 at least,
# of 10,000 pairs one below 49.
NEAR: Final = 40
# Among 500,000 photos every planted copy at up to 24 bits was found. 6 tables lose some at 16.
TABLES: Final = 32
WINDOW: Final = 8
# Who has so many candidates is sought for no longer: it bounds what a hundred thousand copies of
# one picture take, and a chain of them is tied all the same.
ENOUGH: Final = 16

_ONES: Final = np.array([word.bit_count() for word in range(1 << 16)], dtype=np.uint8)


def candidates(hashes: Bytes, groups: Ints) -> Ints:
    """Give the pairs of rows of different groups that may be copies, int64, (pairs, 2), sorted.

    hashes  uint8, (rows, 32); a row of zeros is a picture of one colour, or none, and has no copy
    groups  int64, (rows,): rows that are in one group already need no tie

    Equal hashes are paired like a chain, each with the next, not each with all.
    """
    rows = np.flatnonzero(hashes.any(axis=1))
    hashes, groups = np.ascontiguousarray(hashes[rows]), groups[rows]
    bits = np.ascontiguousarray(np.unpackbits(hashes, axis=1).T)
    codes = np.zeros(0, dtype=np.int64)  # of a pair a < b: a x rows + b
    for table in range(TABLES):
        sought = _degrees(codes, len(rows)) < ENOUGH
        laid = np.argsort(_keys(bits, table), kind="stable")
        found = _neighbours(laid, hashes, groups, sought)
        codes = _distinct(np.concatenate([codes, *found]))
    pairs: Ints = rows[np.stack(np.divmod(codes, max(len(rows), 1)), axis=1)]
    return pairs


def distance(a: Bytes, b: Bytes) -> Ints:
    """Count the bits in which hashes differ, row by row; both are uint8, (rows, 32)."""
    apart: Ints = _ONES[(a ^ b).view(np.uint16)].sum(axis=1, dtype=np.int64)
    return apart


def _keys(bits: Bytes, table: int) -> NDArray[np.uint64]:
    """Give what a table sorts by: 64 of each hash's bits, in the table's order."""
    order = sorted(range(BITS), key=lambda bit: rank(table, str(bit), "copies"))[:64]
    packed = np.packbits(bits[order], axis=0)
    return np.ascontiguousarray(packed.T).view(">u8").astype(np.uint64).ravel()


def _neighbours(laid: Ints, hashes: Bytes, groups: Ints, sought: NDArray[np.bool_]) -> list[Ints]:
    hashes, groups, sought = hashes[laid], groups[laid], sought[laid]
    found = []
    for step in range(1, min(WINDOW + 1, len(laid))):
        wanted = (groups[step:] != groups[:-step]) & (sought[step:] | sought[:-step])
        here = np.flatnonzero(wanted)
        apart = distance(hashes[here], hashes[here + step])
        # Equal ones are tied by their nearest: 100,000 of them would fill every window.
        near = here[(apart <= NEAR) & ((apart > 0) | (step == 1))]
        a, b = laid[near], laid[near + step]
        found.append(np.minimum(a, b) * len(laid) + np.maximum(a, b))
    return found


def _degrees(codes: Ints, rows: int) -> Ints:
    a, b = np.divmod(codes, max(rows, 1))
    return np.bincount(a, minlength=rows) + np.bincount(b, minlength=rows)


def _distinct(codes: Ints) -> Ints:
    """Sort, and leave out repeats; numpy.unique hashes, and takes 20 times as long for these."""
    codes = np.sort(codes)
    return codes[np.append(True, codes[1:] != codes[:-1])] if len(codes) else codes

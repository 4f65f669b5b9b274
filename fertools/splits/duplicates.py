"""Copies: one picture under two names, byte for byte or resized, recompressed and brightened.

    hashes ──candidates──▶ pairs ──likeness of thumbnails──▶ pairs with scores ──▶ Ties
    digests ──────────────────── same_bytes ───────────────▶ pairs ──────────────▶ Ties

A pair that is tied here makes two people one in the split. So a hash only proposes: two sitters
in one studio can be as near as 24 bits of 256, which is where the worst of copies are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fertools.hashing import rank
from fertools.splits.groups import components_of_pairs

Ints = NDArray[np.int64]
Thumbnails = Callable[[Ints], NDArray[np.uint8]]

# Midway: different people were alike at 0.66 at most, copies at 0.86 at least (1.25 times as
# bright; all other kinds above 0.9).
ALIKE: Final = 0.75
BLOCK: Final = 32_768  # pairs whose thumbnails are asked for at once: 268 MB at most
BATCH: Final = 1024  # pairs whose edges are in memory at once: 130 MB at most
MANY: Final = 10


class SimilarPairs(NamedTuple):
    """Pairs of rows that show one picture, int64, (pairs, 2), and how alike, float64, (pairs,)."""

    pairs: Ints
    scores: NDArray[np.float64]


class Component(NamedTuple):
    """The largest group that ties have made: of how many groups before, and of how many rows."""

    groups: int
    rows: int

    @property
    def is_implausible(self) -> bool:
        """Whether so many people share pictures that somebody should look at them."""
        return self.groups > MANY


def find_duplicates(
    hashes: NDArray[np.uint8],
    digests: Sequence[str | None],
    groups: Ints,
    thumbnails: Thumbnails,
) -> Ints:
    """Give pairs of rows that show one picture, int64, (pairs, 2), sorted, a row before b.

    They are those of `byte_duplicates`, in one group or two, and those of `picture_duplicates`.
    """
    shown = picture_duplicates(hashes, groups, thumbnails).pairs
    return np.unique(np.concatenate([byte_duplicates(digests), shown]), axis=0)


def byte_duplicates(digests: Sequence[str | None]) -> Ints:
    """Pair each row with the first one of its digest, int64, (pairs, 2); None is like nothing.

    Example: ["a", "b", None, "a", None, "a"] -> [[0, 3], [0, 5]]
    """
    # Equal text has equal hashes, which are numbers: as a dict, 10 million digests take 2 GB.
    hashes = np.fromiter((0 if d is None else hash(d) for d in digests), np.int64, len(digests))
    order = np.argsort(hashes)
    same = hashes[order[1:]] == hashes[order[:-1]]
    repeated = np.unique(np.concatenate([order[1:][same], order[:-1][same]]))
    first: dict[str, int] = {}
    pairs = [
        (first[digest], row)
        for row in repeated.tolist()
        if (digest := digests[row]) is not None and first.setdefault(digest, row) != row
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def picture_duplicates(hashes: NDArray[np.uint8], groups: Ints, thumbnails: Thumbnails) -> SimilarPairs:
    """Find the rows that show one picture though they are in different groups.

    hashes      uint8, (rows, 32), of `Fingerprint`; a row without one is all zeros
    groups      int64, (rows,); inside a group nothing is compared: its sessions are near-identical
    thumbnails  gives those of some rows, in ascending order: int64, (k,) -> uint8, (k, 64, 64)

    Of many copies of one picture not every pair is given, but enough to tie them all together.
    """
    pairs = candidate_pairs(hashes, groups)
    blocks = [pairs[i : i + BLOCK] for i in range(0, len(pairs), BLOCK)]
    scores = np.concatenate([np.zeros(0), *(_scores(b, thumbnails) for b in blocks)])
    alike = scores >= ALIKE
    return SimilarPairs(pairs[alike], scores[alike])


def label_conflicts(pairs: Ints, classes: Ints) -> Ints:
    """Return every row whose picture bears more than one class, int64, (rows, 2), ascending.

    The first column is the row, the second the first row of another class in its set of copies.
    Sets are judged as a whole, not pair by pair: of three copies named joy, joy and anger the pairs
    (0, 1) and (0, 2) show one conflict, and all three rows are in it.

    pairs    int64, (pairs, 2), rows that show one picture
    classes  int64, (rows,)

    Example: [[0, 1], [0, 2]], [5, 5, 6] -> [[0, 2], [1, 2], [2, 0]]
    """
    rows, sets = components_of_pairs(pairs)
    of_row = classes[rows]
    first = np.unique(sets, return_index=True)[1]  # sets are numbered from 0
    odd = np.flatnonzero(of_row != of_row[first[sets]])
    torn, at = np.unique(sets[odd], return_index=True)
    other = np.full(len(first), -1, dtype=np.int64)
    other[torn] = odd[at]  # the first row of a set that is not of its first row's class
    within = np.flatnonzero(other[sets] >= 0)
    of_set = sets[within]
    witness = np.where(of_row[within] == of_row[first[of_set]], other[of_set], first[of_set])
    return np.stack([rows[within], rows[witness]], axis=1)


def largest_component(before: Ints, after: Ints) -> Component:
    """Say what ties have put together at most.

    before, after  the group of each row without and with the ties, int64, (rows,)

    Example: [0, 0, 1, 2], [0, 0, 0, 1] -> Component(groups=2, rows=3)
    """
    if not len(after):
        return Component(0, 0)
    joined = np.unique(np.stack([after, before], axis=1), axis=0)[:, 0]
    longest = np.bincount(joined).argmax()
    return Component(int((joined == longest).sum()), int((after == longest).sum()))


def _scores(pairs: Ints, thumbnails: Thumbnails) -> NDArray[np.float64]:
    rows, numbers = np.unique(pairs, return_inverse=True)
    pictures, pairs = thumbnails(rows), numbers.reshape(pairs.shape)
    batches = [pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)]
    return np.concatenate([_batch(pictures, batch) for batch in batches])


def _batch(pictures: NDArray[np.uint8], pairs: Ints) -> NDArray[np.float64]:
    used, numbers = np.unique(pairs, return_inverse=True)
    return similarity(pictures[used], numbers.reshape(pairs.shape))


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


def candidate_pairs(hashes: Bytes, groups: Ints) -> Ints:
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


def hamming_distance(a: Bytes, b: Bytes) -> Ints:
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
        apart = hamming_distance(hashes[here], hashes[here + step])
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


SIDE: Final = 64
# Gray levels that an edge may have. Unclipped, two people before the same bright window are alike
# at 0.82; at 16 at 0.66, and copies stay at 0.86 and more.
STEEP: Final = 16


def similarity(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Correlate the clipped gradients of pairs of pictures, float64, (pairs,): 1 is the same.

    thumbnails  uint8, (pictures, 64, 64), gray
    pairs       int64, (pairs, 2), which pictures

    The gradients' mean is taken to be 0, as that of any picture nearly is. A picture of one
    colour is like none, itself included: 0.
    """
    edges = _edges(thumbnails)
    a, b = edges[pairs[:, 0]], edges[pairs[:, 1]]
    both = np.sqrt(_product(a, a) * _product(b, b))
    scores: NDArray[np.float64] = _product(a, b) / np.maximum(both, 1)
    return scores


def _edges(thumbnails: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Give each picture's steps to the right and down, one after the other."""
    levels = thumbnails.astype(np.int32)
    steps = [np.diff(levels, axis=axis).reshape(len(levels), -1) for axis in (2, 1)]
    return np.concatenate(steps, axis=1).clip(-STEEP, STEEP)


def _product(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float64]:
    # Whole numbers, at most 8,064 x 16 x 16: exact, so that no CPU rounds a tie away.
    product: NDArray[np.float64] = np.einsum("ij,ij->i", a, b).astype(np.float64)
    return product

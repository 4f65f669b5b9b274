"""Find duplicates: one picture under two names, byte for byte or resized, recompressed, brightened.

    digests ─────────────────────── byte_duplicates ─────────▶ pairs
    hashes ──candidate_pairs──▶ pairs ──similarity ≥ 0.75────▶ pairs     (picture_duplicates)
                                        of thumbnails

A pair that is found here makes two people one in the split. So a hash only proposes: two sitters
in one studio can be as near as 24 bits of 256, which is where the worst duplicates are.

`candidate_pairs` finds hashes that are near each other without comparing all pairs:

    table 1   bits 17 203 9 …   sort ──▶  … 0110 0111 0111 1000 …  each against the next WINDOW
    table 2   bits 80 4 151 …   sort ──▶  … 0010 0010 0011 0011 …
      ⋮

Two hashes that differ in few bits begin alike in some order of their bits, and are neighbours
when all are sorted in that order (Charikar, 2002). How long a prefix that takes follows from
how many hashes are alike, so a studio in which all photos share half of their bits costs what
any other archive does: TABLES x WINDOW comparisons a photo, whatever the photos show.
Tried and left: words of 16 bits with one bit forgiven (Norouzi, 2012), which finds every pair up
to 31 bits for certain, but compares all photos that share a word, and in a studio those are too
many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.hashing import rank
from fertools.splits.groups import components_of_pairs

Bytes = NDArray[np.uint8]
Thumbnails = Callable[[Ints], Bytes]

# Midway: different people were alike at 0.66 at most, duplicates at 0.86 at least (1.25 times as
# bright; all other kinds above 0.9).
MIN_SIMILARITY: Final = 0.75
READ_PAIRS: Final = 32_768  # pairs whose thumbnails are read at once: 268 MB at most
EDGE_PAIRS: Final = 1024  # pairs whose edges are in memory at once: 130 MB at most
# Gray levels that an edge may have. Unclipped, two people before the same bright window are alike
# at 0.82; at 16 at 0.66, and duplicates stay at 0.86 and more.
MAX_EDGE: Final = 16

HASH_BITS: Final = 256
# Duplicates differed in 23 bits at most, 99 of 100 in 15; pictures of different people in 24 at
# least, of 10,000 pairs one below 49.
MAX_DISTANCE: Final = 40
# Among 500,000 photos every planted duplicate at up to 24 bits was found. 6 tables lose some at 16.
TABLES: Final = 32
WINDOW: Final = 8
# A row with so many candidates is searched no longer: it bounds the time for a hundred thousand
# duplicates of one picture, and they are connected all the same.
MAX_CANDIDATES: Final = 16

# People that may plausibly be connected by duplicates; more deserve a warning.
MAX_PLAUSIBLE: Final = 10

_BIT_COUNTS: Final = np.array([word.bit_count() for word in range(1 << 16)], dtype=np.uint8)


def find_duplicates(
    hashes: Bytes, digests: Sequence[str | None], groups: Ints, thumbnails: Thumbnails
) -> Ints:
    """Return pairs of rows that show one picture, int64, (pairs, 2), sorted, a row before b.

    They are those of `byte_duplicates`, within a group as well, and those of `picture_duplicates`.
    """
    pictures = picture_duplicates(hashes, groups, thumbnails)
    return np.unique(np.concatenate([byte_duplicates(digests), pictures]), axis=0)


def byte_duplicates(digests: Sequence[str | None]) -> Ints:
    """Pair each row with the first one of its digest, int64, (pairs, 2); None equals nothing.

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


def picture_duplicates(hashes: Bytes, groups: Ints, thumbnails: Thumbnails) -> Ints:
    """Return pairs of rows of different groups that show one picture, int64, (pairs, 2).

    hashes      uint8, (rows, 32), of `Fingerprint`; a row without one is all zeros
    groups      int64, (rows,); inside a group nothing is compared: its sessions are near-identical
    thumbnails  returns those of some rows, in ascending order: int64, (k,) -> uint8, (k, 64, 64)

    Of many duplicates of one picture not every pair is returned, but enough to connect them all.
    """
    pairs = candidate_pairs(hashes, groups)
    blocks = [pairs[i : i + READ_PAIRS] for i in range(0, len(pairs), READ_PAIRS)]
    scores = np.concatenate([np.zeros(0), *(_score_pairs(block, thumbnails) for block in blocks)])
    return pairs[scores >= MIN_SIMILARITY]


def _score_pairs(pairs: Ints, thumbnails: Thumbnails) -> NDArray[np.float64]:
    rows, numbers = np.unique(pairs, return_inverse=True)
    pictures, pairs = thumbnails(rows), numbers.reshape(pairs.shape)
    batches = [pairs[i : i + EDGE_PAIRS] for i in range(0, len(pairs), EDGE_PAIRS)]
    return np.concatenate([similarity(pictures, batch) for batch in batches])


def candidate_pairs(hashes: Bytes, groups: Ints) -> Ints:
    """Return pairs of rows of different groups with near hashes, int64, (pairs, 2), sorted.

    hashes  uint8, (rows, 32); a row of zeros is a picture of one colour, or none, and is skipped
    groups  int64, (rows,): rows of one group need no pair

    Equal hashes are paired like a chain, each with the next, not each with all.
    """
    rows = np.flatnonzero(hashes.any(axis=1))
    hashes, groups = np.ascontiguousarray(hashes[rows]), groups[rows]
    bits = np.ascontiguousarray(np.unpackbits(hashes, axis=1).T)
    codes = np.zeros(0, dtype=np.int64)  # of a pair a < b: a x rows + b
    for table in range(TABLES):
        a, b = np.divmod(codes, max(len(rows), 1))
        degrees = np.bincount(a, minlength=len(rows)) + np.bincount(b, minlength=len(rows))
        order = np.argsort(_sort_keys(bits, table), kind="stable")
        neighbours = _near_neighbours(order, hashes, groups, degrees < MAX_CANDIDATES)
        # numpy.unique hashes, and takes 20 times as long for these.
        codes = np.sort(np.concatenate([codes, *neighbours]))
        codes = codes[np.diff(codes, prepend=-1) > 0]
    pairs: Ints = rows[np.stack(np.divmod(codes, max(len(rows), 1)), axis=1)]
    return pairs


def hamming_distance(a: Bytes, b: Bytes) -> Ints:
    """Count the bits in which hashes differ, row by row; both are uint8, (rows, 32)."""
    distances: Ints = _BIT_COUNTS[(a ^ b).view(np.uint16)].sum(axis=1, dtype=np.int64)
    return distances


def _sort_keys(bits: Bytes, table: int) -> NDArray[np.uint64]:
    """Return what a table sorts by: 64 of each hash's bits, in the table's order."""
    order = sorted(range(HASH_BITS), key=lambda bit: rank(table, str(bit), "copies"))[:64]
    packed = np.packbits(bits[order], axis=0)
    return np.ascontiguousarray(packed.T).view(">u8").astype(np.uint64).ravel()


def _near_neighbours(
    order: Ints, hashes: Bytes, groups: Ints, searched: NDArray[np.bool_]
) -> list[Ints]:
    hashes, groups, searched = hashes[order], groups[order], searched[order]
    codes = []
    for step in range(1, min(WINDOW + 1, len(order))):
        compared = (groups[step:] != groups[:-step]) & (searched[step:] | searched[:-step])
        here = np.flatnonzero(compared)
        distances = hamming_distance(hashes[here], hashes[here + step])
        # Equal ones are connected by their nearest: 100,000 of them would fill every window.
        near = here[(distances <= MAX_DISTANCE) & ((distances > 0) | (step == 1))]
        a, b = order[near], order[near + step]
        codes.append(np.minimum(a, b) * len(order) + np.maximum(a, b))
    return codes


def similarity(thumbnails: Bytes, pairs: Ints) -> NDArray[np.float64]:
    """Correlate the clipped gradients of pairs of pictures, float64, (pairs,): 1 is the same.

    thumbnails  uint8, (pictures, 64, 64), gray
    pairs       int64, (pairs, 2), which pictures

    The gradients' mean is taken to be 0, as that of any picture nearly is. A picture of one
    colour has a similarity of 0 to every picture, itself included.
    """
    used, numbers = np.unique(pairs, return_inverse=True)
    edges, pairs = _edges(thumbnails[used]), numbers.reshape(pairs.shape)
    a, b = edges[pairs[:, 0]], edges[pairs[:, 1]]
    norms = np.sqrt(_dot(a, a) * _dot(b, b))
    scores: NDArray[np.float64] = _dot(a, b) / np.maximum(norms, 1)
    return scores


def _edges(thumbnails: Bytes) -> NDArray[np.int32]:
    """Return each picture's steps to the right, then those down; int32, (pictures, 8064)."""
    levels = thumbnails.astype(np.int32)
    steps = [np.diff(levels, axis=axis).reshape(len(levels), -1) for axis in (2, 1)]
    return np.concatenate(steps, axis=1).clip(-MAX_EDGE, MAX_EDGE)


def _dot(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float64]:
    # Whole numbers, at most 8,064 x 16 x 16: exact, so that no CPU rounds a tie away.
    product: NDArray[np.float64] = np.einsum("ij,ij->i", a, b).astype(np.float64)
    return product


def find_label_conflicts(pairs: Ints, classes: Ints) -> Ints:
    """Return every row whose picture has more than one class, int64, (rows, 2), ascending.

    The first column is the row, the second the first row of another class in its set of duplicates.
    Sets are judged as a whole, not pair by pair: of three files named joy, joy and anger the pairs
    (0, 1) and (0, 2) show one conflict, and all three rows are in it.

    pairs    int64, (pairs, 2), rows that show one picture
    classes  int64, (rows,)

    Example: [[0, 1], [0, 2]], [5, 5, 6] -> [[0, 2], [1, 2], [2, 0]]
    """
    rows, sets = components_of_pairs(pairs)
    of_row = classes[rows]
    first = np.unique(sets, return_index=True)[1]  # sets are numbered from 0
    odd = np.flatnonzero(of_row != of_row[first[sets]])
    in_conflict, at = np.unique(sets[odd], return_index=True)
    other = np.full(len(first), -1, dtype=np.int64)
    other[in_conflict] = odd[at]  # the first row of a set that is not of its first row's class
    within = np.flatnonzero(other[sets] >= 0)
    of_set = sets[within]
    conflicting = np.where(of_row[within] == of_row[first[of_set]], other[of_set], first[of_set])
    return np.stack([rows[within], rows[conflicting]], axis=1)


class Component(NamedTuple):
    """The largest group that duplicates connect: of how many groups, and of how many rows."""

    groups: int
    rows: int

    @property
    def is_implausible(self) -> bool:
        """Whether so many people share pictures that the user should check them."""
        return self.groups > MAX_PLAUSIBLE


def largest_component(old_groups: Ints, new_groups: Ints) -> Component:
    """Return the group that consists of most groups after duplicates have connected them.

    before, after  the group of each row without and with the duplicates, int64, (rows,)

    Example: [0, 0, 1, 2], [0, 0, 0, 1] -> Component(groups=2, rows=3)
    """
    if not len(new_groups):
        return Component(0, 0)
    merged = np.unique(np.stack([new_groups, old_groups], axis=1), axis=0)[:, 0]
    largest = np.bincount(merged).argmax()
    return Component(int((merged == largest).sum()), int((new_groups == largest).sum()))

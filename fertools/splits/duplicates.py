"""Find duplicates: one picture under two names, unchanged, resized, recompressed or brightened.

    digests ─────────────────────── byte_duplicates ─────────▶ pairs
    hashes ──candidate_pairs──▶ pairs ──similarity ≥ 0.75────▶ pairs     (picture_duplicates)
                                        of thumbnails

A pair joins two people to one group. Hashes only find candidates, which thumbnails confirm: hashes
of two people in one studio can differ in only 24 of 256 bits, like those of the worst duplicates.

`candidate_pairs` finds similar hashes without comparing all pairs:

    table 1   bits 17 203 9 …   sort ──▶  … 0110 0111 0111 1000 …  each against the next WINDOW
    table 2   bits 80 4 151 …   sort ──▶  … 0010 0010 0011 0011 …
      ⋮

Each table sorts the hashes by another order of their bits. Two hashes that differ in few bits have
the same first bits in some of these orders, and are neighbours there (Charikar, 2002). A photo is
compared TABLES x WINDOW times in any archive, also in a studio where all photos share half of their
bits.
Tried, not used: an index of 16-bit words with one bit of tolerance (Norouzi, 2012). It finds every
pair up to 31 bits, but compares all photos that share a word: in a studio these are too many.
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

# The middle between different people (0.66 at most) and duplicates (0.86 at least, if 1.25 times as
# bright; all other kinds above 0.9).
MIN_SIMILARITY: Final = 0.75
READ_PAIRS: Final = 32_768  # pairs whose thumbnails are read together: 268 MB at most
EDGE_PAIRS: Final = 1024  # pairs whose edges are in memory together: 130 MB at most
# Gray levels to which an edge is clipped. Without it, two people before the same bright window have
# a similarity of 0.82; with 16 it is 0.66, and duplicates stay at 0.86 or more.
MAX_EDGE: Final = 16

HASH_BITS: Final = 256
# Duplicates differed in 23 bits at most, 99 of 100 in 15 at most; pictures of different people in
# 24 at least, and one of 10,000 such pairs in less than 49.
MAX_DISTANCE: Final = 40
# In 500,000 photos every inserted duplicate up to 24 bits was found. 6 tables miss some at 16 bits.
TABLES: Final = 32
WINDOW: Final = 8
# A row with so many candidates is not searched further. This limits the time for a hundred thousand
# duplicates of one picture; they are still all connected.
MAX_CANDIDATES: Final = 16

# People that duplicates may plausibly connect; more of them cause a warning.
MAX_PLAUSIBLE: Final = 10

_BIT_COUNTS: Final = np.array([word.bit_count() for word in range(1 << 16)], dtype=np.uint8)


def find_duplicates(
    hashes: Bytes, digests: Sequence[str | None], groups: Ints, thumbnails: Thumbnails
) -> Ints:
    """Return pairs (a, b) of rows that show one picture, a < b, int64, (pairs, 2), sorted.

    These are the pairs of `byte_duplicates`, also inside a group, and of `picture_duplicates`.
    """
    pictures = picture_duplicates(hashes, groups, thumbnails)
    return np.unique(np.concatenate([byte_duplicates(digests), pictures]), axis=0)


def byte_duplicates(digests: Sequence[str | None]) -> Ints:
    """Pair each row with the first row of the same digest, int64, (pairs, 2); None is never equal.

    Example: ["a", "b", None, "a", None, "a"] -> [[0, 3], [0, 5]]
    """
    # Only digests with equal hashes go into the dict: with all 10 million it would take 2 GB.
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

    hashes      uint8, (rows, 32), hashes of `Fingerprint`; all zeros without a fingerprint
    groups      int64, (rows,); rows of one group are not compared: sessions are near-identical
    thumbnails  function from ascending row numbers, int64, (k,), to thumbnails, uint8, (k, 64, 64)

    If a picture has many duplicates, not all pairs are returned, but enough to connect them all.
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
    """Return pairs of rows of different groups with similar hashes, int64, (pairs, 2), sorted.

    hashes  uint8, (rows, 32); zeros mean a picture of one colour or no fingerprint: skipped
    groups  int64, (rows,); rows of one group are not paired

    Of rows with equal hashes each is paired with the next one only, like a chain.
    """
    rows = np.flatnonzero(hashes.any(axis=1))
    hashes, groups = np.ascontiguousarray(hashes[rows]), groups[rows]
    bits = np.ascontiguousarray(np.unpackbits(hashes, axis=1).T)
    codes = np.zeros(0, dtype=np.int64)  # a pair a < b as one number: a x rows + b
    for table in range(TABLES):
        a, b = np.divmod(codes, max(len(rows), 1))
        degrees = np.bincount(a, minlength=len(rows)) + np.bincount(b, minlength=len(rows))
        order = np.argsort(_sort_keys(bits, table), kind="stable")
        neighbours = _near_neighbours(order, hashes, groups, degrees < MAX_CANDIDATES)
        # numpy.unique uses a hash table and takes 20 times as long here.
        codes = np.sort(np.concatenate([codes, *neighbours]))
        codes = codes[np.diff(codes, prepend=-1) > 0]
    pairs: Ints = rows[np.stack(np.divmod(codes, max(len(rows), 1)), axis=1)]
    return pairs


def hamming_distance(a: Bytes, b: Bytes) -> Ints:
    """Count the bits that differ in each row: uint8, (rows, 32), twice -> int64, (rows,)."""
    distances: Ints = _BIT_COUNTS[(a ^ b).view(np.uint16)].sum(axis=1, dtype=np.int64)
    return distances


def _sort_keys(bits: Bytes, table: int) -> NDArray[np.uint64]:
    """Return the sort key of each row in a table: 64 bits of its hash in the table's order."""
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
        # Equal hashes are paired with the next only: 100,000 of them would fill every window.
        near = here[(distances <= MAX_DISTANCE) & ((distances > 0) | (step == 1))]
        a, b = order[near], order[near + step]
        codes.append(np.minimum(a, b) * len(order) + np.maximum(a, b))
    return codes


def similarity(thumbnails: Bytes, pairs: Ints) -> NDArray[np.float64]:
    """Return the correlation of clipped gradients for each pair, float64, (pairs,); 1 if equal.

    thumbnails  uint8, (pictures, 64, 64), gray
    pairs       int64, (pairs, 2), indices of pictures

    The mean of the gradients is assumed to be 0, since in any picture it nearly is. The similarity
    of a picture of one colour to any picture, itself included, is 0.
    """
    used, numbers = np.unique(pairs, return_inverse=True)
    edges, pairs = _edges(thumbnails[used]), numbers.reshape(pairs.shape)
    a, b = edges[pairs[:, 0]], edges[pairs[:, 1]]
    norms = np.sqrt(_dot(a, a) * _dot(b, b))
    scores: NDArray[np.float64] = _dot(a, b) / np.maximum(norms, 1)
    return scores


def _edges(thumbnails: Bytes) -> NDArray[np.int32]:
    """Return the clipped differences to the right and lower neighbour; int32, (pictures, 8064)."""
    levels = thumbnails.astype(np.int32)
    steps = [np.diff(levels, axis=axis).reshape(len(levels), -1) for axis in (2, 1)]
    return np.concatenate(steps, axis=1).clip(-MAX_EDGE, MAX_EDGE)


def _dot(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float64]:
    # Integers up to 8,064 x 16 x 16: exact, so that the result is the same on every CPU.
    product: NDArray[np.float64] = np.einsum("ij,ij->i", a, b).astype(np.float64)
    return product


def find_label_conflicts(pairs: Ints, classes: Ints) -> Ints:
    """Return every row whose picture has more than one class, int64, (rows, 2), ascending.

    Column 0 is the row, column 1 the first row of another class in the same set of duplicates.
    Whole sets are compared, not single pairs: three duplicates named joy, joy and anger, with the
    pairs (0, 1) and (0, 2), are all in conflict, although the pair (0, 1) is not.

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
    other[in_conflict] = odd[at]  # first row of the set with another class than its first row
    within = np.flatnonzero(other[sets] >= 0)
    of_set = sets[within]
    conflicting = np.where(of_row[within] == of_row[first[of_set]], other[of_set], first[of_set])
    return np.stack([rows[within], rows[conflicting]], axis=1)


class Component(NamedTuple):
    """A group that duplicates have connected: the number of its original groups and of its rows."""

    groups: int
    rows: int

    @property
    def is_implausible(self) -> bool:
        """Whether the number of connected people is so large that the user should check them."""
        return self.groups > MAX_PLAUSIBLE


def largest_component(old_groups: Ints, new_groups: Ints) -> Component:
    """Return the component that duplicates have connected from most of the old groups.

    old_groups, new_groups  group of each row before and after connecting, int64, (rows,)

    Example: [0, 0, 1, 2], [0, 0, 0, 1] -> Component(groups=2, rows=3)
    """
    if not len(new_groups):
        return Component(0, 0)
    merged = np.unique(np.stack([new_groups, old_groups], axis=1), axis=0)[:, 0]
    largest = np.bincount(merged).argmax()
    return Component(int((merged == largest).sum()), int((new_groups == largest).sum()))

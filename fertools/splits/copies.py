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

from fertools.splits.candidates import candidates
from fertools.splits.groups import tied
from fertools.splits.likeness import likeness

Ints = NDArray[np.int64]
Thumbnails = Callable[[Ints], NDArray[np.uint8]]

# Midway: different people were alike at 0.66 at most, copies at 0.86 at least (1.25 times as
# bright; all other kinds above 0.9).
ALIKE: Final = 0.75
BLOCK: Final = 32_768  # pairs whose thumbnails are asked for at once: 268 MB at most
BATCH: Final = 1024  # pairs whose edges are in memory at once: 130 MB at most
MANY: Final = 10


class Copies(NamedTuple):
    """Pairs of rows that show one picture, int64, (pairs, 2), and how alike, float64, (pairs,)."""

    pairs: Ints
    scores: NDArray[np.float64]


class Chain(NamedTuple):
    """The largest group that ties have made: of how many groups before, and of how many rows."""

    groups: int
    rows: int

    @property
    def long(self) -> bool:
        """Whether so many people share pictures that somebody should look at them."""
        return self.groups > MANY


def find_copies(
    hashes: NDArray[np.uint8],
    digests: Sequence[str | None],
    groups: Ints,
    thumbnails: Thumbnails,
) -> Ints:
    """Give pairs of rows that show one picture, int64, (pairs, 2), sorted, a row before b.

    They are those of `same_bytes`, in one group or two, and those of `same_picture`.
    """
    shown = same_picture(hashes, groups, thumbnails).pairs
    return np.unique(np.concatenate([same_bytes(digests), shown]), axis=0)


def same_bytes(digests: Sequence[str | None]) -> Ints:
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


def same_picture(hashes: NDArray[np.uint8], groups: Ints, thumbnails: Thumbnails) -> Copies:
    """Find the rows that show one picture though they are in different groups.

    hashes      uint8, (rows, 32), of `Fingerprint`; a row without one is all zeros
    groups      int64, (rows,); inside a group nothing is compared: its sessions are near-identical
    thumbnails  gives those of some rows, in ascending order: int64, (k,) -> uint8, (k, 64, 64)

    Of many copies of one picture not every pair is given, but enough to tie them all together.
    """
    pairs = candidates(hashes, groups)
    blocks = [pairs[i : i + BLOCK] for i in range(0, len(pairs), BLOCK)]
    scores = np.concatenate([np.zeros(0), *(_scores(b, thumbnails) for b in blocks)])
    alike = scores >= ALIKE
    return Copies(pairs[alike], scores[alike])


def conflicts(pairs: Ints, classes: Ints) -> Ints:
    """Return every row whose picture bears more than one class, int64, (rows, 2), ascending.

    The first column is the row, the second the first row of another class in its set of copies.
    Sets are judged as a whole, not pair by pair: of three copies named joy, joy and anger the pairs
    (0, 1) and (0, 2) show one conflict, and all three rows are in it.

    pairs    int64, (pairs, 2), rows that show one picture
    classes  int64, (rows,)

    Example: [[0, 1], [0, 2]], [5, 5, 6] -> [[0, 2], [1, 2], [2, 0]]
    """
    rows, sets = tied(pairs)
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


def longest_chain(before: Ints, after: Ints) -> Chain:
    """Say what ties have put together at most.

    before, after  the group of each row without and with the ties, int64, (rows,)

    Example: [0, 0, 1, 2], [0, 0, 0, 1] -> Chain(groups=2, rows=3)
    """
    if not len(after):
        return Chain(0, 0)
    joined = np.unique(np.stack([after, before], axis=1), axis=0)[:, 0]
    longest = np.bincount(joined).argmax()
    return Chain(int((joined == longest).sum()), int((after == longest).sum()))


def _scores(pairs: Ints, thumbnails: Thumbnails) -> NDArray[np.float64]:
    rows, numbers = np.unique(pairs, return_inverse=True)
    pictures, pairs = thumbnails(rows), numbers.reshape(pairs.shape)
    batches = [pairs[i : i + BATCH] for i in range(0, len(pairs), BATCH)]
    return np.concatenate([_batch(pictures, batch) for batch in batches])


def _batch(pictures: NDArray[np.uint8], pairs: Ints) -> NDArray[np.float64]:
    used, numbers = np.unique(pairs, return_inverse=True)
    return likeness(pictures[used], numbers.reshape(pairs.shape))

"""Groups: photos that must not be parted, because they show one person or are one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Lazy, Words, by_first

Ints = NDArray[np.int64]


def by_subject(subjects: Words, keys: Sequence[str]) -> tuple[Ints, Sequence[str]]:
    """Group rows by person; a photo without a subject is a group of its own.

    Returns the group of each row, int64, (rows,), and the key of each group: `groups` and `order`
    of `assign`. `keys` are the photos' own, all different.

    Example: ["kim", None, "kim"], ["a", "b", "c"] -> [0, 1, 0], ["subject kim", "photo b"]
    """
    owners = subjects.codes.astype(np.int64)
    nobody = np.flatnonzero(owners < 0)
    owners[nobody] = len(subjects.words) + nobody
    groups, first = by_first(owners)
    return groups, _Order(subjects, keys, first)


class _Order(Lazy[str]):
    """The keys of groups: the subject, or the photo of a person whom nothing names.

    one_of   a photo of each group
    """

    def __init__(self, subjects: Words, keys: Sequence[str], one_of: Ints) -> None:
        super().__init__(len(one_of))
        self._subjects = subjects
        self._keys = keys
        self._one_of = one_of

    def made(self, start: int, stop: int) -> list[str]:
        """See `Lazy`."""
        photos = self._one_of[start:stop]
        named = zip(self._subjects.take(photos), photos.tolist(), strict=True)
        return [
            f"photo {self._keys[i]}" if name is None else f"subject {name}" for name, i in named
        ]


class Ties:
    """Things that belong together, and with all that those belong to.

    Union-find with path halving; the root of a tree is always its smallest member, so that the
    order of ties does not show in the groups.
    """

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def tie(self, a: int, b: int) -> None:
        """Put the groups of two things together; things are numbers from 0 to n - 1."""
        low, high = sorted((self._root(a), self._root(b)))
        self._parent[high] = low

    def groups(self) -> Ints:
        """Number the groups from 0 in the order of their smallest members; int64, (n,)."""
        roots = [self._root(thing) for thing in range(len(self._parent))]
        return np.unique(np.array(roots, dtype=np.int64), return_inverse=True)[1]

    def _root(self, thing: int) -> int:
        parent = self._parent
        while parent[thing] != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing


def grouped(n: int, pairs: Iterable[tuple[int, int]]) -> Ints:
    """Give the group of each of n things when these pairs are tied, int64, (n,).

    Example: 5, [(3, 1), (4, 3)] -> [0, 1, 2, 1, 1]
    """
    ties = Ties(n)
    for a, b in pairs:
        ties.tie(a, b)
    return ties.groups()


def tied(pairs: Ints) -> tuple[Ints, Ints]:
    """Return the things that stand in any pair, ascending, and the set that each belongs to.

    pairs   int64, (pairs, 2)

    Both are int64, (things,); sets are numbered from 0 in the order of their first things.

    Example: [[7, 3], [5, 9], [9, 7]] -> [3, 5, 7, 9], [0, 0, 0, 0]
    """
    things, ends = np.unique(pairs, return_inverse=True)
    return things, grouped(len(things), ((a, b) for a, b in ends.reshape(-1, 2).tolist()))

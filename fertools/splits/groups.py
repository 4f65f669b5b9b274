"""Groups: photos that must not be parted, because they show one person or are one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Lazy, Words, by_first
from fertools.errors import OptionError
from fertools.hashing import by_hash

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

    def items(self, start: int, stop: int) -> list[str]:
        """See `Lazy`."""
        photos = self._one_of[start:stop]
        named = zip(self._subjects.take(photos), photos.tolist(), strict=True)
        return [
            f"photo {self._keys[i]}" if name is None else f"subject {name}" for name, i in named
        ]


class UnionFind:
    """Things that belong together, and with all that those belong to.

    Union-find with path halving; the root of a tree is always its smallest member, so that the
    order of ties does not show in the groups.
    """

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def union(self, a: int, b: int) -> None:
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


def group_numbers(n: int, pairs: Iterable[tuple[int, int]]) -> Ints:
    """Give the group of each of n things when these pairs are tied, int64, (n,).

    Example: 5, [(3, 1), (4, 3)] -> [0, 1, 2, 1, 1]
    """
    ties = UnionFind(n)
    for a, b in pairs:
        ties.union(a, b)
    return ties.groups()


def linked_subjects(pairs: Ints) -> tuple[Ints, Ints]:
    """Return the things that stand in any pair, ascending, and the set that each belongs to.

    pairs   int64, (pairs, 2)

    Both are int64, (things,); sets are numbered from 0 in the order of their first things.

    Example: [[7, 3], [5, 9], [9, 7]] -> [3, 5, 7, 9], [0, 0, 0, 0]
    """
    things, ends = np.unique(pairs, return_inverse=True)
    return things, group_numbers(len(things), ((a, b) for a, b in ends.reshape(-1, 2).tolist()))


def cap_photos(
    groups: Ints,
    classes: Ints,
    keys: Sequence[str],
    *,
    seed: int,
    max_per_subject: int | None = None,
    max_per_class: int | None = None,
) -> NDArray[np.bool_]:
    """Choose the photos to keep, bool, (rows,), by the hash of their keys, not by their order.

    groups, classes  int64, (rows,)
    keys             of the photos, all different
    max_per_subject  photos a group may keep, taken in turns from its classes: no class keeps two
                     more than another that has photos left
    max_per_class    photos a class may keep of those that are left then

    Raises OptionError if a cap is below 1.
    """
    for option, most in ("subject", max_per_subject), ("class", max_per_class):
        if most is not None and most < 1:
            raise OptionError(f"--max-per-{option} must be 1 or more, not {most}")
    kept = np.ones(len(groups), dtype=np.bool_)
    if max_per_subject is None and max_per_class is None:
        return kept
    order = by_hash(keys, seed, "cap")
    if max_per_subject is not None:
        turn = _nth(groups[order], classes[order])
        turns = order[np.argsort(turn, kind="stable")]
        kept[turns] = _nth(groups[turns]) < max_per_subject
    if max_per_class is not None:
        left = order[kept[order]]
        kept[left] = _nth(classes[left]) < max_per_class
    return kept


def _nth(*labels: Ints) -> Ints:
    """Number the rows that are alike in all labels 0, 1, 2 … as they stand.

    Example: [7, 5, 7, 7, 5] -> [0, 0, 1, 2, 1]
    """
    laid = np.lexsort(labels)  # stable
    position = np.arange(len(laid))
    begins = position == 0
    for label in labels:
        begins[1:] |= label[laid][1:] != label[laid][:-1]
    first = np.maximum.accumulate(np.where(begins, position, 0))
    nth = np.empty_like(position)
    nth[laid] = position - first
    return nth

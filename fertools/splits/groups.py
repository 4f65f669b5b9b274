"""Group photos that must stay in one split, and limit the photos per person and per class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints, LazySequence, Words, number_by_first_row
from fertools.hashing import order_by_hash


def group_by_subject(subjects: Words, keys: Sequence[str]) -> tuple[Ints, Sequence[str]]:
    """Group rows by person; a photo without a subject is a group of its own.

    Returns the group of each row, int64, (rows,), and the key of each group, as `assign` takes
    them. `keys` are the keys of the photos, all different.

    Example: ["kim", None, "kim"], ["a", "b", "c"] -> [0, 1, 0], ["subject kim", "photo b"]
    """
    owners = subjects.codes.astype(np.int64)
    without_subject = np.flatnonzero(owners < 0)
    owners[without_subject] = len(subjects.words) + without_subject
    groups, first = number_by_first_row(owners)
    return groups, _GroupKeys(subjects, keys, first)


class _GroupKeys(LazySequence[str]):
    """A lazy list of group keys: the subject, or the photo's key if it has no subject.

    examples   int64, (groups,), one row of each group
    """

    def __init__(self, subjects: Words, keys: Sequence[str], examples: Ints) -> None:
        super().__init__(len(examples))
        self._subjects = subjects
        self._keys = keys
        self._examples = examples

    def items(self, start: int, stop: int) -> list[str]:
        rows = self._examples[start:stop]
        subjects = self._subjects.take(rows)
        return [
            f"photo {self._keys[row]}" if subject is None else f"subject {subject}"
            for subject, row in zip(subjects, rows.tolist(), strict=True)
        ]


def connected_components(n: int, pairs: Iterable[Sequence[int]]) -> Ints:
    """Return the connected component of each of n nodes, int64, (n,); pairs are edges.

    Components are numbered from 0 in the order of their smallest nodes.

    Example: 5, [(3, 1), (4, 3)] -> [0, 1, 2, 1, 1]
    """
    # Union-find with path halving. The root of a tree is always its smallest node, so that the
    # result does not depend on the order of the pairs.
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    roots = np.array([root(node) for node in range(n)], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1]


def components_of_pairs(pairs: Ints) -> tuple[Ints, Ints]:
    """Return all nodes of the pairs, ascending, and the connected component of each.

    pairs   int64, (pairs, 2)

    Both are int64, (nodes,). Components are numbered from 0 in the order of their first nodes.

    Example: [[7, 3], [5, 9], [9, 7]] -> [3, 5, 7, 9], [0, 0, 0, 0]
    """
    nodes, ends = np.unique(pairs, return_inverse=True)
    return nodes, connected_components(len(nodes), ends.reshape(-1, 2).tolist())


def cap_photos(
    groups: Ints,
    classes: Ints,
    keys: Sequence[str],
    *,
    seed: int,
    max_per_subject: int | None = None,
    max_per_class: int | None = None,
) -> NDArray[np.bool_]:
    """Return which photos to keep, bool, (rows,), in the order of the hash of their keys.

    groups, classes  int64, (rows,)
    keys             keys of the photos, all different
    max_per_subject  most photos per group, 1 or more; chosen round-robin over its classes, so that
                     their numbers differ by at most 1 while photos remain
    max_per_class    most photos per class, 1 or more; applied after max_per_subject
    """
    kept = np.ones(len(groups), dtype=np.bool_)
    if max_per_subject is None and max_per_class is None:
        return kept
    order = order_by_hash(keys, seed, "cap")
    if max_per_subject is not None:
        round_number = _number_in_group(groups[order], classes[order])
        round_robin = order[np.argsort(round_number, kind="stable")]
        kept[round_robin] = _number_in_group(groups[round_robin]) < max_per_subject
    if max_per_class is not None:
        remaining = order[kept[order]]
        kept[remaining] = _number_in_group(classes[remaining]) < max_per_class
    return kept


def _number_in_group(*labels: Ints) -> Ints:
    """Number the rows with equal labels 0, 1, 2 … in the order of the rows; int64, (rows,).

    Example: [7, 5, 7, 7, 5] -> [0, 0, 1, 2, 1]
    """
    order = np.lexsort(labels)  # stable
    position = np.arange(len(order))
    is_first = position == 0
    for label in labels:
        is_first[1:] |= label[order][1:] != label[order][:-1]
    first = np.maximum.accumulate(np.where(is_first, position, 0))
    nth = np.empty_like(position)
    nth[order] = position - first
    return nth

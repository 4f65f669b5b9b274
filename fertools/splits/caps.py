"""Caps: at most so many photos of a person, and of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.errors import OptionError
from fertools.splits.order import by_hash

Ints = NDArray[np.int64]


def cap(
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

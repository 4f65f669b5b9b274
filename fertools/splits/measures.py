"""Measure the distance of an assignment from its ratios, and the leakage between its splits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fertools.data import Split
from fertools.options import Ratios

Ints = NDArray[np.int64]

TRAIN, VALIDATION, TEST = range(len(Split))


def measure_leakage(groups: Ints, splits: NDArray[np.int8]) -> tuple[int, int]:
    """Return the number of test rows whose group is also in train, and of all test rows."""
    tested = groups[splits == TEST]
    leaked = np.isin(tested, groups[splits == TRAIN])
    return int(leaked.sum()), len(tested)


def overlapping_groups(groups: Ints, splits: NDArray[np.int8]) -> int:
    """Count the groups that are in more than one split; rows with split -1 do not count."""
    used = splits >= 0
    cells = np.unique(np.stack([groups[used], splits[used].astype(np.int64)], axis=1), axis=0)
    return int((np.unique(cells[:, 0], return_counts=True)[1] > 1).sum())


def deviation(
    classes: Ints, splits: NDArray[np.int8], ratios: Ratios, n_classes: int
) -> NDArray[np.float64]:
    """Return the deviation of each class from the ratios in percentage points, (n_classes, 3).

    If 25 of 200 photos of a class are in test, that is 12.5 %: at 80/10/10 the deviation is 2.5.
    Rows with split -1 do not count; a class without rows has 0.
    """
    used = splits >= 0
    cells = classes[used] * len(Split) + splits[used]
    table = np.bincount(cells, minlength=n_classes * len(Split)).reshape(n_classes, len(Split))
    totals = table.sum(axis=1, keepdims=True)
    points = 100 * (table / np.maximum(totals, 1) - ratios.shares)
    return np.where(totals > 0, points, 0.0)

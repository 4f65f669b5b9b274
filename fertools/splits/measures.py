"""Measure how well an assignment keeps to its ratios, and how well it separates people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fertools.data import Split
from fertools.options import Ratios

Ints = NDArray[np.int64]

TRAIN, VALIDATION, TEST = range(len(Split))


def measure_leakage(groups: Ints, splits: NDArray[np.int8]) -> tuple[int, int]:
    """Count the test rows of groups that train has too, and all test rows."""
    tested = groups[splits == TEST]
    leaked = np.isin(tested, groups[splits == TRAIN])
    return int(leaked.sum()), len(tested)


def overlapping_groups(groups: Ints, splits: NDArray[np.int8]) -> int:
    """Count the groups that are in more than one split; rows of split -1 are in none."""
    used = splits >= 0
    cells = np.unique(np.stack([groups[used], splits[used].astype(np.int64)], axis=1), axis=0)
    return int((np.unique(cells[:, 0], return_counts=True)[1] > 1).sum())


def deviation(
    classes: Ints, splits: NDArray[np.int8], ratios: Ratios, n_classes: int
) -> NDArray[np.float64]:
    """Return how far each class is from its ratio, percentage points, (n_classes, 3).

    Of a class with 200 photos, 25 of them in test, 12.5 % are in test: 2.5 points too many at
    80/10/10. Rows of split -1 do not count; a class without rows has 0.
    """
    used = splits >= 0
    cells = classes[used] * len(Split) + splits[used]
    table = np.bincount(cells, minlength=n_classes * len(Split)).reshape(n_classes, len(Split))
    totals = table.sum(axis=1, keepdims=True)
    points = 100 * (table / np.maximum(totals, 1) - ratios.shares)
    return np.where(totals > 0, points, 0.0)

"""Of boxes that mean the same face, the surest one: greedy non-maximum suppression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def surest(rows: NDArray[np.float32], overlap: float) -> NDArray[np.float32]:
    """The rows that no surer one overlaps, the surest first.

    rows     float32 (N, 5 or more): confidence above 0, x0, y0, x1, y1, anything
    overlap  the IoU above which the less sure of two boxes goes
    """
    sides = np.concatenate([rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3]], axis=1)
    kept = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 0].tolist(), 0, overlap)
    return rows[np.asarray(kept, np.int64).ravel()]

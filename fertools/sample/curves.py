"""Curves: outlines as arrays of points, float64, (N, 2), x to the right and y downwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

STEPS = 9  # points to a span: no corner is visible at 700 px, and 16 draws no better


def spline(knots: Sequence[tuple[float, float]], *, closed: bool = False) -> Points:
    """Give a smooth curve through all knots (uniform Catmull-Rom, 1974)."""
    p = np.asarray(knots, dtype=np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    t = (np.arange(STEPS) / STEPS)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    points: Points = curve.reshape(-1, 2)
    return points if closed else np.concatenate([points, p[-2:-1]])


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """Give an ellipse by its centre and its half axes."""
    t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def ribbon(middle: Points, half: NDArray[np.float64]) -> Points:
    """Give the outline of a band around a line, `half` as thick to each side at each point."""
    along = np.gradient(middle, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across /= np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-9)[:, None]
    across *= half[:, None]
    return np.concatenate([middle + across, (middle - across)[::-1]])


def mirrored(points: Points) -> Points:
    """Give the same points on the other side of x = 0."""
    flipped: Points = points * np.array([-1.0, 1.0])
    return flipped


def lowered(points: Points, by: float) -> Points:
    """Give the same points further down, or further up where `by` is negative."""
    moved: Points = points + np.array([0.0, by])
    return moved

"""Likeness: how far two small pictures are the same one, by their edges."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 64
# Gray levels that an edge may have. Unclipped, two people before the same bright window are alike
# at 0.82; at 16 at 0.66, and copies stay at 0.86 and more.
STEEP: Final = 16


def likeness(thumbnails: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Correlate the clipped gradients of pairs of pictures, float64, (pairs,): 1 is the same.

    thumbnails  uint8, (pictures, 64, 64), gray
    pairs       int64, (pairs, 2), which pictures

    The gradients' mean is taken to be 0, as that of any picture nearly is. A picture of one
    colour is like none, itself included: 0.
    """
    edges = _edges(thumbnails)
    a, b = edges[pairs[:, 0]], edges[pairs[:, 1]]
    both = np.sqrt(_product(a, a) * _product(b, b))
    scores: NDArray[np.float64] = _product(a, b) / np.maximum(both, 1)
    return scores


def _edges(thumbnails: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Give each picture's steps to the right and down, one after the other."""
    levels = thumbnails.astype(np.int32)
    steps = [np.diff(levels, axis=axis).reshape(len(levels), -1) for axis in (2, 1)]
    return np.concatenate(steps, axis=1).clip(-STEEP, STEEP)


def _product(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.float64]:
    # Whole numbers, at most 8,064 x 16 x 16: exact, so that no CPU rounds a tie away.
    product: NDArray[np.float64] = np.einsum("ij,ij->i", a, b).astype(np.float64)
    return product

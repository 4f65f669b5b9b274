"""Figures of a confusion matrix, for one matrix or for a whole stack of them at once.

              predicted                     accuracy   diagonal over all
              0    1    2                   recall     diagonal over its row
    true 0 [ 41    2    0 ]                 precision  diagonal over its column
         1 [  3   38    1 ]                 F1         2 · diagonal over row + column
         2 [  0    5   40 ]                 macro-F1   the mean of the classes' F1

Every function takes int or float (..., classes, classes) and gives float64 without the last two
axes, or without the last one where it answers for each class. What is 0/0 is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Matrices = NDArray[Any]


def accuracy(matrices: Matrices) -> Floats:
    """Share of the examples that were answered rightly."""
    return _over(_diagonal(matrices).sum(-1), matrices.sum((-2, -1)))


def recall(matrices: Matrices) -> Floats:
    """Of each class's examples, the share that was found."""
    return _over(_diagonal(matrices), matrices.sum(-1))


def precision(matrices: Matrices) -> Floats:
    """Of the answers that name a class, the share that was right."""
    return _over(_diagonal(matrices), matrices.sum(-2))


def f1(matrices: Matrices) -> Floats:
    """Of each class the harmonic mean of precision and recall; 0 where all answers were wrong."""
    return _over(2 * _diagonal(matrices), matrices.sum(-1) + matrices.sum(-2))


def macro_f1(matrices: Matrices) -> Floats:
    """Mean F1 over the classes that stand there or were answered, each counting the same."""
    each = f1(matrices)
    return _over(np.nansum(each, -1), (~np.isnan(each)).sum(-1))


def _diagonal(matrices: Matrices) -> Matrices:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _over(part: Matrices, whole: Matrices) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

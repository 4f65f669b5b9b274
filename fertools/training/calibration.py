"""Whether a network is right as often as it says: reliability, bin by bin, and one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Bins between 0 and 1: the number that published figures use.
BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies above `low` and up to `high`; their means."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> list[Bin]:
    """Sort answers by confidence into bins of equal width, and leave out the empty ones.

    confidence: float (N,), 0 to 1, of the class that was answered; right: bool (N,).
    """
    numbers = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            int(here.sum()),
            float(confidence[here].mean(dtype=np.float64)),
            float(right[here].mean()),
        )
        for number in range(BINS)
        if (here := numbers == number).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error, 0 to 1: |accuracy - confidence|, by count.

    Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3.
    """
    total = sum(found.count for found in bins)
    return sum(found.count / total * abs(found.accuracy - found.confidence) for found in bins)

"""How sure a figure is: intervals that draw people, not photos.

One person's photos succeed and fail together. Drawn photo by photo, 100 photos of each of 30
people would count as 3,000 opinions, and the interval would come out several times too narrow.
So whole people are drawn, with replacement (the cluster bootstrap; Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8), and the middle 95 % is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Draws: the ends then move by about 0.03 of the interval's width from seed to seed.
DRAWS: Final = 2000

_AT_ONCE: Final = 1 << 22  # weights held at a time, 32 MB of float64

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; low and high are None where one person alone was asked."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(by_person: NDArray[np.int64], statistic: Statistic, seed: int) -> Estimate:
    """Return a figure of all people together, with its interval.

    by_person   int64 (people, classes, classes): each person's confusion matrix
    statistic   takes matrices (..., classes, classes), gives (...): see figures
    seed        equal seeds, equal intervals
    """
    people, classes, _ = by_person.shape
    value = float(statistic(by_person.sum(0)))
    if people < 2:
        return Estimate(value)
    flat = by_person.reshape(people, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn: list[NDArray[np.float64]] = []
    left = DRAWS
    while left:
        draws = min(left, max(1, _AT_ONCE // people))
        weights = rng.multinomial(people, np.full(people, 1 / people), size=draws)
        drawn.append(statistic((weights @ flat).reshape(draws, classes, classes)))
        left -= draws
    low, high = np.nanpercentile(np.concatenate(drawn), (2.5, 97.5))
    return Estimate(value, float(low), float(high))

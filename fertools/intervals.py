"""Figures with intervals over people.

Intervals draw people, not photos. One person's photos succeed and fail together. Drawn photo by
photo, 100 photos of each of 30 people would count as 3,000 opinions, and the interval would come
out several times too narrow. So whole people are drawn, with replacement (the cluster bootstrap;
Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8), and the middle
95 % is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Takes sums over people (..., *shape), returns figures (...).
Statistic = Callable[[NDArray[Any]], Floats]

#: Draws: the ends then move by about 0.03 of the interval's width from seed to seed.
DRAWS: Final = 2000

_AT_ONCE: Final = 1 << 22  # weights held at a time, 32 MB of float64


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; low and high are None for the photos of one person."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(by_person: NDArray[Any], statistic: Statistic, seed: int) -> Estimate:
    """Return a figure of all people together, with its interval.

    by_person   int or float, (people, *shape): each person's sums, such as a confusion matrix
    statistic   takes sums (..., *shape), returns (...), such as an accuracy
    seed        equal seeds, equal intervals
    """
    return estimates(by_person, lambda sums: statistic(sums)[..., None], seed)[0]


def estimates(by_person: NDArray[Any], statistic: Statistic, seed: int) -> list[Estimate]:
    """Return several figures, for a statistic that returns (..., figures).

    The same people are drawn for all of them, once. A figure that no draw has is NaN, with no
    interval.
    """
    people, *shape = by_person.shape
    values = statistic(by_person.sum(axis=0)).tolist()
    if people < 2:
        return [Estimate(value) for value in values]
    flat = by_person.reshape(people, -1).astype(np.float64)
    drawn = [
        statistic((weights @ flat).reshape(len(weights), *shape))
        for weights in _weights(people, seed)
    ]
    ends = _percentiles(np.concatenate(drawn))
    return [Estimate(value, *own) for value, own in zip(values, ends, strict=True)]


def _weights(people: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield how often each person is drawn, (draws, people), a block of draws at a time."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _AT_ONCE // people)
    for first in range(0, DRAWS, chunk):
        draws = min(chunk, DRAWS - first)
        yield rng.multinomial(people, np.full(people, 1 / people), size=draws)


def _percentiles(drawn: Floats) -> Iterator[tuple[float, float] | tuple[None, None]]:
    """Yield the ends of the middle 95 % of each column, without the draws that are NaN."""
    for figure in drawn.T:
        known = figure[~np.isnan(figure)]
        low, high = np.percentile(known, (2.5, 97.5)).tolist() if len(known) else (None, None)
        yield low, high

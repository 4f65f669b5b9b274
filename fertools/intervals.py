"""Compute figures with intervals over people.

Intervals draw people, not photos, because one person's photos succeed and fail together. Drawn
photo by photo, 100 photos of each of 30 people would count as 3,000 independent ones, and the
interval would be several times too narrow. So whole people are drawn, with replacement (the
cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8),
and the middle 95 % is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Takes sums over people (..., *shape), returns figures (...).
Statistic = Callable[[NDArray[Any]], Floats]

#: Draws: the ends then move by about 0.03 of the interval's width from seed to seed.
DRAWS: Final = 2000

#: The share of the draws within an interval.
LEVEL: Final = 0.95

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


def estimates(
    by_person: NDArray[Any], statistic: Statistic, seed: int, level: float = LEVEL
) -> list[Estimate]:
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
        for weights in draw_people(people, seed)
    ]
    return with_intervals(values, np.concatenate(drawn), level)


def sum_by_person(people: NDArray[np.int64], columns: Iterable[NDArray[Any]]) -> Floats:
    """Add up columns of photos for each person, float64, (people, columns).

    people    int64, (photos,): number of each photo's person, every number from 0 occurs
    columns   each (photos,)
    """
    return np.stack([np.bincount(people, column) for column in columns], axis=1)


def draw_people(people: int, seed: int, draws: int = DRAWS) -> Iterator[NDArray[np.int64]]:
    """Yield how often each person is drawn, (draws, people), a block of draws at a time."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _AT_ONCE // people)
    for first in range(0, draws, chunk):
        size = min(chunk, draws - first)
        yield rng.multinomial(people, np.full(people, 1 / people), size=size)


def with_intervals(values: Sequence[float], drawn: Floats, level: float = LEVEL) -> list[Estimate]:
    """Return figures with the middle of their draws, (draws, figures): the share `level`.

    Draws that are NaN do not count.
    """
    return [
        Estimate(value, *_middle(own, level)) for value, own in zip(values, drawn.T, strict=True)
    ]


def _middle(drawn: Floats, level: float) -> tuple[float, float] | tuple[None, None]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, ((1 - level) / 2, (1 + level) / 2)).tolist()
    return low, high

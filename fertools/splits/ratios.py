"""Ratios of the splits, and measures of how well an assignment keeps them and separates people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fertools.data import Split
from fertools.errors import OptionError

EXAMPLE = "write train/validation/test, such as 80/10/10 or 80/20/0"


@dataclass(frozen=True, slots=True)
class Ratios:
    """The shares of train, validation and test, in any unit; they are kept as parts of 1.

    A share of 0 is allowed: that split stays empty. Raises OptionError if a number is negative
    or not finite, or if all three are 0.

    Example: Ratios(7, 2, 1) -> Ratios(train=0.7, validation=0.2, test=0.1)
    """

    train: float
    validation: float
    test: float

    def __post_init__(self) -> None:
        given = (self.train, self.validation, self.test)
        if not all(0 <= x < math.inf for x in given):
            raise OptionError(f"a split's share cannot be negative or endless: {given}; {EXAMPLE}")
        # By the largest first: the sum of three huge numbers would be endless.
        largest = max(given)
        if largest == 0:
            raise OptionError(f"at least one split needs a share above 0: {given}; {EXAMPLE}")
        total = math.fsum(x / largest for x in given)
        for name, x in zip(self.__slots__, given, strict=True):
            object.__setattr__(self, name, x / largest / total)

    @classmethod
    def parse(cls, text: str) -> Ratios:
        """Read three numbers with slashes between them: "80/10/10", "7/2/1", "62.5/12.5/25".

        Raises OptionError with the text if these are not three numbers that Ratios takes.
        """
        try:
            train, validation, test = (float(word) for word in text.split("/"))
        except ValueError:
            raise OptionError(f"{text!r} is not a split; {EXAMPLE}") from None
        return cls(train, validation, test)

    @property
    def shares(self) -> NDArray[np.float64]:
        """The three as an array, float64, (3,), sum 1."""
        return np.array([self.train, self.validation, self.test])

    def __str__(self) -> str:
        return "/".join(f"{100 * x:g}" for x in (self.train, self.validation, self.test))


Ints = NDArray[np.int64]

TRAIN, VALIDATION, TEST = range(len(Split))


class Leakage(NamedTuple):
    """How many of the test photos show a person whom train shows too."""

    leaked: int
    photos: int


def measure_leakage(groups: Ints, splits: NDArray[np.int8]) -> Leakage:
    """Count the test rows of groups that train has too; `groups` and `splits` are (rows,)."""
    tested = groups[splits == TEST]
    leaked = np.isin(tested, groups[splits == TRAIN])
    return Leakage(int(leaked.sum()), len(tested))


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

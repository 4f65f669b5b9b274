"""The ratios: how much of the photos each split shall have."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

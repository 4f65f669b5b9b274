"""A fake detector with prepared results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.data import Box, Face


@dataclass
class FakeDetector:
    """Returns one list of faces per call, the last one for ever; keeps the images."""

    answers: list[list[Face]]
    name: str = "fake"
    seen: list[NDArray[np.uint8]] = field(default_factory=list)

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.seen.append(image)
        return self.answers[min(len(self.seen), len(self.answers)) - 1]


def face(x0: float, y0: float, x1: float, y1: float, confidence: float = 0.9) -> Face:
    return Face(Box(x0, y0, x1, y1), confidence)


MakeDetector = Callable[..., FakeDetector]


@pytest.fixture
def detecting() -> MakeDetector:
    """detecting([face, …], [face, …]): the results of the first call, the second, …"""
    return lambda *answers: FakeDetector(list(answers))

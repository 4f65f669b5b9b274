"""Run no network, because annotators' boxes are the faces (`--no-compare`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.data import Face


@dataclass(frozen=True, slots=True)
class NoDetector:
    """A detector that finds nothing: `extract_face` does not run it without `options.compare`."""

    name: str = "none: annotators' boxes"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return []

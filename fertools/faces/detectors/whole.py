"""Take a whole picture for a face: for photos that are crops of faces already (`--no-detect`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face


@dataclass(frozen=True, slots=True)
class WholePicture:
    """A detector that returns one face, the picture, with confidence 1."""

    name: str = "none: whole pictures"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = image.shape[:2]
        return [Face(Box(0, 0, width, height), 1.0)]

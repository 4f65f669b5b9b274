"""What runs the network: OpenVINO where it is installed, OpenCV everywhere."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.errors import DependencyError, OptionError
from fertools.options import Precision, Runtime

Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]

# `import openvino` ends with importing its model converter, and that sends an event to an
# analytics service ("general_import") as soon as it is imported. Without the converter nothing
# is sent, and OpenVINO's own `except ImportError` lets it go on without one; it also imports
# faster and smaller.
_PHONES_HOME = ("openvino.tools.ovc", "openvino_telemetry")


def resolve_runtime(runtime: Runtime) -> Literal["openvino", "opencv"]:
    """What `auto` means on this machine; the other two mean themselves.

    A build records the answer: the two give the same boxes, but not to the last bit.
    """
    if runtime != "auto":
        return runtime
    return "opencv" if importlib.util.find_spec("openvino") is None else "openvino"


def precision_suffix(precision: Precision) -> str:
    """What a precision adds to a detector's name: nothing for f32."""
    return "" if precision == "f32" else f"-{precision}"


def import_openvino() -> Any:
    """The module `openvino`, imported without letting it use the network.

    Raises DependencyError where it cannot be imported.
    """
    hidden = [name for name in _PHONES_HOME if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None bars an import
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise DependencyError(
            f"OpenVINO cannot be imported ({error}): pip install 'openvino>=2025.0', "
            "or use --runtime opencv"
        ) from error
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def compile_on_one_core(model: Any, precision: Precision) -> Network:
    """An OpenVINO model as a function that keeps to the thread that calls it.

    It takes the model's input, float32, without its batch of one, and gives all outputs in the
    model's order; the next call writes over them. Raises OptionError where this CPU has no
    bf16: OpenVINO would emulate it without a word.
    """
    ov = import_openvino()
    core = ov.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise OptionError("this CPU has no bf16: leave --precision at f32")
    options = {
        # Left alone it takes bf16 where the CPU has it, and boxes move by 0.4 px of 300.
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # Pinned, every worker's network runs on the same first core: two workers made 1.36 times
        # the photos of one, each waiting a third of its time for the other.
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(model, "CPU", options).create_infer_request()
    places = range(len(model.outputs))

    def answer(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        # `request.infer([image])` would do, and take 0.2 ms to look at what it was given.
        request.set_input_tensor(ov.Tensor(image[np.newaxis], shared_memory=True))
        request.infer()
        return [request.get_output_tensor(place).data for place in places]

    return answer


def weights_digest(*files: Path) -> str:
    """Return 8 hex digits of the SHA-256 of a network's files, in their order.

    The files lie in other packages' folders, where another release may hold others; a detector's
    name enters the names of parts, so that faces found by one are not taken for the other's.
    """
    return sha256(b"".join(sha256(file.read_bytes()).digest() for file in files)).hexdigest()[:8]


def non_maximum_suppression(rows: NDArray[np.float32], overlap: float) -> NDArray[np.float32]:
    """The rows that no surer one overlaps, the surest first.

    rows     float32 (N, 5 or more): confidence above 0, x0, y0, x1, y1, anything
    overlap  the IoU above which the less sure of two boxes goes
    """
    sides = np.concatenate([rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3]], axis=1)
    kept = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 0].tolist(), 0, overlap)
    return rows[np.asarray(kept, np.int64).ravel()]

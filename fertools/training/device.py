"""What a training runs on, and how: precision, XLA, several GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import keras

from fertools.training.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Device:
    """The GPUs that TensorFlow sees, and the dtype policy and compiler chosen for them."""

    gpus: int
    policy: str
    jit: bool

    @classmethod
    def find(cls, recipe: TrainRecipe) -> Device:
        """Choose for this machine: bfloat16 and XLA on a GPU, neither on a CPU.

        XLA is left out where several GPUs share a batch, which Keras does not allow together.
        """
        import tensorflow as tf

        gpus = len(tf.config.list_physical_devices("GPU"))
        wanted = recipe.precision
        half = wanted == "bfloat16" or (wanted == "auto" and gpus > 0)
        return cls(gpus, "mixed_bfloat16" if half else "float32", jit=gpus == 1)

    def text(self) -> str:
        """Say it in a line."""
        where = "CPU" if not self.gpus else f"{self.gpus} GPU" + "s" * (self.gpus > 1)
        xla = "XLA" if self.jit else "without XLA"
        why = ", which does not go with several GPUs" if self.gpus > 1 else ""
        return f"training on {where}, {self.policy}, {xla}{why}"

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build in this precision, mirrored over several GPUs, and leave Keras as it was."""
        import tensorflow as tf

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)
        try:
            with ExitStack() as stack:
                if self.gpus > 1:
                    stack.enter_context(tf.distribute.MirroredStrategy().scope())
                yield
        finally:
            keras.config.set_dtype_policy(before)

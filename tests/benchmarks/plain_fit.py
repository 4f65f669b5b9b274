"""Train a run's network as a script without fertools' trainer would: `fit` on arrays in memory.

    python -m tests.benchmarks.plain_fit OUT RUN SEED

The network, the epochs and the batch are those of RUN; AdamW with a rate of 0.002 and nothing else:
no augmentation, schedule, validation, checkpoint or curves. Prints the accuracy on test.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fertools.training.backend import import_tensorflow
from fertools.training.run import Run


def main(out: Path, run: Path, seed: int) -> None:
    """Train and print the accuracy."""
    import_tensorflow()
    import keras

    from fertools.training.model import build

    read = Run.read(run)
    images, labels = arrays(out, "train")
    keras.utils.set_random_seed(seed)
    network = build(read.options, read.image.size, len(read.classes))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(0.002), loss, metrics=["accuracy"], jit_compile=False)
    epochs, batch = read.options.epochs, read.options.batch
    network.fit(images, labels, batch_size=batch, epochs=epochs, verbose=0)
    print(network.evaluate(*arrays(out, "test"), verbose=0)[1])


def arrays(out: Path, split: str) -> tuple[Any, Any]:
    """Read a split: uint8 (N, S, S, 1) and int64 (N,)."""
    from fertools.training.data import load

    batches = load(out, split, batch=1024).as_numpy_iterator()
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

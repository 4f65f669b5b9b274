"""Keras callbacks: keep each epoch, stop at a loss that is no number, show the progress.

a step   ──▶ shown · every 50th: is the loss still a number?
an epoch ──▶ kept, as store says
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

import keras

from fertools.console import Progress
from fertools.errors import OptionError
from fertools.training.checkpoints import Row, save
from fertools.training.model import Learner, is_finite
from fertools.training.run import Run

#: Steps between two looks at the loss: a look waits for the device. The loss is an epoch's running
#: mean, so what was no number once stays none until somebody looks.
_LOOK: Final = 50

#: Seconds between two lines inside an epoch where the output is no terminal.
_PAUSE: Final = 30.0


class SaveEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Keep every epoch in the run's store, and stop at a loss that is no number."""

    def __init__(self, run: Run, images: int) -> None:
        super().__init__()
        self._run, self._images = run, images
        self._rows = run.store.rows()
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Check the loss every so many steps."""
        if batch % _LOOK == 0:
            self._check(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Stop the clock before validation."""
        self._seconds = time.monotonic() - self._began

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the epoch: its figures, its weights, and the optimizer."""
        self._check(logs)
        if not any(name.startswith("val_") for name in logs):
            self._seconds = time.monotonic() - self._began
        row: Row = {"epoch": epoch + 1} | {name: float(logs[name]) for name in sorted(logs)}
        row["images_per_second"] = round(self._images / max(self._seconds, 1e-9), 1)
        self._rows.append(row)
        learner: Learner = self.model
        self._run.store.commit(self._rows, save(learner), save(learner.network))

    def _check(self, logs: Any) -> None:
        if not is_finite(logs["loss"]):
            kept = f"the last good weights are in {self._run.folder}" if self._rows else ""
            raise OptionError(
                f"the loss is no number any more in epoch {len(self._rows) + 1}: try a smaller "
                f"--learning-rate than {self._run.recipe.peak_rate:g} or --precision float32"
                + (f"; {kept}" if kept else "")
            )


class ProgressDisplay(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the training on standard error: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, finished: int, epochs: int, steps: int, batch: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._batch = epochs, steps, batch
        images = steps * batch
        self._progress = Progress(
            "train",
            epochs * images,
            unit="images",
            quiet=False,
            done=finished * images,
            pause=_PAUSE,
        )
        self._compiled = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress.advance(self._batch)
        if not self._compiled:  # the first step compiles and would lower the rate
            self._progress.start_clock()
            self._compiled = True
        if self._progress.line_due:
            step = self._progress.done // self._batch
            done = step % self._steps or self._steps
            self._print(f"epoch {-(-step // self._steps)}: {done} of {self._steps} steps")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        line = f"epoch {epoch + 1} of {self._epochs}: {_figures(logs, '')}"
        if "val_loss" in logs:
            line += f"; validation: {_figures(logs, 'val_')}"
        self._print(line)

    def on_train_end(self, logs: Any = None) -> None:
        self._progress.close()

    def _print(self, line: str) -> None:
        shown = self._progress
        shown.print(f"{line}; {shown.rate:.0f} images/s, {shown.left} left")


def callbacks(run: Run, steps: int, batch: int, *, quiet: bool) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training, the one that keeps the epoch last."""
    made: list[keras.callbacks.Callback] = []
    if not quiet:
        made.append(ProgressDisplay(run.store.finished, run.recipe.epochs, steps, batch))
    if find_spec("tensorboard") is not None:
        made.append(keras.callbacks.TensorBoard(str(run.folder / "logs"), write_graph=False))
    return [*made, SaveEpoch(run, steps * batch)]


def _figures(logs: dict[str, Any], prefix: str) -> str:
    words: dict[str, Callable[[float], str]] = {
        "loss": "loss {:.4f}".format,
        "accuracy": "accuracy {:.4f}".format,
        "f1": "macro-F1 {:.4f}".format,
    }
    return ", ".join(say(float(logs[prefix + name])) for name, say in words.items())

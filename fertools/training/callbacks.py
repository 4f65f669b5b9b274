"""Keras callbacks: keep each epoch, stop at a loss that is not a number, show the progress.

a step   ──▶ progress · every 50th: is the loss still a number?
an epoch ──▶ saved, in the order that `checkpoints` describes · curves.png
"""

from __future__ import annotations

import time
from typing import Any, Final

import keras
from keras import ops

from fertools.console import Progress
from fertools.errors import OptionError
from fertools.options import TrainRunOptions
from fertools.training.checkpoints import Row, mark_best
from fertools.training.curves import CurvesFile
from fertools.training.run import Run
from fertools.training.weights import Saver

#: Steps between two checks of the loss: a check waits for the device. The loss is an epoch's
#: running mean, so once it is not a number it stays so until it is checked.
_CHECK_STEPS: Final = 50


def training_callbacks(
    run: Run, options: TrainRunOptions, steps: int, batch: int
) -> list[keras.callbacks.Callback]:
    """Return the callbacks of a training; `SaveEpoch` is last."""
    made: list[keras.callbacks.Callback] = []
    if not options.quiet:
        made.append(ProgressDisplay(run.store.finished, run.options.epochs, steps, batch))
    if options.tensorboard:
        made.append(keras.callbacks.TensorBoard(str(run.folder / "logs"), write_graph=False))
    return [*made, SaveEpoch(run, steps * batch)]


class SaveEpoch(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Keep every epoch in the run's store and in curves.png.

    Raises OptionError for a loss that is not a number.
    """

    def __init__(self, run: Run, images: int) -> None:
        super().__init__()
        self._run, self._images = run, images
        self._rows = run.store.rows()
        self._curves = CurvesFile(run.folder)
        self._began = self._ended = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._state, self._network = Saver(self.model), Saver(self.model.network)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = self._ended = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % _CHECK_STEPS == 0:
            self._check(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._ended = time.monotonic()  # validation does not count

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._check(logs)
        if "val_loss" not in logs:
            self._ended = time.monotonic()
        seconds = max(self._ended - self._began, 1e-9)
        row: Row = {"epoch": epoch + 1} | {name: float(logs[name]) for name in sorted(logs)}
        row["images_per_second"] = round(self._images / seconds, 1)
        mark_best(row, self._rows)
        self._rows.append(row)
        self._run.store.commit(self._rows, self._state.save(), self._network.save())
        self._curves.update(self._rows)

    def _check(self, logs: Any) -> None:
        if not ops.convert_to_numpy(ops.isfinite(logs["loss"])):
            kept = f"; the last good weights are in {self._run.folder}" if self._rows else ""
            raise OptionError(
                f"the loss is not a number any more in epoch {len(self._rows) + 1}: try a smaller "
                f"--learning-rate than {self._run.options.peak_rate:g} or --precision float32{kept}"
            )


class ProgressDisplay(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Shows the training on standard error: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, finished: int, epochs: int, steps: int, batch: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._batch = epochs, steps, batch
        total, done = epochs * steps * batch, finished * steps * batch
        # 30 seconds between two lines inside an epoch where the output is not a terminal.
        self._progress = Progress("train", total, unit="images", quiet=False, done=done, pause=30)
        self._compiled = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._progress.add_silently(self._batch)
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
        progress = self._progress
        progress.print(f"{line}; {progress.rate:.0f} images/s, {progress.time_left_text} left")


def _figures(logs: dict[str, Any], prefix: str) -> str:
    names = {"loss": "loss", "accuracy": "accuracy", "macro-F1": "f1"}
    return ", ".join(f"{name} {float(logs[prefix + key]):.4f}" for name, key in names.items())

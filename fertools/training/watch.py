"""What goes on beside a training: it is kept, watched and shown.

    a step   ──▶ shown · every 50th: is the loss still a number?
    an epoch ──▶ history.csv ──▶ last, best weights ──▶ checkpoint     in this order, each whole
                                                                       or absent
The checkpoint is the mark: an epoch counts when it is there. Killed before, the epoch is run again
from the one before, in the same order and with the same draws, and writes the same again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras

from fertools.errors import OptionError
from fertools.training.history import Row, best, read_history, write_history
from fertools.training.learner import Learner, is_finite
from fertools.training.run import Run

#: Steps between two looks at the loss: a look waits for the device. The loss is an epoch's running
#: mean, so what was no number once stays none until somebody looks.
_LOOK: Final = 50

#: Seconds between two lines inside an epoch where the output is no terminal.
_PAUSE: Final = 30.0


class Checkpoint(keras.callbacks.BackupAndRestore):  # type: ignore[misc]  # keras has no types
    """Keras' own backup (weights, optimizer, epoch), each as one file that is whole or absent.

    Keras writes `latest.weights.h5` in place and the epoch beside it: killed between the two, it
    goes on with the new weights in the old epoch. Here the epoch is the file's name.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), delete_checkpoint=False)
        self._folder = folder

    @property
    def epoch(self) -> int:
        """How many epochs are finished."""
        return max((int(file.name[:6]) for file in self._files()), default=0)

    def _files(self) -> list[Path]:
        return [file for file in self._folder.glob("*.weights.h5") if file.name[:6].isdigit()]

    def _load_model(self) -> None:
        if self.epoch:
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(self._folder / f"{self.epoch:06d}.weights.h5")
            self.model._initial_epoch = self.epoch

    def _save_model(self) -> None:
        self._folder.mkdir(exist_ok=True)
        old = self._files()
        save_weights(self.model, self._folder / f"{self._current_epoch:06d}.weights.h5")
        for file in old:
            file.unlink(missing_ok=True)


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops at a loss that is no number, and writes history and weights after each epoch."""

    def __init__(self, run: Run, finished: int, images: int) -> None:
        super().__init__()
        self._run, self._images = run, images
        self._rows = read_history(run.folder)[:finished]
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take the time."""
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss now and then."""
        if batch % _LOOK == 0:
            self._look(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        """Stop the clock before validation."""
        self._seconds = time.monotonic() - self._began

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write what the epoch gave."""
        self._look(logs)
        if not any(name.startswith("val_") for name in logs):
            self._seconds = time.monotonic() - self._began
        row: Row = {"epoch": epoch + 1} | {name: float(logs[name]) for name in sorted(logs)}
        row["images_per_second"] = round(self._images / max(self._seconds, 1e-9), 1)
        self._rows.append(row)
        write_history(self._run.folder, self._rows)
        network = _learner(self).network
        save_weights(network, self._run.weights("last"))
        if best(self._rows) in (row, None):
            save_weights(network, self._run.weights("best"))

    def _look(self, logs: Any) -> None:
        if not is_finite(logs["loss"]):
            kept = f"the last good weights are in {self._run.folder}" if self._rows else ""
            raise OptionError(
                f"the loss is no number any more in epoch {len(self._rows) + 1}: try a smaller "
                f"--learning-rate than {self._run.recipe.peak_rate:g} or --precision float32"
                + (f"; {kept}" if kept else "")
            )


class Show(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the training on standard error: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, finished: int, epochs: int, steps: int, batch: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._batch = epochs, steps, batch
        self._told = time.monotonic()
        self._begin: float | None = None
        self._before = self._now = finished * steps
        self._bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            total, initial = epochs * steps * batch, finished * steps * batch
            self._bar = tqdm(
                total=total, initial=initial, desc="train", unit=" images", leave=False
            )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move on."""
        self._now += 1
        if self._begin is None:  # the first step compiles: it must not spoil the rate
            self._before, self._begin = self._now, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._batch)
        elif time.monotonic() - self._told > _PAUSE:
            done = self._now % self._steps or self._steps
            self._tell(f"epoch {-(-self._now // self._steps)}: {done} of {self._steps} steps")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell what the epoch gave."""
        said = f"epoch {epoch + 1} of {self._epochs}: {_figures(logs, '')}"
        if "val_loss" in logs:
            said += f"; validation: {_figures(logs, 'val_')}"
        self._tell(said)

    def on_train_end(self, logs: Any = None) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _tell(self, said: str) -> None:
        self._told = time.monotonic()
        rate = (self._now - self._before) / max(self._told - (self._begin or self._told), 1e-3)
        left = (self._epochs * self._steps - self._now) / rate if rate else 0.0
        line = f"{said}; {rate * self._batch:.0f} images/s, {_clock(left)} left"
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write weights as HDF5 arrays into a file that is whole or absent."""
    temporary = path.with_name(f"saving-{path.name}")
    model.save_weights(temporary, overwrite=True)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def callbacks(
    run: Run, checkpoint: Checkpoint, steps: int, batch: int, *, quiet: bool
) -> list[keras.callbacks.Callback]:
    """Give what goes on beside a training, in the order in which an epoch's end needs it."""
    finished = checkpoint.epoch
    made: list[keras.callbacks.Callback] = [Keeper(run, finished, steps * batch)]
    if not quiet:
        made.append(Show(finished, run.recipe.epochs, steps, batch))
    if _has_tensorboard():
        made.append(keras.callbacks.TensorBoard(str(run.folder / "logs"), write_graph=False))
    return [*made, checkpoint]


def _learner(callback: keras.callbacks.Callback) -> Learner:
    learner: Learner = callback.model
    return learner


def _has_tensorboard() -> bool:
    from importlib.util import find_spec

    return find_spec("tensorboard") is not None


def _figures(logs: dict[str, Any], prefix: str) -> str:
    words: dict[str, Callable[[float], str]] = {
        "loss": "loss {:.4f}".format,
        "accuracy": "accuracy {:.4f}".format,
        "f1": "macro-F1 {:.4f}".format,
    }
    return ", ".join(say(float(logs[prefix + name])) for name, say in words.items())


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"

"""Keras callbacks: keep each epoch, stop at a loss that is no number, show the progress.

a step   ──▶ shown · every 50th: is the loss still a number?
an epoch ──▶ kept, as store says
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

import keras

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
        """Advance the bar, or print a line now and then."""
        self._now += 1
        if self._begin is None:  # the first step compiles: it must not spoil the rate
            self._before, self._begin = self._now, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._batch)
        elif time.monotonic() - self._told > _PAUSE:
            done = self._now % self._steps or self._steps
            self._tell(f"epoch {-(-self._now // self._steps)}: {done} of {self._steps} steps")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Print the figures of the epoch."""
        said = f"epoch {epoch + 1} of {self._epochs}: {_figures(logs, '')}"
        if "val_loss" in logs:
            said += f"; validation: {_figures(logs, 'val_')}"
        self._tell(said)

    def on_train_end(self, logs: Any = None) -> None:
        """Remove the bar."""
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


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"

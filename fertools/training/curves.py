"""Draw a training's curves, and find the epoch after which it overfits.

loss
 │ ╲                       train falls on
 │  ╲ ╲___╱‾‾‾ validation  while validation rises:
 │   ╲____                 from its lowest point on,
 └──────┴──────── epoch    the network learns its examples by heart
"""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.files import write_whole
from fertools.training.checkpoints import CURVES, Row, best_epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Epochs that a loss is averaged over: one epoch's is noisy, most of all on few people.
_WINDOW: Final = 3

#: By how much validation's loss must have risen above its lowest point: Prechelt's GL of 5 %.
_RISE: Final = 0.05

#: The share of a training's time that its curves may take: an epoch of tiny networks lasts a
#: second, a drawing 0.2 s.
_SHARE: Final = 0.05

#: Seconds that the first drawing takes, which imports matplotlib.
_FIRST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Where overfitting sets in: the last good epoch, and the losses there and at the end."""

    epoch: int
    validation: tuple[float, float]
    train: tuple[float, float]

    def text(self) -> str:
        (val_from, val_to), (train_from, train_to) = self.validation, self.train
        return (
            f"overfitting sets in after epoch {self.epoch}: since then the loss has risen from "
            f"{val_from:.3f} to {val_to:.3f} on validation and fallen from {train_from:.3f} to "
            f"{train_to:.3f} on train"
        )


def overfitting_text(rows: Sequence[Row]) -> str:
    """Return a line on the epoch where overfitting begins; "" if there are too few epochs."""
    if not _is_known(rows):
        return ""
    found = overfitting(rows)
    return found.text() if found else "no sign of overfitting: the loss on validation does not rise"


def overfitting(rows: Sequence[Row]) -> Overfitting | None:
    """Return where overfitting sets in, None where it does not or validation has no losses.

    Losses are means of three epochs in a row. Overfitting sets in at the epoch of validation's
    lowest loss if, from there to the last epoch, validation's loss rises by more than 5 % (the
    generalisation loss of Prechelt, Early Stopping – but when?, 1998, with alpha = 5) while that of
    train falls. Accuracy may rise meanwhile: the network becomes too sure before it becomes worse.
    """
    if not _is_known(rows):
        return None
    validation, train = (_smooth(rows, name) for name in ("val_loss", "loss"))
    lowest = int(validation.argmin())
    risen = validation[-1] > (1 + _RISE) * validation[lowest]
    if not (risen and train[-1] < train[lowest]):
        return None
    ends = [lowest, -1]
    return Overfitting(
        epoch=lowest + 1 + _WINDOW // 2,
        validation=tuple(validation[ends].tolist()),
        train=tuple(train[ends].tolist()),
    )


def _is_known(rows: Sequence[Row]) -> bool:
    return len(rows) > _WINDOW and all("val_loss" in row for row in rows)


def _smooth(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """Return means over windows of epochs: float64 (epochs - 2,), the first around epoch 2."""
    values = np.array([row[name] for row in rows])
    return np.convolve(values, np.full(_WINDOW, 1 / _WINDOW), "valid")


def draw_curves(folder: Path, rows: Sequence[Row]) -> None:
    """Draw accuracy and loss over the epochs as the talk did, and where overfitting sets in."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6))
    figure.subplots_adjust(left=0.06, right=0.98, top=0.9, bottom=0.14, wspace=0.14)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        _draw(axes, rows, name)
    write_whole(folder / CURVES, png(figure))


def _draw(axes: Axes, rows: Sequence[Row], name: str) -> None:
    epochs = [row["epoch"] for row in rows]
    few = "o" if len(rows) < _WINDOW else None  # a single epoch has no line
    axes.plot(epochs, [row[name] for row in rows], marker=few, label="train")
    if best := best_epoch(rows):
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], marker=few, label="validation")
        axes.axvline(best["epoch"], color="gray", linewidth=0.8, linestyle="--", label="best F1")
    if found := overfitting(rows):
        axes.axvspan(found.epoch, epochs[-1], color="C3", alpha=0.1, label="overfitting")
    axes.set(xlabel="epoch", title=name)
    axes.legend()


class CurvesFile:
    """Keeps curves.png up to date during a training, and never fails it.

    After an epoch the file is drawn anew unless that would take more than a twentieth of the
    time; for the first time after 20 seconds, as `train` draws at its end anyway. A fault is one
    line on standard error, and the last drawing is tried all the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._next = time.monotonic() + _FIRST / _SHARE

    def update(self, rows: Sequence[Row]) -> None:
        """Draw the curves if it is time to."""
        began = time.monotonic()
        if began >= self._next:
            drawn = self.draw(rows)
            ended = time.monotonic()
            self._next = ended + (ended - began) / _SHARE if drawn else math.inf

    def draw(self, rows: Sequence[Row]) -> bool:
        """Draw the curves; return whether that succeeded."""
        try:
            draw_curves(self._folder, rows)
        except Exception as fault:  # matplotlib's own are of any kind, and weights matter more
            line = str(fault).partition("\n")[0]
            print(f"{self._folder / CURVES} cannot be drawn: {line}", file=sys.stderr, flush=True)
            return False
        return True


def png(figure: Figure) -> bytes:
    """Return a figure as PNG: the same drawing, the same bytes.

    Figures are made without pyplot, which would keep them and look for a window system.
    """
    file = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None}  # it names the version of matplotlib
    figure.savefig(file, format="png", dpi=110, metadata=metadata)
    return file.getvalue()

"""The figures of each epoch: history.csv, and a plot of it."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fertools.errors import DatasetError
from fertools.files import write_whole

if TYPE_CHECKING:
    import keras
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fertools.files import make_folder, remove, remove_leftovers

HISTORY: Final = "history.csv"
CURVES: Final = "curves.png"

Row = dict[str, float]
"""An epoch's figures by name: epoch (from 1), loss, accuracy, f1, val_loss, … images_per_second."""


def read_history(path: Path, cure: str) -> list[Row]:
    """Read a history; raise DatasetError with `cure` where it is missing or damaged."""
    try:
        with path.open(newline="", encoding="ascii") as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing: {cure}") from None
    except (OSError, ValueError, TypeError, csv.Error) as fault:
        raise DatasetError(f"{path} is damaged: {fault}: {cure}") from fault


def history_csv(rows: Sequence[Mapping[str, float]]) -> bytes:
    """Return the bytes of history.csv, a row an epoch."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), restval="nan", lineterminator="\n")
    writer.writeheader()
    for row in rows:  # floats, so that a history read back gives the same bytes
        writer.writerow(
            {name: float(value) for name, value in row.items()} | {"epoch": int(row["epoch"])}
        )
    return text.getvalue().encode("ascii")


def best(rows: Sequence[Row]) -> Row | None:
    """Return the epoch with the highest macro-F1 on validation, the first of equals."""
    judged = [row for row in rows if "val_f1" in row]
    return max(judged, key=lambda row: row["val_f1"], default=None)


def draw_curves(run: Path, rows: Sequence[Row]) -> None:
    """Draw accuracy and loss over the epochs as the talk did."""
    from matplotlib.figure import Figure  # not pyplot: nothing global, no window system

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    chosen = best(rows)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[name] for row in rows], label="train")
        if chosen:
            axes.plot(epochs, [row[f"val_{name}"] for row in rows], label="validation")
            axes.axvline(chosen["epoch"], color="gray", linewidth=0.8, linestyle="--", label="best")
        axes.set(xlabel="epoch", title=name)
        axes.legend()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    write_whole(run / CURVES, image.getvalue())


class _Named(io.BytesIO):
    """Memory with the name that Keras asks for."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, 64 hex digits."""
    return sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, "" where it cannot be read."""
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def read_weights(path: Path, cure: str) -> bytes:
    """Read a file of weights; raise DatasetError with `cure` where that fails."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing: {cure}") from None
    except OSError as fault:
        raise DatasetError(f"{path} cannot be read: {fault.strerror or fault}: {cure}") from fault


def save(model: keras.Model) -> bytes:
    """Return a model's weights, with its optimizer's where it has one."""
    buffer = _Named()
    model.save_weights(buffer)
    return buffer.getvalue()


def load(model: keras.Model, data: bytes, path: Path, cure: str) -> None:
    """Load weights as arrays only; raise DatasetError where they do not fit the model.

    `path` is where they were read from, and `cure` what to do about it, for the message.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not have, and leaves them untrained.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(_Named(data))
    # What h5py and Keras raise over bytes that are damaged; RuntimeError is HDF5's own.
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        UserWarning,
    ) as fault:
        line = str(fault).strip().partition("\n")[0]
        raise DatasetError(
            f"{path} does not fit the network that run.json describes: {line}: {cure}"
        ) from fault


#: Epochs have so many digits in file names.
DIGITS: Final = 6

_RECORD: Final = "weights.json"
_CHECKPOINTS: Final = "checkpoint"
_LOGS: Final = "logs"


@dataclass(frozen=True, slots=True)
class Held:
    """What a file of weights holds: its SHA-256, and the epoch, None where nobody knows it."""

    sha256: str
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Store:
    """The files in a run's folder that training writes and goes on from."""

    folder: Path

    @property
    def finished(self) -> int:
        """How many epochs are finished: the number of the newest checkpoint."""
        return max(self._epochs(), default=0)

    def checkpoint(self, epoch: int) -> Path:
        """Return where the weights and the optimizer after an epoch lie."""
        return self.folder / _CHECKPOINTS / f"{epoch:0{DIGITS}d}.weights.h5"

    def weights(self, which: str) -> Path:
        """Return where a network's weights lie, of the "best" or the "last" epoch."""
        return self.folder / f"{which}.weights.h5"

    def rows(self) -> list[Row]:
        """Return the history of the finished epochs; DatasetError where it is damaged."""
        epoch = self.finished
        if not epoch:
            return []
        path = self._history(epoch)
        rows = read_history(path, self.cure(epoch))
        if [row.get("epoch") for row in rows] != list(range(1, epoch + 1)):
            raise DatasetError(f"{path} does not hold epochs 1 to {epoch}: {self.cure(epoch)}")
        return rows

    def cure(self, epoch: int) -> str:
        """Return what to do about a checkpoint that is damaged."""
        older = max((each for each in self._epochs() if each < epoch), default=0)
        if older and epoch == self.finished:
            return f"delete {self.checkpoint(epoch).name} and train goes on after epoch {older}"
        return "put a whole copy back, or begin anew with --no-resume"

    def holds(self, which: str, data: bytes | None = None) -> Held:
        """Return what the file of a network's weights holds, read or as handed in."""
        found = file_digest(self.weights(which)) if data is None else digest(data)
        known = self._record().get(which)
        return Held(found, known.epoch if known and known.sha256 == found else None)

    def is_current(self) -> bool:
        """Return whether history and weights are what the checkpoints hold, and nothing is left."""
        rows = self.rows()
        history = self.folder / HISTORY
        return (
            history.is_file()
            and history.read_bytes() == history_csv(rows)
            and all(self.holds(which).epoch == e for which, e in _chosen(rows).items())
            and not self._superseded(rows)
        )

    def commit(self, rows: list[Row], state: bytes, network: bytes) -> None:
        """Keep an epoch that has just ended; `rows` are the history with it.

        state     weights and optimizer, to go on from
        network   weights of the network alone
        """
        epoch = len(rows)
        make_folder(self.folder / _CHECKPOINTS)
        write_whole(self._history(epoch), history_csv(rows))
        write_whole(self.checkpoint(epoch), state)
        self._publish(rows, self._record(), lambda _: network)

    def complete(self, network: Callable[[int], bytes]) -> None:
        """Make history, best and last weights from the checkpoints where they are not current.

        `network` returns the weights of an epoch's network, from its checkpoint.
        """
        rows = self.rows()
        whole = {which: held for which in _chosen(rows) if (held := self.holds(which)).epoch}
        self._publish(rows, whole, network)

    def clear(self) -> None:
        """Remove all that an earlier training and what looked at it left in the folder.

        looks.csv stays: who has seen test has seen it.
        """
        names = [_RECORD, HISTORY, CURVES, _CHECKPOINTS, _LOGS]
        others = [path for each in ("evaluation-*", "export-*") for path in self.folder.glob(each)]
        # The checkpoints go first: without them nothing of the rest counts.
        remove(self.folder / _CHECKPOINTS, self.weights("best"), self.weights("last"))
        remove(*(self.folder / name for name in names), *others)

    def sweep(self) -> None:
        """Remove what a killed training had not finished writing."""
        remove_leftovers(self.folder)
        remove_leftovers(self.folder / _CHECKPOINTS)

    def _publish(
        self, rows: list[Row], current: Mapping[str, Held], network: Callable[[int], bytes]
    ) -> None:
        record = dict(current)
        chosen = _chosen(rows)
        write_whole(self.folder / HISTORY, history_csv(rows))
        for which, epoch in chosen.items():
            if which not in record or record[which].epoch != epoch:
                data = network(epoch)
                write_whole(self.weights(which), data)
                record[which] = Held(digest(data), epoch)
        tree = {
            which: {"epoch": each.epoch, "sha256": each.sha256} for which, each in record.items()
        }
        write_whole(self.folder / _RECORD, (json.dumps(tree, indent=1) + "\n").encode())
        remove(*self._superseded(rows))

    def _superseded(self, rows: list[Row]) -> list[Path]:
        """Return the files of epochs from which neither the last nor the best weights follow."""
        kept = {f"{epoch:0{DIGITS}d}" for epoch in _chosen(rows).values()}
        files = (self.folder / _CHECKPOINTS).iterdir()
        return sorted(file for file in files if file.name.partition(".")[0] not in kept)

    def _record(self) -> dict[str, Held]:
        """Read weights.json; what cannot be read is as good as not there."""
        try:
            tree: Any = json.loads((self.folder / _RECORD).read_bytes())
            return {
                which: Held(str(each["sha256"]), int(each["epoch"])) for which, each in tree.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _history(self, epoch: int) -> Path:
        return self.folder / _CHECKPOINTS / f"{epoch:0{DIGITS}d}.csv"

    def _epochs(self) -> set[int]:
        files = (self.folder / _CHECKPOINTS).glob("*.weights.h5")
        numbers = (file.name.partition(".")[0] for file in files)
        return {int(number) for number in numbers if len(number) == DIGITS and number.isdigit()}


def _chosen(rows: list[Row]) -> dict[str, int]:
    """Return the epoch of the last and of the best weights; without validation the last is best."""
    if not rows:
        return {}
    row = best(rows) or rows[-1]
    return {"last": len(rows), "best": int(row["epoch"])}

"""What a training keeps of each epoch, in the order in which it is written.

    checkpoint/000007.csv                the history up to epoch 7
    checkpoint/000007.weights.h5         weights and optimizer, the mark: now epoch 7 counts
    history.csv, last and best weights   each follows from a checkpoint
    weights.json                         which epochs these two hold, and their SHA-256
    older checkpoints removed            but for the best epoch's, from which best follows

After the last epoch the temperatures of both are fitted on validation and added to weights.json.

Every file is whole or absent. A training that is killed before the mark runs epoch 7 again, one
killed after it makes what is missing from the checkpoints. So no file ever holds a network whose
epoch is not in the history, even where the same epoch run twice gives two networks (on a GPU), and
weights that are deleted or damaged come back by the same command.

How a network becomes bytes is in `weights`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any, Final

from fertools.errors import DatasetError
from fertools.files import make_folder, remove, remove_leftovers, sha256_of, write_whole

HISTORY: Final = "history.csv"
CURVES: Final = "curves.png"
_RECORD: Final = "weights.json"
_CHECKPOINTS: Final = "checkpoint"
_LOGS: Final = "logs"

#: Digits of an epoch in file names.
_DIGITS: Final = 6

Row = dict[str, float]
"""An epoch's figures by name: epoch (from 1), loss, accuracy, f1, val_loss, … best."""


@dataclass(frozen=True, slots=True)
class WeightsId:
    """What a file of weights holds: its SHA-256, and the epoch, None where it is unknown.

    temperature   what its logits are divided by (see `temperature`), None where it was not fitted
    """

    sha256: str
    epoch: int | None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """The files in a run's folder that training writes and goes on from."""

    folder: Path

    @property
    def finished(self) -> int:
        """How many epochs are finished: the number of the newest checkpoint."""
        return max(self._epochs(), default=0)

    def checkpoint(self, epoch: int) -> Path:
        """Return the path of the weights and the optimizer after an epoch."""
        return self.folder / _CHECKPOINTS / f"{epoch:0{_DIGITS}}.weights.h5"

    def weights(self, which: str) -> Path:
        """Return the path of a network's weights, of the "best" or the "last" epoch."""
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
            return f"delete {self.checkpoint(epoch).name} and train continues after epoch {older}"
        return "put a whole copy back, or begin anew with --no-resume"

    def identify(self, which: str, data: bytes | None = None) -> WeightsId:
        """Return what the file of a network's weights holds, read or as handed in."""
        try:
            digest = sha256_of(self.weights(which)) if data is None else sha256(data).hexdigest()
        except OSError:
            digest = ""
        known = self._record().get(which)
        return known if known and known.sha256 == digest else WeightsId(digest, None)

    def is_current(self) -> bool:
        """Return whether history and weights are what the checkpoints hold, and nothing is left."""
        rows = self.rows()
        history = self.folder / HISTORY
        return (
            history.is_file()
            and history.read_bytes() == history_csv(rows)
            and all(self.identify(which).epoch == e for which, e in _chosen(rows).items())
            and not self._superseded(rows)
        )

    def is_calibrated(self) -> bool:
        """Return whether the temperatures of the best and of the last weights are known."""
        return all(self.identify(which).temperature for which in _chosen(self.rows()))

    def keep_temperature(self, which: str, digest: str, temperature: float) -> None:
        """Record the temperature that was fitted for the weights with this SHA-256."""
        record = self._record()
        if which in record and record[which].sha256 == digest:
            record[which] = replace(record[which], temperature=temperature)
            self._write_record(record)

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
        whole = {which: held for which in _chosen(rows) if (held := self.identify(which)).epoch}
        self._publish(rows, whole, network)

    def clear(self) -> None:
        """Remove what an earlier training, its evaluations and its exports left in the folder.

        looks.csv stays: a test split that was looked at stays looked at.
        """
        # The checkpoints go first: without them nothing of the rest counts.
        remove(self.folder / _CHECKPOINTS, self.weights("best"), self.weights("last"))
        for pattern in (_RECORD, HISTORY, CURVES, _LOGS, "evaluation-*", "export-*"):
            remove(*self.folder.glob(pattern))

    def sweep(self) -> None:
        """Remove what a killed training had not finished writing."""
        remove_leftovers(self.folder)
        remove_leftovers(self.folder / _CHECKPOINTS)

    def _publish(
        self, rows: list[Row], record: dict[str, WeightsId], network: Callable[[int], bytes]
    ) -> None:
        write_whole(self.folder / HISTORY, history_csv(rows))
        for which, epoch in _chosen(rows).items():
            if which not in record or record[which].epoch != epoch:
                data = network(epoch)
                write_whole(self.weights(which), data)
                record[which] = WeightsId(sha256(data).hexdigest(), epoch)
        self._write_record(record)
        remove(*self._superseded(rows))

    def _superseded(self, rows: list[Row]) -> list[Path]:
        """Return the files of epochs from which neither the last nor the best weights follow."""
        kept = {f"{epoch:0{_DIGITS}}" for epoch in _chosen(rows).values()}
        files = (self.folder / _CHECKPOINTS).iterdir()
        return sorted(file for file in files if file.name.partition(".")[0] not in kept)

    def _record(self) -> dict[str, WeightsId]:
        """Read weights.json; a damaged one counts as missing."""
        try:
            tree: Any = json.loads((self.folder / _RECORD).read_bytes())
            return {which: _weights_id(each) for which, each in tree.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def _write_record(self, record: dict[str, WeightsId]) -> None:
        tree = {
            which: {name: value for name, value in asdict(each).items() if value is not None}
            for which, each in record.items()
        }
        text = json.dumps(tree, indent=1, sort_keys=True) + "\n"
        write_whole(self.folder / _RECORD, text.encode())

    def _history(self, epoch: int) -> Path:
        return self.folder / _CHECKPOINTS / f"{epoch:0{_DIGITS}}.csv"

    def _epochs(self) -> set[int]:
        files = (self.folder / _CHECKPOINTS).glob("*.weights.h5")
        numbers = (file.name.partition(".")[0] for file in files)
        return {int(number) for number in numbers if len(number) == _DIGITS and number.isdigit()}


def _weights_id(tree: dict[str, Any]) -> WeightsId:
    temperature = float(tree.get("temperature", 1))
    if not 0 < temperature < inf:
        raise ValueError(f"a temperature of {temperature}")
    fitted = temperature if "temperature" in tree else None
    return WeightsId(str(tree["sha256"]), int(tree["epoch"]), fitted)


def _chosen(rows: list[Row]) -> dict[str, int]:
    """Return the epoch of the last and of the best weights; without validation the last is best."""
    if not rows:
        return {}
    row = best_epoch(rows) or rows[-1]
    return {"last": len(rows), "best": int(row["epoch"])}


def best_epoch(rows: Sequence[Row]) -> Row | None:
    """Return the best epoch on validation; None without validation.

    In histories without a column `best`, of an older fertools, it is the first of those with the
    highest macro-F1.
    """
    if marked := [row for row in rows if row.get("best")]:
        return marked[-1]
    validated = [row for row in rows if "val_f1" in row]
    return max(validated, key=lambda row: row["val_f1"], default=None)


def mark_best(row: Row, rows: Sequence[Row]) -> None:
    """Add the column `best` to an epoch: 1 where it is better than all before it, `rows`.

    By macro-F1 on validation, and of equals by loss: with 30 photos in validation, the first epoch
    without a mistake was the 19th of 40, whose network was worse than later ones.
    """
    if "val_f1" not in row or (rows and "best" not in rows[0]):
        return
    best = best_epoch(rows)
    row["best"] = float(best is None or _merit(row) > _merit(best))


def _merit(row: Row) -> tuple[float, float]:
    return row["val_f1"], -row["val_loss"]


def history_csv(rows: Sequence[Mapping[str, float]]) -> bytes:
    """Return the bytes of history.csv, a row an epoch."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), restval="nan", lineterminator="\n")
    writer.writeheader()
    for row in rows:  # floats, so that a history read back gives the same bytes
        figures = {name: float(value) for name, value in row.items()}
        writer.writerow(figures | {"epoch": int(row["epoch"])})
    return text.getvalue().encode("ascii")


def read_history(path: Path, cure: str) -> list[Row]:
    """Read a history; raise DatasetError with `cure` where it is missing or damaged."""
    data = read_file(path, cure)
    try:
        rows = csv.DictReader(io.StringIO(data.decode("ascii"), newline=""))
        return [{name: float(value) for name, value in row.items()} for row in rows]
    except (ValueError, TypeError, csv.Error) as fault:
        raise DatasetError(f"{path} is damaged: {fault}: {cure}") from fault


def read_file(path: Path, cure: str) -> bytes:
    """Read a file; raise DatasetError with `cure` where that fails."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing: {cure}") from None
    except OSError as fault:
        raise DatasetError(f"{path} cannot be read: {fault.strerror or fault}: {cure}") from fault

"""What a training keeps of each epoch, in the order in which it is written.

    checkpoint/000007.csv                the history up to epoch 7
    checkpoint/000007.weights.h5         weights and optimizer, the mark: now epoch 7 counts
    history.csv, last and best weights   each follows from a checkpoint
    weights.json                         which epochs these two hold, and their SHA-256
    older checkpoints removed            but for the best epoch's, from which best follows

Every file is whole or absent. A training that is killed before the mark runs epoch 7 again, one
killed after it makes what is missing from the checkpoints. So no file ever holds a network whose
epoch is not in the history, even where the same epoch run twice gives two networks (on a GPU), and
weights that somebody deletes or damages come back by the same command.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fertools.errors import DatasetError
from fertools.shards import write_whole
from fertools.training.files import make_folder, remove, sweep
from fertools.training.history import CURVES, HISTORY, Row, best, history_csv, read_history
from fertools.training.weights import digest, file_digest

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
        sweep(self.folder)
        sweep(self.folder / _CHECKPOINTS)

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

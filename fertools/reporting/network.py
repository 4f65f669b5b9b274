"""Read what a training run and its evaluations wrote; TensorFlow is not needed.

    RUN/run.json                           marks the folder of a run
    RUN/history.csv                        a row an epoch
    RUN/evaluation-SPLIT/metrics.json      figures on a split
    RUN/evaluation-SPLIT/predictions.parquet   each example's probabilities

What is missing is left out; only a folder that is no run, or a damaged file, is an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.data import Split
from fertools.dataset.manifest import MANIFEST
from fertools.errors import DatasetError
from fertools.reporting.rows import Location
from fertools.training.checkpoints import HISTORY, Row, read_history

#: Test first: it is the figure that counts.
_SPLITS: Final = (Split.TEST, Split.VALIDATION, Split.TRAIN)

_CURE: Final = "run fertools evaluate again"
_TRAIN_AGAIN: Final = "the same train command makes it again"


@dataclass(frozen=True, slots=True)
class Network:
    """A run as far as a report shows it.

    history        the figures of each epoch
    evaluations    metrics.json of each split that was evaluated on this dataset
    predictions    of the examples of those splits
    notes          a line on each thing that is missing
    """

    history: tuple[Row, ...] = ()
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    predictions: Predictions | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, run: Path, out: Path) -> Network:
        """Read the run that was trained in a folder, and its evaluations of the dataset in `out`.

        Raises DatasetError if the folder is no run, or for a damaged file.
        """
        if not (run / "run.json").is_file():
            raise DatasetError(f"{run} is not a run: give the folder that train wrote")
        digest = sha256((out / MANIFEST).read_bytes()).hexdigest()
        evaluations, tables, notes = {}, [], []
        for split in _SPLITS:
            folder = run / f"evaluation-{split}"
            metrics = _json(folder / "metrics.json")
            if metrics is None:
                continue
            if metrics.get("manifest") != digest:
                notes.append(f"the evaluation of {split} is of another dataset: {_CURE}")
                continue
            evaluations[str(split)] = metrics
            file = folder / "predictions.parquet"
            if file.is_file():
                tables.append(_table(file, split))
            else:
                notes.append(f"{split} has no predictions.parquet: {_CURE}")
        if not evaluations and not notes:
            notes.append("the network is not evaluated yet: run fertools evaluate RUN OUT")
        history = run / HISTORY
        rows = read_history(history, _TRAIN_AGAIN) if history.is_file() else []
        return cls(tuple(rows), evaluations, Predictions.of(tables), tuple(notes))


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a network, a row an example.

    locations       split, shard and index of each
    labels          int64, (rows,): the class in the dataset
    probabilities   float64, (rows, classes)
    """

    locations: list[Location]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    @classmethod
    def of(cls, tables: list[pa.Table]) -> Predictions | None:
        """Join the tables of several splits; None if there are none."""
        if not tables:
            return None
        table = pa.concat_tables(tables)
        places = (table[name].to_pylist() for name in ("split", "shard", "index"))
        flat = table["probabilities"].combine_chunks().flatten()
        return cls(
            [*zip(*places, strict=True)],
            np.asarray(table["label"], np.int64),
            np.asarray(flat, np.float64).reshape(len(table), -1),
        )

    def worst(self, count: int) -> list[int]:
        """Return the most confident mistakes, the most confident first."""
        predicted = self.probabilities.argmax(axis=1)
        wrong = np.flatnonzero(predicted != self.labels)
        certain = self.probabilities[wrong].max(axis=1)
        return [int(row) for row in wrong[np.argsort(-certain, kind="stable")][:count]]


def _json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise DatasetError(f"{path} cannot be read ({fault}): {_CURE}") from fault
    if not isinstance(tree, dict):
        raise DatasetError(f"{path} holds no figures: {_CURE}")
    return tree


def _table(path: Path, split: str) -> pa.Table:
    columns = ["shard", "index", "label", "probabilities"]
    try:
        table = pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as fault:
        why = " ".join(str(fault).split())[:120]
        raise DatasetError(f"{path} cannot be read ({why}): {_CURE}") from fault
    return table.append_column("split", pa.array([str(split)] * len(table)))

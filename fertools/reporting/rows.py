"""Choose the ledger rows that a report shows, and read them.

    ledger ──Scan──▶ some columns, all rows ──choose──▶ row numbers ──read──▶ all columns

The wall holds examples in the order of a hash of their keys, up to a maximum: a fair sample, the
same in each report. Dropped entries beside them are taken in turns from each reason, so that a
reason with one photo is shown beside one with thousands. Lists, such as that of the least confident
faces, come from all rows; their rows that are not on the wall follow behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Split
from fertools.errors import DatasetError
from fertools.hashing import order_by_hash
from fertools.pipeline.parts import KEPT

#: Dropped entries on a wall: a ledger may have hundreds of thousands of them.
MAX_DROPPED: Final = 2000

_BATCH: Final = 65_536

Location = tuple[str, int, int]
"""The split, shard and index of an example."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What the choice needs to know of every row of a ledger, an array a column.

    keys         of all rows
    outcomes     of all rows
    confidence   float32, NaN where there is no face
    support      float32, the share of the votes for the row's own class, NaN without votes
    locations    int64, (rows, 3): numbers of split, shard and index, -1 where there is no example
    """

    keys: Sequence[str]
    outcomes: NDArray[np.object_]
    confidence: NDArray[np.float32]
    support: NDArray[np.float32]
    locations: Ints

    @classmethod
    def of(cls, ledger: Path, classes: Sequence[str]) -> Scan:
        """Scan a ledger; `classes` are the names of the classes in the order of the labels.

        Raises DatasetError for a file that cannot be read.
        """
        names = ["key", "outcome", "confidence", "label", "votes", "split", "shard", "index"]
        keys: list[str] = []
        columns: list[tuple[NDArray[Any], ...]] = []
        for batch in _batches(ledger, names):
            keys += batch["key"].to_pylist()
            columns.append(
                (
                    np.array(batch["outcome"].to_pylist(), object),
                    np.asarray(batch["confidence"].fill_null(float("nan")), np.float32),
                    _support(batch["votes"], batch["label"], classes),
                    _locations(batch),
                )
            )
        if not columns:
            raise DatasetError(f"{ledger} has no rows: put a whole copy back, or build again")
        return cls(keys, *(np.concatenate(each) for each in zip(*columns, strict=True)))

    @property
    def kept(self) -> Ints:
        return np.flatnonzero(self.outcomes == KEPT)

    def least_confident(self, count: int) -> Ints:
        """Return the examples with the lowest confidence of the detector, int64, (≤ count,)."""
        kept = self.kept
        return kept[np.argsort(self.confidence[kept], kind="stable")][:count]

    def most_disputed(self, count: int) -> Ints:
        """Return the examples whose class has the fewest of the votes, less than half."""
        rows = self.kept[self.support[self.kept] < 0.5]
        return rows[np.argsort(self.support[rows], kind="stable")][:count]

    def row_at(self, location: Location) -> int | None:
        """Return the row of an example, None where there is none."""
        split, *numbers = location
        place = np.array([[*Split].index(Split(split)), *numbers])
        found = np.flatnonzero((self.locations == place).all(axis=1))
        return int(found[0]) if len(found) else None

    def rows_of(self, keys: Sequence[str]) -> list[int | None]:
        """Return the rows of keys, None where there is none."""
        wanted = set(keys)
        found = {key: row for row, key in enumerate(self.keys) if key in wanted} if wanted else {}
        return [found.get(key) for key in keys]


@dataclass(frozen=True, slots=True)
class Choice:
    """The ledger rows of a page: those of the wall, ascending, then those only for lists.

    rows      int64
    wall      how many are on the wall
    examples  how many of those are examples
    """

    rows: Ints
    wall: int
    examples: int

    @classmethod
    def of(cls, scan: Scan, lists: Iterable[Iterable[int]], *, maximum: int) -> Choice:
        """Choose `maximum` examples and `MAX_DROPPED` other entries, and the rows of all lists."""
        kept = scan.kept
        if len(kept) > maximum:
            kept = kept[
                order_by_hash([scan.keys[row] for row in kept.tolist()], 0, "report")[:maximum]
            ]
        wall = np.sort(np.concatenate([kept, _some_dropped(scan)]))
        listed = np.array(sorted({row for rows in lists for row in rows}), np.int64)
        return cls(np.concatenate([wall, np.setdiff1d(listed, wall)]), len(wall), len(kept))

    def places(self) -> dict[int, int]:
        """Return where each row of the ledger is on the page."""
        return {row: place for place, row in enumerate(self.rows.tolist())}


def _some_dropped(scan: Scan) -> Ints:
    dropped = np.flatnonzero(scan.outcomes != KEPT)
    if len(dropped) <= MAX_DROPPED:
        return dropped
    by_hash = dropped[order_by_hash([scan.keys[row] for row in dropped.tolist()], 0, "report")]
    turn = np.zeros(len(by_hash), np.int64)
    for reason in np.unique(scan.outcomes[by_hash].astype(str)):
        own = scan.outcomes[by_hash] == reason
        turn[own] = np.arange(own.sum())
    return by_hash[np.argsort(turn, kind="stable")][:MAX_DROPPED]


def read_rows(ledger: Path, rows: Ints) -> pa.Table:
    """Read all columns of some rows, in the order given; a list view, no order is required."""
    taken: list[pa.RecordBatch] = []
    ordered, start = np.sort(rows), 0
    for batch in _batches(ledger, None):
        low, high = np.searchsorted(ordered, (start, start + len(batch)))
        taken.append(batch.take(pa.array(ordered[low:high] - start)))
        start += len(batch)
    return pa.Table.from_batches(taken).take(pa.array(np.argsort(np.argsort(rows))))


def _batches(ledger: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(ledger) as file:
            yield from file.iter_batches(_BATCH, columns=columns)
    except (OSError, pa.ArrowException) as fault:
        why = " ".join(str(fault).split())[:120]
        raise DatasetError(
            f"{ledger} cannot be read ({why}): put a whole copy back, or build again"
        ) from fault


def _support(votes: pa.Array, labels: pa.Array, classes: Sequence[str]) -> NDArray[np.float32]:
    """Return the share of votes for each row's class, float32, (rows,), NaN without votes."""
    support = np.full(len(votes), np.nan, np.float32)
    index = np.asarray(pc.index_in(labels, pa.array(classes, pa.string())).fill_null(-1))
    voted = np.flatnonzero(np.asarray(votes.is_valid()) & (index >= 0))
    if len(voted):
        counts = np.asarray(votes.take(pa.array(voted)).flatten()).reshape(len(voted), -1)
        own, total = counts[np.arange(len(voted)), index[voted]], counts.sum(axis=1)
        support[voted] = np.where(total > 0, own / np.maximum(total, 1), np.nan)
    return support


def _locations(batch: pa.RecordBatch) -> Ints:
    splits = pc.index_in(batch["split"], pa.array([*map(str, Split)], pa.string()))
    columns = (splits, batch["shard"], batch["index"])
    return np.stack([np.asarray(each.fill_null(-1), np.int64) for each in columns], axis=1)

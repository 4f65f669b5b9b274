"""The ledger: every member of the archive, one row each, kept or dropped with a reason.

    key container bytes              which member
    subject sex age emotion place stamp shot     what its name says
    label votes                      its class in this dataset; who said which class, where known
    outcome detail                   "kept", or one of data.Reason and a line for a person
    x0 y0 x1 y1 confidence faces     the chosen face in the upright photo, faces found
    width height digest              the upright photo's pixels, SHA-256 of the file's bytes
    landmarks iou                    where the detector gives them; its box against the annotators'
    split shard index copies         where its example lies, and how many altered copies of it

It names files and people, so it stays with the builder; the shards are what travels.

In memory it is a view of the catalog and of the parts' rows: a batch of rows is made when it is
written, so that no text is there twice.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.archive.members import keys_of
from fertools.columns import BATCH, Columns, Ints, by_first
from fertools.data import Box, Drop, Reason, Split
from fertools.dataset.manifest import Manifest
from fertools.faces.extract import clip_box, iou
from fertools.pipeline.catalog import Catalog
from fertools.pipeline.parts import KEPT, bytes_of, hex_of

LEDGER: Final = "ledger.parquet"

SCHEMA: Final = pa.schema(
    [
        ("key", pa.string()),
        ("container", pa.string()),
        ("bytes", pa.int64()),
        ("subject", pa.string()),
        ("sex", pa.string()),
        ("age", pa.int16()),
        ("emotion", pa.string()),
        ("place", pa.string()),
        ("stamp", pa.string()),
        ("shot", pa.int32()),
        ("label", pa.string()),
        ("votes", pa.list_(pa.int64())),
        ("outcome", pa.string()),
        ("detail", pa.string()),
        ("x0", pa.int32()),
        ("y0", pa.int32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("confidence", pa.float32()),
        ("faces", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("landmarks", pa.list_(pa.float32())),
        ("iou", pa.float32()),
        ("digest", pa.string()),
        ("split", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("copies", pa.int32()),
    ]
)

#: Columns that the members have under another name.
_OF_MEMBERS: Final = {"container": "container", "bytes": "size"}

_BOX: Final = ("x0", "y0", "x1", "y1")

#: Rows of a Parquet row group, of which all columns are in memory at once, 600 bytes a row.
_GROUP: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Places:
    """Where the members' examples lie, a value a member, -1 for nowhere.

    splits    int8: 0 train, 1 validation, 2 test
    shards    int32: the number of the shard within the split
    indices   int32: the example's place in the shard
    augment   altered copies of each example in train
    """

    splits: NDArray[np.int8]
    shards: NDArray[np.int32]
    indices: NDArray[np.int32]
    augment: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every member's row, as columns of what is not in the catalog.

    looked   the rows of the catalog's wanted members, in their order
    wanted   the positions of those members
    fates    int32, (members,): at least 0 for what is kept, or -1 - i where drops[i] says why not
    places   None until the shards are planned
    """

    catalog: Catalog
    looked: Columns
    wanted: Ints
    fates: NDArray[np.int32]
    drops: tuple[Drop, ...]
    places: Places | None = None

    def __len__(self) -> int:
        return len(self.fates)

    @property
    def num_rows(self) -> int:
        """How many members there are."""
        return len(self)

    @property
    def kept(self) -> Ints:
        """The positions of the rows that became examples, int64, ascending."""
        return np.flatnonzero(self.fates >= 0)

    def looked_rows(self, rows: Ints, names: Sequence[str]) -> pa.RecordBatch:
        """Return columns of what the photos at these positions show; each must be wanted."""
        return self.looked.select(names).take(np.searchsorted(self.wanted, rows))

    def hashes(self) -> NDArray[np.uint8]:
        """Return the hashes of the kept photos' pictures, to find copies by; uint8, (kept, 32)."""
        rows, column = np.searchsorted(self.wanted, self.kept), self.looked.select(["hash"])
        hashes = np.empty((len(rows), 32), np.uint8)
        for first in range(0, len(rows), BATCH):
            own = rows[first : first + BATCH]
            hashes[first : first + len(own)] = bytes_of(column.take(own)["hash"])
        return hashes

    def without_hashes(self) -> Ledger:
        """Return the ledger without what only copies are found by: 32 bytes a photo."""
        names = [name for name in self.looked.schema.names if name != "hash"]
        return replace(self, looked=self.looked.select(names))

    def outcomes(self) -> Counter[str]:
        """Count the outcomes, in the order in which they come."""
        numbers, first = by_first(np.minimum(self.fates, 0))
        found: Counter[str] = Counter()
        for row, count in zip(first.tolist(), np.bincount(numbers).tolist(), strict=True):
            code = int(self.fates[row])
            found[KEPT if code >= 0 else str(self.drops[-1 - code].reason)] += count
        return found

    def batches(
        self, size: int = BATCH, names: Sequence[str] = SCHEMA.names
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows by SCHEMA, or some of its columns; before `finish` none has a split."""
        schema = pa.schema([SCHEMA.field(name) for name in names])
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            arrays = [_plain(self._column(f.name, start, stop), f.type) for f in schema]
            yield pa.record_batch(arrays, schema=schema)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """Return one column, also of those that only lead to the crops."""
        runs = range(0, len(self), BATCH)
        return pa.chunked_array(
            [self._column(name, start, min(start + BATCH, len(self))) for start in runs]
        )

    def _column(self, name: str, start: int, stop: int) -> pa.Array:
        members, labels = self.catalog.members.columns, self.catalog.labels
        if name in _OF_MEMBERS:
            own = _OF_MEMBERS[name]
            return members.select([own]).rows(start, stop)[own]
        if name in labels.schema.names:
            return labels.select([name]).rows(start, stop)[name]
        if name in self.looked.schema.names:
            column = self._looked(name, start, stop)
            return hex_of(column) if name == "digest" else column
        made = {
            "key": self._key,
            "label": self._label,
            "votes": self._votes,
            "outcome": self._outcome,
            "detail": self._detail,
            "split": self._split,
            "shard": self._shard,
            "index": self._index,
            "copies": self._copies,
        }
        return made[name](start, stop)

    def _looked(self, name: str, start: int, stop: int) -> pa.Array:
        """Return a column of what photos show, null for members that were not looked at."""
        low, high = np.searchsorted(self.wanted, (start, stop))
        column = self.looked.select([name]).rows(int(low), int(high))[name]
        at = np.full(stop - start, -1)
        at[self.wanted[low:high] - start] = np.arange(high - low)
        return column.take(pa.array(at, mask=at < 0))

    def _key(self, start: int, stop: int) -> pa.Array:
        return keys_of(self.catalog.members.columns.select(("prefix", "rest")).rows(start, stop))

    def _label(self, start: int, stop: int) -> pa.Array:
        codes = self.catalog.fates[start:stop]
        names = pa.array(self.catalog.classes.names, pa.string())
        return names.take(pa.array(codes, mask=codes < 0))

    def _votes(self, start: int, stop: int) -> pa.Array:
        found: list[tuple[int, ...] | None] = [None] * (stop - start)
        if self.catalog.voted:
            low, high = np.searchsorted(self.wanted, (start, stop))
            rows = self.wanted[low:high]
            for row, votes in zip((rows - start).tolist(), self.catalog.votes(rows), strict=True):
                found[row] = votes
        return pa.array(found, SCHEMA.field("votes").type)

    def _outcome(self, start: int, stop: int) -> pa.Array:
        return self._of_fates(start, stop, lambda drop: str(drop.reason) if drop else KEPT)

    def _detail(self, start: int, stop: int) -> pa.Array:
        return self._of_fates(start, stop, lambda drop: drop.detail if drop else "")

    def _of_fates(self, start: int, stop: int, said: Callable[[Drop | None], str]) -> pa.Array:
        codes, numbers = np.unique(self.fates[start:stop], return_inverse=True)
        words = [said(None if code >= 0 else self.drops[-1 - code]) for code in codes.tolist()]
        return pa.array(words, pa.string()).take(pa.array(numbers))

    def _split(self, start: int, stop: int) -> pa.Array:
        words = pa.array([str(split) for split in Split], pa.string())
        return words.take(self._of_places("splits", start, stop))

    def _shard(self, start: int, stop: int) -> pa.Array:
        return self._of_places("shards", start, stop)

    def _index(self, start: int, stop: int) -> pa.Array:
        return self._of_places("indices", start, stop)

    def _copies(self, start: int, stop: int) -> pa.Array:
        augment = self.places.augment if self.places else 0
        splits = self._of_places("splits", start, stop)
        return pc.if_else(pc.equal(splits, 0), augment, 0)

    def _of_places(self, name: str, start: int, stop: int) -> pa.Array:
        if self.places is None:
            return pa.nulls(stop - start, pa.int32())
        numbers = getattr(self.places, name)[start:stop].astype(np.int32)
        return pa.array(numbers, mask=numbers < 0)


def begin(catalog: Catalog, rows: Columns) -> Ledger:
    """Join what names say with what pixels say; `rows` follow the catalog's wanted members."""
    wanted = catalog.wanted
    numbers = {drop: number for number, drop in enumerate(catalog.drops)}
    fates = catalog.fates.copy()
    for batch, first in zip(rows.batches, rows.starts[:-1].tolist(), strict=True):
        members = wanted[first : first + len(batch)]
        fates[members] = _seen(batch, fates[members], numbers)
    looked = Columns(_with_ious(catalog, rows, wanted), rows.schema)
    names = [name for name in rows.schema.names if name not in ("outcome", "detail")]
    return Ledger(catalog, looked.select(names), wanted, fates, tuple(numbers))


def drop(ledger: Ledger, drops: Mapping[int, Drop]) -> Ledger:
    """Return the ledger with rows, by their positions, dropped after they were kept."""
    numbers = {drop: number for number, drop in enumerate(ledger.drops)}
    fates = ledger.fates.copy()
    for row, why in drops.items():
        fates[row] = -1 - numbers.setdefault(why, len(numbers))
    return replace(ledger, fates=fates, drops=tuple(numbers))


def finish(
    ledger: Ledger,
    splits: NDArray[np.int8],
    places: tuple[NDArray[np.int32], NDArray[np.int32]],
    augment: int,
) -> Ledger:
    """Add where each kept member's example lies; -1 in the arrays means nowhere."""
    return replace(ledger, places=Places(splits, *places, augment))


def unread(out: Path, manifest: Manifest) -> int:
    """Count the rows of a dataset's ledger that say that a photo could not be read.

    They are told from damage by their detail, which is the system's own word for an error. A
    ledger that cannot be read counts none: `verify` is what finds that.
    """
    dropped = manifest.counts.dropped
    if not dropped.get(Reason.CHANGED) and not dropped.get(Reason.UNREADABLE):
        return 0
    try:
        table = pq.read_table(out / manifest.ledger.file, columns=["outcome", "detail"])
    except (OSError, pa.ArrowException):
        return 0
    changed = pc.equal(table["outcome"], str(Reason.CHANGED))
    unreadable = pc.and_(
        pc.equal(table["outcome"], str(Reason.UNREADABLE)),
        pc.is_in(table["detail"], pa.array([*map(os.strerror, errno.errorcode)])),
    )
    return int(pc.sum(pc.or_(changed, unreadable)).as_py() or 0)


def write(ledger: Ledger, file: BinaryIO) -> None:
    """Write a ledger as Parquet, the same bytes for the same rows."""
    with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for group in ledger.batches(_GROUP):
            writer.write_table(pa.Table.from_batches([group]))
        if not len(ledger):
            writer.write_table(SCHEMA.empty_table())


def _seen(
    batch: pa.RecordBatch, fates: NDArray[np.int32], numbers: dict[Drop, int]
) -> NDArray[np.int32]:
    """Return the fates of members by what their photos show: the same where they are kept."""
    outcomes, details = (batch[name].to_pylist() for name in ("outcome", "detail"))
    found = fates.tolist()
    for i, outcome in enumerate(outcomes):
        if outcome != KEPT:
            why = Drop(Reason(outcome), details[i] or "")
            found[i] = -1 - numbers.setdefault(why, len(numbers))
    return np.array(found, np.int32)


def _with_ious(catalog: Catalog, rows: Columns, wanted: Ints) -> Iterator[pa.RecordBatch]:
    """Compare the detector's box with the annotators', where a part has not done it already.

    The annotators' box is clipped to the frame and to whole pixels, as `faces` does it.
    """
    for batch, first in zip(rows.batches, rows.starts[:-1].tolist(), strict=True):
        if not catalog.voted:
            yield batch
            continue
        found: list[float | None] = batch["iou"].to_pylist()
        sides = zip(*(batch[side].to_pylist() for side in _BOX), strict=True)
        boxes = catalog.box(wanted[first : first + len(batch)])
        frames = zip(batch["width"].to_pylist(), batch["height"].to_pylist(), strict=True)
        for i, (edges, box, frame) in enumerate(zip(sides, boxes, frames, strict=True)):
            if edges[0] is None or found[i] is not None:
                continue
            if clipped := clip_box(box, *frame):
                found[i] = iou(clipped, Box(*edges))
        own = {name: batch[name] for name in batch.schema.names}
        yield pa.record_batch(own | {"iou": pa.array(found, pa.float32())}, schema=batch.schema)


def _plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return (column.dictionary_decode() if hasattr(column, "dictionary") else column).cast(kind)

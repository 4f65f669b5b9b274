"""Record every member of the archive in the ledger: a row each, kept or dropped with a reason.

    key container bytes              the member
    subject sex age emotion place stamp shot     what its name says
    label votes                      its class in this dataset; votes for each class, if any
    uploader annot_a annot_b annot_c what each of them said, if there is a label record
    corrected                        what a person changed in its class, by whom and why
    outcome detail                   "kept", or one of data.Reason and an explanation
    x0 y0 x1 y1 confidence faces     the chosen face in the upright photo, number of faces
    width height digest              the upright photo's pixels, SHA-256 of the file's bytes
    landmarks iou                    if the detector returns them; its box against the annotators'
    split shard index copies         where its example is, and the number of its augmented copies

It names files and people: the builder keeps it, and only the shards are passed on.

In memory it is a view of the catalog and of the parts' rows. A batch of rows is made when it is
written, so that no text is in memory twice.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.archive.members import keys_of
from fertools.columns import BATCH_ROWS, Columns, Ints, list_array
from fertools.data import Box, Drop, Reason, Split
from fertools.dataset.manifest import Manifest
from fertools.faces.extract import clip_box, iou
from fertools.labels.votes import SLOTS
from fertools.pipeline.labelling.catalog import LABELS, Catalog, count_outcomes
from fertools.pipeline.parts import KEPT, ROWS, bytes_of, hex_of

LEDGER: Final = "ledger.parquet"

SCHEMA: Final = pa.schema(
    [
        ("key", pa.string()),
        ("container", pa.string()),
        ("bytes", pa.int64()),
        *((f.name, getattr(f.type, "value_type", f.type)) for f in LABELS),
        ("label", pa.string()),
        ("votes", pa.list_(pa.int64())),
        *((slot, pa.string()) for slot in SLOTS),
        ("corrected", pa.string()),
        *list(ROWS)[: ROWS.get_field_index("digest") + 1],  # outcome, detail, …
        ("split", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("copies", pa.int32()),
    ]
)

#: Columns of the ledger that are columns of the members, and their names there.
_OF_MEMBERS: Final = {"container": "container", "bytes": "size"}

_BOX: Final = ("x0", "y0", "x1", "y1")

#: Rows of a Parquet row group: all its columns are in memory at once, 600 bytes a row.
_GROUP: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Ledger:
    """The row of every member: a view of the catalog, and the columns that are not in it.

    extracted      the parts' rows of the selected members, in their order
    class_or_drop  int32, (members,): at least 0 if the member is kept, or -1 - i where drops[i] is
                   the reason why not
    placements     of the columns split, shard, index and copies; None until shards are planned
    """

    catalog: Catalog
    extracted: Columns
    class_or_drop: NDArray[np.int32]
    drops: tuple[Drop, ...]
    placements: Placements | None = None

    @classmethod
    def of(cls, catalog: Catalog, rows: Columns, *, compare: bool = True) -> Ledger:
        """Join the catalog with the parts' rows, which are those of its selected members.

        compare   compute the IoUs that are not in the rows; not where the boxes of the rows are the
                  annotators' (`--detector aihub`): a box that no detector found has none
        """
        numbers = {drop: number for number, drop in enumerate(catalog.drops)}
        class_or_drop = catalog.class_or_drop.copy()
        for batch, first in zip(rows.batches, rows.starts[:-1].tolist(), strict=True):
            members = catalog.selected[first : first + len(batch)].tolist()
            outcomes, details = (batch[name].to_pylist() for name in ("outcome", "detail"))
            for member, outcome, detail in zip(members, outcomes, details, strict=True):
                if outcome != KEPT:
                    drop = Drop(Reason(outcome), detail or "")
                    class_or_drop[member] = -1 - numbers.setdefault(drop, len(numbers))
        if compare and catalog.voted:
            rows = Columns(_with_ious(catalog, rows), rows.schema)
        names = [name for name in rows.schema.names if name not in ("outcome", "detail")]
        return cls(catalog, rows.select(names), class_or_drop, tuple(numbers))

    def __len__(self) -> int:
        return len(self.class_or_drop)

    @property
    def kept(self) -> Ints:
        """The positions of the rows that are kept, int64, ascending."""
        return np.flatnonzero(self.class_or_drop >= 0)

    def extracted_at(self, rows: Ints) -> Ints:
        """Return which rows of `extracted` belong to these ledger rows of selected members."""
        return np.searchsorted(self.catalog.selected, rows)

    def hashes(self) -> NDArray[np.uint8]:
        """Return the picture hashes of the kept photos, uint8, (kept, 32): for duplicates."""
        rows, column = self.extracted_at(self.kept), self.extracted.select(["hash"])
        hashes = np.empty((len(rows), 32), np.uint8)
        for first in range(0, len(rows), BATCH_ROWS):
            own = rows[first : first + BATCH_ROWS]
            hashes[first : first + len(own)] = bytes_of(column.take(own)["hash"])
        return hashes

    def without_hashes(self) -> Ledger:
        """Return the ledger without the picture hashes, which take 32 bytes a photo."""
        names = [name for name in self.extracted.schema.names if name != "hash"]
        return replace(self, extracted=self.extracted.select(names))

    def with_drops(self, drops: Mapping[int, Drop]) -> Ledger:
        """Return the ledger with rows, by their positions, dropped after they were kept."""
        numbers = {drop: number for number, drop in enumerate(self.drops)}
        class_or_drop = self.class_or_drop.copy()
        for row, drop in drops.items():
            class_or_drop[row] = -1 - numbers.setdefault(drop, len(numbers))
        return replace(self, class_or_drop=class_or_drop, drops=tuple(numbers))

    def outcomes(self) -> Counter[str]:
        return count_outcomes(self.class_or_drop, self.drops)

    def write(self, file: BinaryIO) -> None:
        """Write the ledger as Parquet, the same bytes for the same rows."""
        with pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            for group in self.batches(_GROUP):
                writer.write_table(pa.Table.from_batches([group]))
            if not len(self):
                writer.write_table(SCHEMA.empty_table())

    def batches(
        self, size: int = BATCH_ROWS, names: Sequence[str] = SCHEMA.names
    ) -> Iterator[pa.RecordBatch]:
        """Yield all rows by SCHEMA, or some columns of it."""
        schema = pa.schema([SCHEMA.field(name) for name in names])
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            arrays = [_decoded(self._column(f.name, start, stop), f.type) for f in schema]
            yield pa.record_batch(arrays, schema=schema)

    def _column(self, name: str, start: int, stop: int) -> pa.Array:
        members, labels = self.catalog.members.columns, self.catalog.labels
        if name in _OF_MEMBERS:
            own = _OF_MEMBERS[name]
            return members.select([own]).rows(start, stop)[own]
        if name in labels.schema.names:
            return labels.select([name]).rows(start, stop)[name]
        if name in self.extracted.schema.names:
            column = self._extracted(name, start, stop)
            return hex_of(column) if name == "digest" else column
        if name in SLOTS:
            return self.catalog.vote_table.words(name, start, stop)
        made: dict[str, Callable[[int, int], pa.Array]] = {
            "key": self._key,
            "label": self._label,
            "votes": self._votes,
            "corrected": self._corrected,
            "outcome": partial(self._by_drop, lambda drop: str(drop.reason) if drop else KEPT),
            "detail": partial(self._by_drop, lambda drop: drop.detail if drop else ""),
            "split": self._split,
            "shard": partial(self._placement, "shards"),
            "index": partial(self._placement, "indices"),
            "copies": self._copies,
        }
        return made[name](start, stop)

    def _extracted(self, name: str, start: int, stop: int) -> pa.Array:
        low, high, selected = self._selected(start, stop)
        column = self.extracted.select([name]).rows(low, high)[name]
        at = np.full(stop - start, -1)
        at[selected - start] = np.arange(high - low)
        return column.take(pa.array(at, mask=at < 0))

    def _selected(self, start: int, stop: int) -> tuple[int, int, Ints]:
        """Return where the selected members of a range begin and end, and their positions."""
        selected = self.catalog.selected
        low, high = np.searchsorted(selected, (start, stop)).tolist()
        return low, high, selected[low:high]

    def _key(self, start: int, stop: int) -> pa.Array:
        return keys_of(self.catalog.members.columns.select(("prefix", "rest")).rows(start, stop))

    def _label(self, start: int, stop: int) -> pa.Array:
        codes = self.catalog.class_or_drop[start:stop]
        names = pa.array(self.catalog.classes.names, pa.string())
        return names.take(pa.array(codes, mask=codes < 0))

    def _votes(self, start: int, stop: int) -> pa.Array:
        if not self.catalog.voted:
            return pa.nulls(stop - start, SCHEMA.field("votes").type)
        no_photo = self.catalog.members.dropped[start:stop] >= 0
        return list_array(self.catalog.votes(np.arange(start, stop)), mask=no_photo)

    def _corrected(self, start: int, stop: int) -> pa.Array:
        texts: list[str | None] = [None] * (stop - start)
        for row, text in self.catalog.corrected.items():
            if start <= row < stop:
                texts[row - start] = text
        return pa.array(texts, pa.string())

    def _by_drop(self, text: Callable[[Drop | None], str], start: int, stop: int) -> pa.Array:
        codes, numbers = np.unique(self.class_or_drop[start:stop], return_inverse=True)
        texts = [text(None if code >= 0 else self.drops[-1 - code]) for code in codes.tolist()]
        return pa.array(texts, pa.string()).take(pa.array(numbers))

    def _split(self, start: int, stop: int) -> pa.Array:
        names = pa.array([str(split) for split in Split], pa.string())
        return names.take(self._placement("splits", start, stop))

    def _copies(self, start: int, stop: int) -> pa.Array:
        augment = self.placements.augment if self.placements else 0
        return pc.if_else(pc.equal(self._placement("splits", start, stop), 0), augment, 0)

    def _placement(self, name: str, start: int, stop: int) -> pa.Array:
        if self.placements is None:
            return pa.nulls(stop - start, pa.int32())
        numbers = getattr(self.placements, name)[start:stop].astype(np.int32)
        return pa.array(numbers, mask=numbers < 0)


@dataclass(frozen=True, slots=True)
class Placements:
    """Where the members' examples are, a value a member, -1 for a member without one.

    splits    int8: 0 train, 1 validation, 2 test
    shards    int32: the number of the shard within the split
    indices   int32: the example's number in the shard
    augment   augmented copies of each example in train
    """

    splits: NDArray[np.int8]
    shards: NDArray[np.int32]
    indices: NDArray[np.int32]
    augment: int


def count_unread(out: Path, manifest: Manifest) -> int:
    """Count the files of the archive that a dataset lacks because they could not be read.

    Rows of such photos differ from damage by their detail, which is the system's own text of an
    error. A ledger that cannot be read counts as one without such rows: `verify` reports that.
    """
    dropped = manifest.counts.dropped
    if not dropped.get(Reason.CHANGED) and not dropped.get(Reason.UNREADABLE):
        return manifest.unread
    try:
        table = pq.read_table(out / manifest.ledger.file, columns=["outcome", "detail"])
    except (OSError, pa.ArrowException):
        return manifest.unread
    changed = pc.equal(table["outcome"], str(Reason.CHANGED))
    unreadable = pc.and_(
        pc.equal(table["outcome"], str(Reason.UNREADABLE)),
        pc.is_in(table["detail"], pa.array([*map(os.strerror, errno.errorcode)])),
    )
    return manifest.unread + int(pc.sum(pc.or_(changed, unreadable)).as_py() or 0)


def _with_ious(catalog: Catalog, rows: Columns) -> Iterator[pa.RecordBatch]:
    """Compare the detector's box with the annotators', unless the part holds the IoU already.

    The annotators' box is clipped to the frame and to whole pixels, as `faces` does it.
    """
    for batch, first in zip(rows.batches, rows.starts[:-1].tolist(), strict=True):
        ious: list[float | None] = batch["iou"].to_pylist()
        boxes = zip(*(batch[side].to_pylist() for side in _BOX), strict=True)
        annotated = catalog.annotated_boxes(catalog.selected[first : first + len(batch)])
        frames = zip(batch["width"].to_pylist(), batch["height"].to_pylist(), strict=True)
        for i, (edges, box, frame) in enumerate(zip(boxes, annotated, frames, strict=True)):
            if edges[0] is None or ious[i] is not None:
                continue
            if clipped := clip_box(box, *frame):
                ious[i] = iou(clipped, Box(*edges))
        own = {name: batch[name] for name in batch.schema.names}
        yield pa.record_batch(own | {"iou": pa.array(ious, pa.float32())}, schema=batch.schema)


def _decoded(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return (column.dictionary_decode() if hasattr(column, "dictionary") else column).cast(kind)

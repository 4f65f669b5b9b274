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
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.data import Box, Drop, Reason, Split
from fertools.faces import iou
from fertools.pipeline.catalog import Catalog
from fertools.pipeline.kept import Ints
from fertools.shards import Manifest

LEDGER: Final = "ledger.parquet"

_NAMES: Final = pa.schema(
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
    ]
)

#: The columns of a part's rows that only lead to its crops.
_INNER: Final = ("part", "offset", "length", "hash", "modified", "unread")


def begin(catalog: Catalog, rows: pa.Table) -> pa.Table:
    """Join what names say with what pixels say; `rows` follow the catalog's wanted members.

    The result still has the columns `part`, `offset` and `length` by which crops are found.
    """
    seen = np.full(len(catalog.members), -1, dtype=np.int64)
    seen[catalog.wanted] = np.arange(rows.num_rows)
    # -1 is taken as the row behind the last one, which is all null.
    blank = pa.table({f.name: pa.nulls(1, f.type) for f in rows.schema}, schema=rows.schema)
    looked = pa.concat_tables([rows, blank]).take(pa.array(np.where(seen < 0, len(rows), seen)))
    table = _named(catalog)
    for name in looked.column_names:
        column = looked[name]
        if name == "iou":
            column = pa.array(_ious(catalog, looked), pa.float32())
        if name in ("outcome", "detail"):
            column = pa.array(_fated(catalog.fates, column.to_pylist(), name), pa.string())
        table = table.append_column(name, column)
    return table


def drop(table: pa.Table, drops: Mapping[int, Drop]) -> pa.Table:
    """Give the ledger with rows, by their positions, dropped after they were kept."""
    for name in ("outcome", "detail"):
        column = table[name].to_pylist()
        for row, why in drops.items():
            column[row] = str(why.reason) if name == "outcome" else why.detail
        table = table.set_column(table.column_names.index(name), name, pa.array(column))
    return table


def finish(
    table: pa.Table, splits: NDArray[np.int8], places: tuple[Ints, Ints], augment: int
) -> pa.Table:
    """Add where each kept member's example lies; -1 in the arrays means nowhere."""
    words = [*Split, None]
    shards, indices = places
    altered = np.where(splits == 0, augment, 0)
    columns = {
        "split": pa.array([words[s] for s in splits.tolist()], pa.string()),
        "shard": pa.array(shards, pa.int32(), mask=shards < 0),
        "index": pa.array(indices, pa.int32(), mask=indices < 0),
        "copies": pa.array(altered, pa.int32(), mask=splits < 0),
    }
    table = table.drop_columns(list(_INNER))
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table.combine_chunks()


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


def encode(table: pa.Table) -> bytes:
    """Write a ledger as Parquet, the same bytes for the same rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _ious(catalog: Catalog, looked: pa.Table) -> list[float | None]:
    """Hold the detector's box against the annotators', where a part has not done it already."""
    found: list[float | None] = looked["iou"].to_pylist()
    if not catalog.voted:
        return found
    sides = zip(*(looked[side].to_pylist() for side in ("x0", "y0", "x1", "y1")), strict=True)
    for i, edges in enumerate(sides):
        if edges[0] is None or found[i] is not None:
            continue
        box = catalog.box(i)
        found[i] = iou(box, Box(*edges)) if box else None
    return found


def _named(catalog: Catalog) -> pa.Table:
    members, labels = catalog.members, catalog.labels
    names = catalog.classes.names
    columns = {
        "key": [_text(m.key) for m in members],
        "container": [_text(m.container) for m in members],
        "bytes": [m.size for m in members],
        **{f: [getattr(label, f) for label in labels] for f in _NAMES.names[3:10]},
        "votes": [
            catalog.votes(i) if catalog.voted and not isinstance(fate, Drop) else None
            for i, fate in enumerate(catalog.fates)
        ],
        "label": [None if isinstance(fate, Drop) else names[fate] for fate in catalog.fates],
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in _NAMES], schema=_NAMES)


def _fated(
    fates: Sequence[int | Drop], looked: Sequence[str | None], column: str
) -> list[str | None]:
    part = "reason" if column == "outcome" else "detail"
    return [
        str(getattr(fate, part)) if isinstance(fate, Drop) else seen
        for fate, seen in zip(fates, looked, strict=True)
    ]


def _text(name: str) -> str:
    """Parquet's text is UTF-8: a name that is none keeps its bytes as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()

"""The rows of all parts in memory: 130 bytes a photo, where the parts' own tables take 180."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fertools.columns import BATCH, POOL, Columns, column

_WORD: Final = pa.dictionary(pa.int32(), pa.string())
_DIGEST: Final = pa.binary(32)

#: Columns that only decide whether a part is made again.
_OF_PARTS: Final = ("modified", "unread")

#: Columns that are kept in another form than the parts have them.
_FORMS: Final = {"outcome": _WORD, "detail": _WORD, "digest": _DIGEST}


def pack_rows(tables: Iterable[pa.Table], schema: pa.Schema) -> Columns:
    """Join the rows of all parts, in their order, with the part's number in a column `part`.

    schema   of the parts' tables
    """
    fields = [pa.field(f.name, _FORMS.get(f.name, f.type)) for f in schema]
    schema = pa.schema(
        [f for f in fields if f.name not in _OF_PARTS] + [pa.field("part", pa.int32())]
    )
    return Columns(_batches(tables, schema), schema)


def _batches(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.Table] = []
    count = 0
    for number, table in enumerate(tables):
        part = pa.array(np.full(len(table), number), pa.int32())
        waiting.append(table.append_column("part", part))
        count += len(table)
        if count >= BATCH:
            yield _batch(pa.concat_tables(waiting), schema)
            waiting, count = [], 0
    if count:
        yield _batch(pa.concat_tables(waiting), schema)


def _batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    columns = {
        name: pa.concat_arrays(table[name].chunks, memory_pool=POOL) for name in schema.names
    }
    for name, values in columns.items():
        if name == "digest":
            digests = [digest and bytes.fromhex(digest) for digest in values.to_pylist()]
            columns[name] = column(digests, _DIGEST)
        elif name in _FORMS:
            columns[name] = column(values, _FORMS[name])
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def hex_of(column: pa.Array) -> pa.Array:
    """Return a column of digests as the text that the ledger has."""
    return pa.array([data and data.hex() for data in column.to_pylist()], pa.string())


def bytes_of(column: pa.Array) -> NDArray[np.uint8]:
    """Return a column of fixed-size binary as uint8, (rows, bytes); null is all zeros."""
    width = column.type.byte_width
    filled = pc.fill_null(column, pa.scalar(bytes(width), column.type))
    data = np.frombuffer(filled.buffers()[1], np.uint8)
    rows: NDArray[np.uint8] = data.reshape(-1, width)[filled.offset : filled.offset + len(filled)]
    return rows

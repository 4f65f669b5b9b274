"""The kept photos as columns of plain arrays: what a division is decided from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.labels import ClassMap
from fertools.pipeline.parts import KEPT
from fertools.splits import by_subject

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kept:
    """The ledger's kept rows, one array a column, all of one length.

    rows       their positions in the ledger
    keys       of the photos
    subjects   None where the name says nobody
    classes    int64, the class index
    people     int64, the person's number; a photo without one is a person of its own
    order      what each person's number stands for
    also       int64, (n, 2): sex and age as codes, -1 where unknown
    digests    SHA-256 of the files
    hashes     uint8, (n, 32): of the pictures, to find copies by
    """

    rows: Ints
    keys: list[str]
    subjects: list[str | None]
    classes: Ints
    people: Ints
    order: list[str]
    also: Ints
    digests: list[str]
    hashes: NDArray[np.uint8]

    @classmethod
    def of(cls, table: pa.Table, classes: ClassMap) -> Kept:
        """Take the kept rows out of a ledger that is begun."""
        rows = kept_rows(table)
        columns = table.take(pa.array(rows))
        keys, subjects = columns["key"].to_pylist(), columns["subject"].to_pylist()
        people, order = by_subject(subjects, keys)
        index = {name: i for i, name in enumerate(classes.names)}
        hashes = b"".join(found or bytes(32) for found in columns["hash"].to_pylist())
        return cls(
            rows=rows,
            keys=keys,
            subjects=subjects,
            classes=np.array([index[name] for name in columns["label"].to_pylist()], np.int64),
            people=people,
            order=order,
            also=np.stack([_codes(columns[name]) for name in ("sex", "age")], axis=1),
            digests=columns["digest"].to_pylist(),
            hashes=np.frombuffer(hashes, np.uint8).reshape(-1, 32),
        )

    def __len__(self) -> int:
        return len(self.rows)


def kept_rows(table: pa.Table) -> Ints:
    """Give the positions of the rows that became examples."""
    return np.flatnonzero(table["outcome"].to_numpy(zero_copy_only=False) == KEPT)


def _codes(column: pa.ChunkedArray) -> Ints:
    """Number a column's values, -1 for null."""
    found = column.combine_chunks().dictionary_encode().indices
    return np.asarray(found.fill_null(-1), dtype=np.int64)

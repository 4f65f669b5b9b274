"""The kept photos as columns of plain arrays: what a division is decided from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fertools.archive.members import Keys
from fertools.columns import Columns, Ints, Lazy, by_first
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.rows import hex_of
from fertools.splits import by_subject

__all__ = ["Ints", "Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The ledger's kept rows, one array a column, all of one length.

    rows       their positions in the ledger
    keys       of the photos
    subjects   None where the name says nobody
    classes    int64, the class index
    people     int64, the person's number; a photo without one is a person of its own
    order      what each person's number stands for
    digests    SHA-256 of the files
    labels     what the names of all members say
    """

    rows: Ints
    keys: Keys
    subjects: Sequence[str | None]
    classes: Ints
    people: Ints
    order: Sequence[str]
    digests: Sequence[str | None]
    labels: Columns

    @classmethod
    def of(cls, ledger: Ledger) -> Kept:
        """Take the kept rows out of a ledger that is begun."""
        catalog, rows = ledger.catalog, ledger.kept
        keys = catalog.keys(rows)
        subjects = catalog.subjects(rows)
        people, order = by_subject(subjects, keys)
        looked = np.searchsorted(ledger.wanted, rows)
        return cls(
            rows=rows,
            keys=keys,
            subjects=subjects,
            classes=catalog.fates[rows].astype(np.int64),
            people=people,
            order=order,
            digests=_Digests(ledger.looked.select(["digest"]), looked),
            labels=catalog.labels,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def also(self) -> Ints:
        """Sex and age as codes, -1 where unknown, int64, (n, 2); made anew at each call."""
        columns = [_codes(self.labels, name, self.rows) for name in ("sex", "age")]
        return np.stack(columns, axis=1)


class _Digests(Lazy[str | None]):
    """The SHA-256 of photos as text."""

    def __init__(self, looked: Columns, rows: Ints) -> None:
        super().__init__(len(rows))
        self._looked = looked
        self._rows = rows

    def made(self, start: int, stop: int) -> list[str | None]:
        batch = self._looked.take(self._rows[start:stop])
        digests: list[str | None] = hex_of(batch["digest"]).to_pylist()
        return digests


def _codes(labels: Columns, name: str, rows: Ints) -> Ints:
    """Number the values that these rows have, by where they come first; -1 for null."""
    codes = labels.codes(name)[0][rows] if name != "age" else labels.numbers(name, fill=-1)[rows]
    found = np.full(len(rows), -1, dtype=np.int64)
    known = codes >= 0
    found[known] = by_first(codes[known])[0]
    return found

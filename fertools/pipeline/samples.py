"""The kept photos as columns of plain arrays: what a division is decided from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.archive.members import Keys
from fertools.columns import Columns, Ints, Lazy, by_first
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.parts import PartFiles, hex_of, read_thumbnails
from fertools.splits.duplicates import find_duplicates, label_conflicts, largest_component
from fertools.splits.groups import components_of_pairs, connected_components, group_by_subject
from fertools.splits.ratios import overlapping_groups


@dataclass(frozen=True, slots=True)
class Samples:
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
    def of(cls, ledger: Ledger) -> Samples:
        """Take the kept rows out of a ledger that is begun."""
        catalog, rows = ledger.catalog, ledger.kept
        keys = catalog.keys(rows)
        subjects = catalog.subjects(rows)
        people, order = group_by_subject(subjects, keys)
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

    def items(self, start: int, stop: int) -> list[str | None]:
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


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Pairs of kept photos, by their numbers, that show one picture; int64, (pairs, 2)."""

    pairs: Ints

    @classmethod
    def find(cls, kept: Samples, parts: Sequence[PartFiles], table: Ledger) -> Duplicates:
        """Find the pairs by digest and by picture; pictures are compared between people only."""
        pictures = _Thumbnails(parts, table, kept.rows)
        return cls(find_duplicates(table.hashes(), kept.digests, kept.people, pictures))

    def people(self, kept: Samples) -> Ints:
        """Give the pairs between different people, as people; int64, (ties, 2)."""
        ends: Ints = kept.people[self.pairs]
        ties: Ints = ends[ends[:, 0] != ends[:, 1]]
        return ties

    def groups(self, kept: Samples) -> tuple[Ints, list[str]]:
        """Group the photos by person, people who share a picture together; what `assign` takes.

        A group's key is the first of its people's, so that it does not hang on the order of rows.
        """
        group_of = connected_components(len(kept.order), map(tuple, self.people(kept).tolist()))
        keys: dict[int, str] = {}
        for group, key in zip(group_of.tolist(), kept.order, strict=True):
            keys[group] = min(keys.get(group, key), key)
        return group_of[kept.people], [keys[group] for group in range(len(keys))]

    def largest(self, kept: Samples) -> int:
        """Count the people in the largest set that is tied together: 1 where nobody is."""
        return largest_component(kept.people, self.groups(kept)[0]).groups

    def conflicting(self, kept: Samples) -> list[tuple[int, int]]:
        """Return each photo whose picture bears two classes, with one of another class."""
        return [(a, b) for a, b in label_conflicts(self.pairs, kept.classes).tolist()]

    def repeats(self, kept: Samples, dropped: Collection[int]) -> dict[int, int]:
        """Return every photo but one of each picture, and the one: the first by its key."""
        photos, sets = components_of_pairs(self.pairs)
        set_of = dict(zip(photos.tolist(), sets.tolist(), strict=True))
        first: dict[int, int] = {}
        later = {}
        for i in sorted(set_of.keys() - set(dropped), key=kept.keys.__getitem__):
            original = first.setdefault(set_of[i], i)
            if original != i:
                later[i] = original
        return later

    def warnings(self, kept: Samples) -> tuple[str, ...]:
        """Say what the user should know of ties, a line each."""
        chain = largest_component(kept.people, self.groups(kept)[0])
        if not chain.is_implausible:
            return ()
        if not any(kept.subjects):
            return (
                f"{chain.rows} photos are tied together as copies of each other's pictures and go "
                "into one split: are they copies?",
            )
        return (
            f"{chain.groups} people are tied together by copies of each other's pictures and go "
            f"into one split with {chain.rows} photos: are their subjects right?",
        )

    def across(self, splits: NDArray[np.int8]) -> int:
        """Count the pictures that have copies in more than one split; -1 is no split."""
        photos, sets = components_of_pairs(self.pairs)
        return overlapping_groups(sets, splits[photos])


class _Thumbnails:
    """The pictures of kept photos, 64 × 64 gray values each, read from the parts when asked for."""

    def __init__(self, parts: Sequence[PartFiles], table: Ledger, rows: Ints) -> None:
        numbers = table["part"].combine_chunks()
        looked = np.flatnonzero(np.asarray(numbers.is_valid()))
        part = np.asarray(numbers.fill_null(-1))
        # The rows of a part follow each other among those that were looked at.
        starts = np.searchsorted(part[looked], np.arange(len(parts)))
        self._part = part[rows]
        self._row = np.searchsorted(looked, rows) - starts[self._part]
        self._files = parts

    def __call__(self, photos: Ints) -> NDArray[np.uint8]:
        """Give the pictures of these photos; uint8, (photos, 64, 64)."""
        found = np.zeros((len(photos), 64, 64), np.uint8)
        owners = self._part[photos]
        for part in np.unique(owners).tolist():
            files, own = self._files[part], owners == part
            found[own] = read_thumbnails(files)[self._row[photos[own]]]
        return found

"""Hold the kept photos as columns of plain arrays, and find the duplicates among them.

Duplicates are files of one picture. One zip is in the archive twice, a cloud drive wrote
`name (1).jpg`, or a brightened picture was uploaded as another person's: without a check, one of
them would be in train and the other in test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.archive.members import Keys
from fertools.columns import Columns, Ints, LazySequence, number_by_first_row
from fertools.data import Split
from fertools.errors import SourceError
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.parts import PartFiles, hex_of, read_thumbnails
from fertools.splits.duplicates import Component, find_duplicates, largest_component
from fertools.splits.groups import components_of_pairs, connected_components, group_by_subject
from fertools.splits.measures import overlapping_groups


@dataclass(frozen=True, slots=True)
class Samples:
    """The ledger's kept rows, one array a column, all of one length.

    rows         their positions in the ledger
    keys         of the photos
    subjects     None if the name has none
    classes      int64, the class index
    people       int64, the person's number; a photo without a subject is a person of its own
    people_keys  a stable key of each person
    digests      SHA-256 of the files
    labels       what the names of all members say
    official_split   the archive's own split of the photo with a key
    """

    rows: Ints
    keys: Keys
    subjects: Sequence[str | None]
    classes: Ints
    people: Ints
    people_keys: Sequence[str]
    digests: Sequence[str | None]
    labels: Columns
    official_split: Callable[[str], Split | None]

    @classmethod
    def of(cls, ledger: Ledger) -> Samples:
        """Take the kept rows out of a ledger. Raises SourceError if there are none."""
        catalog, rows = ledger.catalog, ledger.kept
        if not len(rows):
            outcomes = ledger.outcomes().most_common()
            counts = ", ".join(f"{reason} {count}" for reason, count in outcomes)
            raise SourceError(
                f"no photo became an example ({counts}): see docs/format.md for the reasons"
            )
        keys = catalog.members.keys_at(rows)
        subjects = catalog.subjects(rows)
        people, people_keys = group_by_subject(subjects, keys)
        return cls(
            rows=rows,
            keys=keys,
            subjects=subjects,
            classes=catalog.class_index(rows),
            people=people,
            people_keys=people_keys,
            digests=_Digests(ledger.extracted.select(["digest"]), ledger.extracted_at(rows)),
            labels=catalog.labels,
            official_split=catalog.labeller.official_split,
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def attributes(self) -> Ints:
        """Sex and age as codes, -1 if unknown, int64, (n, 2); computed at each call."""
        columns = [_codes(self.labels, name, self.rows) for name in ("sex", "age")]
        return np.stack(columns, axis=1)


class _Digests(LazySequence[str | None]):
    """The SHA-256 of photos as text."""

    def __init__(self, extracted: Columns, rows: Ints) -> None:
        super().__init__(len(rows))
        self._extracted = extracted
        self._rows = rows

    def items(self, start: int, stop: int) -> list[str | None]:
        batch = self._extracted.take(self._rows[start:stop])
        digests: list[str | None] = hex_of(batch["digest"]).to_pylist()
        return digests


def _codes(labels: Columns, name: str, rows: Ints) -> Ints:
    """Number the values of these rows in the order in which they occur first; -1 for null."""
    values = labels.codes(name)[0][rows] if name != "age" else labels.numbers(name, fill=-1)[rows]
    codes = np.full(len(rows), -1, dtype=np.int64)
    known = values >= 0
    codes[known] = number_by_first_row(values[known])[0]
    return codes


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Pairs of samples that show one picture, and the groups of people that they link.

    pairs       sample numbers, int64, (pairs, 2)
    links       the same pairs as person numbers, of different people only, int64, (links, 2)
    groups      the group of each sample, int64, (samples,): linked people are one group
    group_keys  a key of each group: the first of its people's, whatever the order of the rows
    largest     the largest set of linked people
    """

    pairs: Ints
    links: Ints
    groups: Ints
    group_keys: list[str]
    largest: Component

    @classmethod
    def find(cls, samples: Samples, parts: Sequence[PartFiles], ledger: Ledger) -> Duplicates:
        """Find the pairs by digest and by picture; pictures are compared between people only."""
        thumbnails = _Thumbnails(parts, ledger, samples.rows)
        pairs = find_duplicates(ledger.hashes(), samples.digests, samples.people, thumbnails)
        ends: Ints = samples.people[pairs]
        links: Ints = ends[ends[:, 0] != ends[:, 1]]
        group_of = connected_components(len(samples.people_keys), map(tuple, links.tolist()))
        keys: dict[int, str] = {}
        for group, key in zip(group_of.tolist(), samples.people_keys, strict=True):
            keys[group] = min(keys.get(group, key), key)
        groups: Ints = group_of[samples.people]
        group_keys = [keys[group] for group in range(len(keys))]
        return cls(pairs, links, groups, group_keys, largest_component(samples.people, groups))

    def repeats(self, samples: Samples, dropped: Collection[int]) -> dict[int, int]:
        """Return all samples of each picture but the first by key, each with that first one."""
        photos, sets = components_of_pairs(self.pairs)
        set_of = dict(zip(photos.tolist(), sets.tolist(), strict=True))
        first: dict[int, int] = {}
        later = {}
        for i in sorted(set_of.keys() - set(dropped), key=samples.keys.__getitem__):
            original = first.setdefault(set_of[i], i)
            if original != i:
                later[i] = original
        return later

    def across(self, splits: NDArray[np.int8]) -> int:
        """Count the pictures that are in more than one split; -1 is no split."""
        photos, sets = components_of_pairs(self.pairs)
        return overlapping_groups(sets, splits[photos])

    def warnings(self, samples: Samples) -> tuple[str, ...]:
        """Return a line on the largest set of linked people, if it is too large to be true."""
        if not self.largest.is_implausible:
            return ()
        if not any(samples.subjects):
            return (
                f"{self.largest.rows} photos are tied together as copies of each other's pictures "
                "and go into one split: are they copies?",
            )
        return (
            f"{self.largest.groups} people are tied together by copies of each other's pictures "
            f"and go into one split with {self.largest.rows} photos: are their subjects right?",
        )


class _Thumbnails:
    """Thumbnails of samples, read from the parts on access."""

    def __init__(self, parts: Sequence[PartFiles], ledger: Ledger, rows: Ints) -> None:
        extracted = ledger.extracted_at(rows)
        self._parts = parts
        self._part = ledger.extracted.numbers("part", np.int32)[extracted]
        self._row = ledger.extracted.numbers("row", np.int32)[extracted]

    def __call__(self, photos: Ints) -> NDArray[np.uint8]:
        """Return the thumbnails of these samples; uint8, (photos, 64, 64), gray."""
        thumbnails = np.zeros((len(photos), 64, 64), np.uint8)
        owners = self._part[photos]
        for part in np.unique(owners).tolist():
            own = owners == part
            thumbnails[own] = read_thumbnails(self._parts[part])[self._row[photos[own]]]
        return thumbnails

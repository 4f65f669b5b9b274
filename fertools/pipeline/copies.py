"""Copies of one picture under several names, and the people whom they tie together.

The same zip lies in the archive twice, a cloud drive wrote `name (1).jpg`, somebody uploaded a
brightened picture as another person: whoever is in train would be in test as well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fertools.pipeline.kept import Ints, Kept
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.parts import PartFiles, read_thumbnails
from fertools.splits import conflicts, find_copies, grouped, longest_chain, overlap, tied


@dataclass(frozen=True, slots=True)
class Copies:
    """Pairs of kept photos, by their numbers, that show one picture; int64, (pairs, 2)."""

    pairs: Ints

    @classmethod
    def find(cls, kept: Kept, parts: Sequence[PartFiles], table: Ledger) -> Copies:
        """Find the pairs by digest and by picture; pictures are compared between people only."""
        pictures = _Thumbnails(parts, table, kept.rows)
        return cls(find_copies(table.hashes(), kept.digests, kept.people, pictures))

    def people(self, kept: Kept) -> Ints:
        """Give the pairs between different people, as people; int64, (ties, 2)."""
        ends: Ints = kept.people[self.pairs]
        ties: Ints = ends[ends[:, 0] != ends[:, 1]]
        return ties

    def groups(self, kept: Kept) -> tuple[Ints, list[str]]:
        """Group the photos by person, people who share a picture together; what `assign` takes.

        A group's key is the first of its people's, so that it does not hang on the order of rows.
        """
        group_of = grouped(len(kept.order), map(tuple, self.people(kept).tolist()))
        keys: dict[int, str] = {}
        for group, key in zip(group_of.tolist(), kept.order, strict=True):
            keys[group] = min(keys.get(group, key), key)
        return group_of[kept.people], [keys[group] for group in range(len(keys))]

    def largest(self, kept: Kept) -> int:
        """Count the people in the largest set that is tied together: 1 where nobody is."""
        return longest_chain(kept.people, self.groups(kept)[0]).groups

    def conflicting(self, kept: Kept) -> list[tuple[int, int]]:
        """Return each photo whose picture bears two classes, with one of another class."""
        return [(a, b) for a, b in conflicts(self.pairs, kept.classes).tolist()]

    def repeats(self, kept: Kept, dropped: Collection[int]) -> dict[int, int]:
        """Return every photo but one of each picture, and the one: the first by its key."""
        photos, sets = tied(self.pairs)
        set_of = dict(zip(photos.tolist(), sets.tolist(), strict=True))
        first: dict[int, int] = {}
        later = {}
        for i in sorted(set_of.keys() - set(dropped), key=kept.keys.__getitem__):
            original = first.setdefault(set_of[i], i)
            if original != i:
                later[i] = original
        return later

    def warnings(self, kept: Kept) -> tuple[str, ...]:
        """Say what the user should know of ties, a line each."""
        chain = longest_chain(kept.people, self.groups(kept)[0])
        if not chain.long:
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
        photos, sets = tied(self.pairs)
        return overlap(sets, splits[photos])


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

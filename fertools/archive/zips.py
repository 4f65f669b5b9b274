"""A zip, whole or damaged, as members."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.directory import SplitSet, read_directory
from fertools.archive.entry import DEFLATED, ENCRYPTED, LOCAL_MARK, STORED, Entries
from fertools.archive.joined import Joined
from fertools.archive.members import Draft
from fertools.archive.names import decode_packed, refusal_by_name
from fertools.archive.pieces import split_name
from fertools.archive.salvage import salvage
from fertools.data import Drop, Reason, Unusable

#: Entries whose names are Python objects at once.
_AT_ONCE: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Contents:
    """What a zip holds, by offset; where that ends; and what is wrong with it, a line each."""

    entries: Entries
    end: int
    faults: tuple[str, ...]


def read_contents(zipped: Joined) -> Contents:
    """List a zip's entries by its directory, or by its local headers where that is lost.

    Raises SplitSet for the last file of a `.z01` set, and OSError if the zip cannot be read.
    """
    faults = zipped.layout.faults
    try:
        directory = read_directory(zipped)
    except SplitSet:
        raise
    except Unusable as damage:
        entries = Entries.of(salvage(zipped))
        return Contents(entries, zipped.size, (*faults, _without_directory(zipped, damage)))
    entries = directory.entries.by_offset()
    faults += directory.faults + tuple(_strangers(zipped, entries))
    return Contents(entries, directory.start, faults)


def _without_directory(zipped: Joined, damage: Unusable) -> str:
    said = damage.drop.detail or str(damage.drop.reason)
    numbered = split_name(zipped.layout.path) is not None
    last = zipped.layout.pieces[-1].name
    return f"{said}; {last} is its last piece here, is there another?" if numbered else said


def _strangers(zipped: Joined, entries: Entries) -> Iterator[str]:
    """Name each piece that does not hold what the directory says, by the first entry in it.

    One read a piece: two pieces with their names swapped fit in every number.
    """
    offsets = entries.fields["offset"]
    for piece in zipped.layout.pieces:
        index = int(np.searchsorted(offsets, piece.start))
        if index == len(entries) or int(offsets[index]) + len(LOCAL_MARK) > piece.end:
            continue
        if zipped.read(int(offsets[index]), len(LOCAL_MARK)) != LOCAL_MARK:
            yield f"{piece.name} does not hold what the directory says: swapped or damaged"


def add_members(draft: Draft, zipped: Joined, contents: Contents) -> None:
    """Add a zip's entries to a draft, in the order of their offsets; folders are left out."""
    listed = _Listed(zipped, contents)
    order = listed.order()
    for first in range(0, len(order), _AT_ONCE):
        listed.add(draft, order[first : first + _AT_ONCE])


class _Listed:
    """The entries of one zip, by offset, and which of them may be unusable."""

    def __init__(self, zipped: Joined, contents: Contents) -> None:
        self._layout = zipped.layout
        self._container = zipped.layout.key
        self._entries = contents.entries
        self._limits = np.append(contents.entries.fields["offset"][1:], contents.end)
        self._doubtful = self._doubts()

    def order(self) -> NDArray[np.int64]:
        """Return the entries' numbers in the order of offsets, then of names; int64."""
        offsets = self._entries.fields["offset"]
        order = np.arange(len(offsets))
        same = np.flatnonzero(offsets[1:] == offsets[:-1])
        for at in np.unique(offsets[same]).tolist():
            twins = np.flatnonzero(offsets == at)
            order[twins] = sorted(twins.tolist(), key=self._name)
        return order

    def add(self, draft: Draft, numbers: NDArray[np.int64]) -> None:
        """Add some entries to a draft."""
        text, rows = self._entries.text, self._entries.fields[numbers]
        columns = (numbers, rows["name_at"], rows["name_length"], rows["size"])
        used, keys, drops = [], [], []
        for at, (i, name_at, length, size) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            raw = text[name_at : name_at + length]
            if size == 0 and raw[-1:] in (b"/", b"\\"):
                continue
            name = decode_packed(raw)
            used.append(at)
            keys.append(f"{self._container}/{name}")
            drops.append(self._refusal(i, name) if self._doubtful[i] else refusal_by_name(name))
        rows = rows[used]
        shown = {"size": "size", "offset": "offset", "packed_size": "packed"}
        draft.extend(
            keys,
            drops,
            {
                "container": self._container,
                "path": self._layout.path,
                "modified": self._layout.modified,
                **{name: rows[field].tolist() for name, field in shown.items()},
                "method": rows["method"].tolist(),
                "crc": rows["crc"].tolist(),
            },
        )

    def _doubts(self) -> NDArray[np.bool_]:
        """Return which entries anything but their names may make unusable."""
        rows, ends = self._entries.fields, self._entries.ends()
        offsets, kinds = rows["offset"], stat.S_IFMT(0o170000) & rows["mode"]
        doubts = (kinds != 0) & (kinds != stat.S_IFREG)
        doubts |= rows["flags"] & ENCRYPTED != 0
        doubts |= (rows["method"] != STORED) & (rows["method"] != DEFLATED)
        doubts |= (rows["size"] == 0) | (offsets < 0) | (ends > self._limits)
        for hole in self._layout.holes:
            doubts |= (hole.start < ends) & (offsets < hole.end)
        found: NDArray[np.bool_] = doubts
        return found

    def _refusal(self, number: int, name: str) -> Drop | None:
        entry = self._entries.entry(number)
        refused = entry.refusal(name, int(self._limits[number]))
        if refused is None and (hole := self._layout.hole(entry.offset, entry.end)):
            return Drop(Reason.UNREADABLE, hole.what)
        return refused

    def _name(self, number: int) -> str:
        return decode_packed(self._entries.entry(number).raw)

"""What can be had of a zip whose directory is lost: a walk over its local headers.

A download that stopped has every photo but the last, and none of the directory, which comes at
the end. Each local header says how long its data is, so the walk reads some 100 bytes a member;
where a header or its sizes fail, the next mark is searched for.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.directory import SpannedZip, read_central_directory
from fertools.archive.entry import (
    DATA_DESCRIPTOR,
    DEFLATED,
    ENCRYPTED,
    IN_ZIP64,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    STORED,
    Entries,
    Entry,
    resolve_zip64,
)
from fertools.archive.members import MembersBuilder
from fertools.archive.names import decode_entry_name, drop_by_name
from fertools.archive.volumes import VolumeReader, parse_volume_name
from fertools.data import Drop, Reason, Unusable

_CHUNK = 1 << 20

# How far the next header may lie, in bytes: behind the longest photo that is read at all. Without
# it a sparse file of 1 TB would be searched for an hour.
_REACH = 256 << 20

# How many of the next marks may be chance: one photo in 2,000 holds one in its 2 MB. A zip made of
# nothing but marks would else be searched for each of them to its end.
_MOST_MARKS = 8

_HEADER = re.compile(re.escape(LOCAL_SIGNATURE))
_NEXT = re.compile(rb"PK(?:\x03\x04|\x01\x02)")  # a local header, or the directory's first line


def recover_entries(zipped: VolumeReader) -> Iterator[Entry]:
    """Yield the entries whose data is there from the first byte to the last, by their headers.

    A CRC is not computed here: reading the member does that. Raises OSError.
    """
    at = next(_marks(zipped, zipped.solid_from(0), _HEADER), None)
    while at is not None:
        entry = _entry(zipped, at)
        if entry:
            yield entry
        at = next(_marks(zipped, entry.end if entry else at + 1, _HEADER), None)


def _marks(zipped: VolumeReader, start: int, mark: re.Pattern[bytes]) -> Iterator[int]:
    """Give the offsets of a mark from `start` on, as far as it may reach; holes are jumped over."""
    left = _REACH
    at = zipped.solid_from(start)
    while at < zipped.size and left > 0:
        end = zipped.solid_until(at)
        # The first look is short: in a sound zip the next header stands right there.
        count = min(256 if at == start else _CHUNK, end - at)
        text = zipped.read(at, count)
        yield from (at + match.start() for match in mark.finditer(text))
        left -= count
        # Three bytes are seen twice, in case the mark lies across the border.
        at = zipped.solid_from(end) if at + count >= end else at + count - 3


def _entry(zipped: VolumeReader, at: int) -> Entry | None:
    """Read the local header at an offset; None if it is none or its data is not whole."""
    until = zipped.solid_until(at)
    if at + LOCAL_HEADER.size > until:
        return None
    header = LOCAL_HEADER.unpack(zipped.read(at, LOCAL_HEADER.size))
    (_, _, flags, method, _, _, crc, packed, size, name_length, extra_length) = header
    data_at = at + LOCAL_HEADER.size + name_length + extra_length
    if not name_length or data_at > until:
        return None
    text = zipped.read(at + LOCAL_HEADER.size, name_length + extra_length)
    raw, extra = text[:name_length], text[name_length:]
    if IN_ZIP64 in (size, packed):
        size, packed = resolve_zip64(extra, size, packed)
    if flags & DATA_DESCRIPTOR and not packed:
        behind = _sizes_behind(zipped, data_at)
        if behind is None:
            return None
        crc, packed, size = behind
    if data_at + packed > until:
        return None
    return Entry(raw, at, packed, size, method, crc, flags)


def _sizes_behind(zipped: VolumeReader, data_at: int) -> tuple[int, int, int] | None:
    """Find crc, packed and unpacked size behind data of unknown length.

    They stand in front of the next header, in one of four forms (with a mark or without, sizes in
    4 bytes or in 8), and are the right ones if the packed size is the distance from the data.
    """
    until = zipped.solid_until(data_at)
    # A cut may leave none of the next header, or too little of its mark to know it by.
    stumps = range(until, until - len(LOCAL_SIGNATURE), -1)
    for mark in chain(islice(_marks(zipped, data_at, _NEXT), _MOST_MARKS), stumps):
        for width, marked in ((4, 4), (4, 0), (8, 4), (8, 0)):
            packed = mark - data_at - (marked + 4 + 2 * width)
            if packed < 0 or mark > until:
                continue
            text = zipped.read(mark - 4 - 2 * width, 4 + 2 * width)
            if int.from_bytes(text[4 : 4 + width], "little") == packed:
                crc = int.from_bytes(text[:4], "little")
                return crc, packed, int.from_bytes(text[4 + width :], "little")
    return None


#: Entries whose names are Python objects at once.
_AT_ONCE: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Contents:
    """What a zip holds, by offset; where that ends; and what is wrong with it, a line each."""

    entries: Entries
    end: int
    faults: tuple[str, ...]


def list_entries(zipped: VolumeReader) -> Contents:
    """List a zip's entries by its directory, or by its local headers where that is lost.

    Raises SplitSet for the last file of a `.z01` set, and OSError if the zip cannot be read.
    """
    faults = zipped.layout.faults
    try:
        directory = read_central_directory(zipped)
    except SpannedZip:
        raise
    except Unusable as damage:
        entries = Entries.of(recover_entries(zipped))
        return Contents(entries, zipped.size, (*faults, _without_directory(zipped, damage)))
    entries = directory.entries.by_offset()
    faults += directory.faults + tuple(_strangers(zipped, entries))
    return Contents(entries, directory.start, faults)


def _without_directory(zipped: VolumeReader, damage: Unusable) -> str:
    said = damage.drop.detail or str(damage.drop.reason)
    numbered = parse_volume_name(zipped.layout.path) is not None
    last = zipped.layout.pieces[-1].name
    return f"{said}; {last} is its last piece here, is there another?" if numbered else said


def _strangers(zipped: VolumeReader, entries: Entries) -> Iterator[str]:
    """Name each piece that does not hold what the directory says, by the first entry in it.

    One read a piece: two pieces with their names swapped fit in every number.
    """
    offsets = entries.fields["offset"]
    for piece in zipped.layout.pieces:
        index = int(np.searchsorted(offsets, piece.start))
        if index == len(entries) or int(offsets[index]) + len(LOCAL_SIGNATURE) > piece.end:
            continue
        if zipped.read(int(offsets[index]), len(LOCAL_SIGNATURE)) != LOCAL_SIGNATURE:
            yield f"{piece.name} does not hold what the directory says: swapped or damaged"


def add_members(draft: MembersBuilder, zipped: VolumeReader, contents: Contents) -> None:
    """Add a zip's entries to a draft, in the order of their offsets; folders are left out."""
    listed = _Listed(zipped, contents)
    order = listed.order()
    for first in range(0, len(order), _AT_ONCE):
        listed.add(draft, order[first : first + _AT_ONCE])


class _Listed:
    """The entries of one zip, by offset, and which of them may be unusable."""

    def __init__(self, zipped: VolumeReader, contents: Contents) -> None:
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

    def add(self, draft: MembersBuilder, numbers: NDArray[np.int64]) -> None:
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
            name = decode_entry_name(raw)
            used.append(at)
            keys.append(f"{self._container}/{name}")
            drops.append(self._refusal(i, name) if self._doubtful[i] else drop_by_name(name))
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
        return decode_entry_name(self._entries.entry(number).raw)

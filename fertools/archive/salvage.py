"""What can be had of a zip whose directory is lost: a walk over its local headers.

A download that stopped has every photo but the last, and none of the directory, which comes at
the end. Each local header says how long its data is, so the walk reads some 100 bytes a member;
where a header or its sizes fail, the next mark is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice

from fertools.archive.entry import (
    LOCAL,
    LOCAL_MARK,
    SEE_ZIP64,
    SIZES_BEHIND,
    Entry,
    widen,
)
from fertools.archive.joined import Joined

_CHUNK = 1 << 20

# How far the next header may lie, in bytes: behind the longest photo that is read at all. Without
# it a sparse file of 1 TB would be searched for an hour.
_REACH = 256 << 20

# How many of the next marks may be chance: one photo in 2,000 holds one in its 2 MB. A zip made of
# nothing but marks would else be searched for each of them to its end.
_MOST_MARKS = 8

_HEADER = re.compile(re.escape(LOCAL_MARK))
_NEXT = re.compile(rb"PK(?:\x03\x04|\x01\x02)")  # a local header, or the directory's first line


def salvage(zipped: Joined) -> Iterator[Entry]:
    """Yield the entries whose data is there from the first byte to the last, by their headers.

    A CRC is not computed here: reading the member does that. Raises OSError.
    """
    at = next(_marks(zipped, zipped.solid_from(0), _HEADER), None)
    while at is not None:
        entry = _entry(zipped, at)
        if entry:
            yield entry
        at = next(_marks(zipped, entry.end if entry else at + 1, _HEADER), None)


def _marks(zipped: Joined, start: int, mark: re.Pattern[bytes]) -> Iterator[int]:
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


def _entry(zipped: Joined, at: int) -> Entry | None:
    """Read the local header at an offset; None if it is none or its data is not whole."""
    until = zipped.solid_until(at)
    if at + LOCAL.size > until:
        return None
    header = LOCAL.unpack(zipped.read(at, LOCAL.size))
    (_, _, flags, method, _, _, crc, packed, size, name_length, extra_length) = header
    data_at = at + LOCAL.size + name_length + extra_length
    if not name_length or data_at > until:
        return None
    text = zipped.read(at + LOCAL.size, name_length + extra_length)
    raw, extra = text[:name_length], text[name_length:]
    if SEE_ZIP64 in (size, packed):
        size, packed = widen(extra, size, packed)
    if flags & SIZES_BEHIND and not packed:
        behind = _sizes_behind(zipped, data_at)
        if behind is None:
            return None
        crc, packed, size = behind
    if data_at + packed > until:
        return None
    return Entry(raw, at, packed, size, method, crc, flags)


def _sizes_behind(zipped: Joined, data_at: int) -> tuple[int, int, int] | None:
    """Find crc, packed and unpacked size behind data of unknown length.

    They stand in front of the next header, in one of four forms (with a mark or without, sizes in
    4 bytes or in 8), and are the right ones if the packed size is the distance from the data.
    """
    until = zipped.solid_until(data_at)
    # A cut may leave none of the next header, or too little of its mark to know it by.
    stumps = range(until, until - len(LOCAL_MARK), -1)
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

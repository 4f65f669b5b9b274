"""The fields of one zip entry, as the central directory or a local header states them."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from struct import Struct, iter_unpack, unpack_from
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.data import Drop, Reason

# The local file header (APPNOTE 4.3.7): signature, version, flags, method, time, date, crc-32,
# compressed and uncompressed size, length of the name, length of the extra field.
LOCAL_HEADER = Struct("<4s5H3L2H")
LOCAL_SIGNATURE = b"PK\x03\x04"

ENCRYPTED = 0x0001  # flag bits, APPNOTE 4.4.4
DATA_DESCRIPTOR = 0x0008  # crc and sizes follow the data, and are 0 in the local header
IN_ZIP64 = 0xFFFF_FFFF  # means: the zip64 extra field holds this size or offset

STORED, DEFLATED, DEFLATE64 = 0, 8, 9


@cache
def readable_methods() -> tuple[int, ...]:
    """Return the methods of packing that can be read: deflate64 needs the package inflate64."""
    return (STORED, DEFLATED, DEFLATE64)[: 3 if find_spec("inflate64") else 2]


#: The fields of an `Entry` as an array row: objects would take ten times the memory.
ENTRY_DTYPE: Final = np.dtype(
    [
        ("name_at", "<i8"),
        ("name_length", "<i4"),
        ("offset", "<i8"),
        ("packed", "<i8"),
        ("size", "<i8"),
        ("method", "<u2"),
        ("crc", "<u4"),
        ("flags", "<u2"),
        ("mode", "<u4"),
    ]
)

#: No file is so large. Larger sizes and offsets are reduced to this number, so that two of them
#: can be added in 64 bits.
_MAX_OFFSET: Final = 1 << 61
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One header of the central directory, or one local header if the directory is lost.

    offset  offset of the local header from the first byte of the zip
    packed  compressed size in bytes; `size` is the uncompressed size
    mode    Unix file mode, 0 if unknown
    """

    name: bytes
    offset: int
    packed: int
    size: int
    method: int
    crc: int
    flags: int
    mode: int = 0

    @property
    def end(self) -> int:
        """The lowest offset at which the next entry can begin."""
        return self.offset + LOCAL_HEADER.size + len(self.name) + self.packed

    def drop_reason(self, limit: int) -> Drop | None:
        """Return why the entry cannot be a usable photo, whatever its name; None if it can.

        `limit` is the offset where the next entry, or the directory, begins. An entry that reaches
        beyond it shares packed bytes with another entry: in this way a zip of 42 kB unpacks to
        5 GB (D. Fifield, A better zip bomb, WOOT 2019).
        """
        kind = stat.S_IFMT(self.mode)
        if kind not in (0, stat.S_IFREG):
            noun = "a link" if kind == stat.S_IFLNK else "a device or pipe"
            return Drop(Reason.UNREADABLE, f"{noun} inside the zip, not a file")
        if self.flags & ENCRYPTED:
            return Drop(Reason.ENCRYPTED, "behind a password")
        if self.method not in readable_methods():
            method = _METHODS.get(self.method, "unknown")
            cure = ": pip install 'fertools[deflate64]'" if self.method == DEFLATE64 else ""
            return Drop(Reason.UNREADABLE, f"packed with method {self.method} ({method}){cure}")
        if self.size == 0:
            return Drop(Reason.EMPTY)
        if self.offset < 0 or self.end > limit:
            return Drop(Reason.UNREADABLE, "its bytes overlap those of another entry")
        return None


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a zip as an array.

    text    bytes that contain the names of the entries
    fields  one row of ENTRY_DTYPE per entry, in the order of the directory or of the offsets
    """

    text: bytes
    fields: NDArray[Any]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        text = bytearray()
        rows = []
        for entry in entries:
            numbers = map(clamp, (entry.offset, entry.packed, entry.size))
            rest = (entry.method, entry.crc, entry.flags, entry.mode)
            rows.append((len(text), len(entry.name), *numbers, *rest))
            text += entry.name
        return cls(bytes(text), np.array(rows, dtype=ENTRY_DTYPE))

    def __len__(self) -> int:
        return len(self.fields)

    def by_offset(self) -> Entries:
        """Return the entries ordered by offset; entries with equal offsets keep their order."""
        order = np.argsort(self.fields["offset"], kind="stable")
        return Entries(self.text, self.fields[order])

    def entry(self, number: int) -> Entry:
        at, length, *numbers = self.fields[number].item()
        return Entry(self.text[at : at + length], *numbers)

    def ends(self) -> NDArray[np.int64]:
        """Return the `end` of each entry, int64."""
        names, packed = self.fields["name_length"], self.fields["packed"]
        ends: NDArray[np.int64] = self.fields["offset"] + LOCAL_HEADER.size + names + packed
        return ends


@dataclass(frozen=True, slots=True)
class ZipListing:
    """The entries of one zip, the offset where their data ends, and one line per fault."""

    entries: Entries
    end: int
    faults: tuple[str, ...] = ()


def clamp(number: int) -> int:
    """Limit a stated size or offset to +-_MAX_OFFSET."""
    return max(-_MAX_OFFSET, min(number, _MAX_OFFSET))


def resolve_zip64(extra: bytes, *fields: int) -> list[int]:
    """Replace each field that is IN_ZIP64 by its number in the zip64 extra field (4.5.3).

    The extra field holds size, packed size and offset, in this order, but only those that do not
    fit 32 bits. A field that is missing there stays IN_ZIP64, which lies outside the zip.
    """
    wide = iter(_zip64_numbers(extra))
    return [next(wide, field) if field == IN_ZIP64 else field for field in fields]


def _zip64_numbers(extra: bytes) -> list[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = unpack_from("<2H", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if kind == 1:
            return [number for (number,) in iter_unpack("<Q", body[: len(body) // 8 * 8])]
        at += 4 + length
    return []

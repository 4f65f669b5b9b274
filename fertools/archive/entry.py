"""What a zip says of one member, before anything of it is believed."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.names import decode_entry_name, drop_by_name
from fertools.data import Drop, Reason

# The local file header (APPNOTE 4.3.7): signature, version, flags, method, time, date, crc-32,
# compressed and uncompressed size, length of the name, length of the extra field.
LOCAL_HEADER = Struct("<4s5H3L2H")
LOCAL_SIGNATURE = b"PK\x03\x04"

ENCRYPTED = 0x0001  # flag bits, APPNOTE 4.4.4
DATA_DESCRIPTOR = 0x0008  # crc and sizes follow the data, and are 0 in the local header
IN_ZIP64 = 0xFFFF_FFFF  # a size or an offset that the zip64 extra field holds

STORED, DEFLATED = 0, 8

#: Fields of an entry that a directory is kept as: objects would take ten times the memory.
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

#: No file is as large. Fields of 64 bits that claim more are cut to it, so that two of them can be
#: added in 64 bits.
_MOST: Final = 1 << 61
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a zip's directory, or one local header where the directory is lost.

    raw     the name's bytes
    offset  of the local header, in bytes from the zip's first one
    packed  compressed size in bytes
    size    uncompressed size in bytes
    mode    a Unix file mode, 0 if none is given
    """

    raw: bytes
    offset: int
    packed: int
    size: int
    method: int
    crc: int
    flags: int
    mode: int = 0

    @property
    def name(self) -> str:
        """The name in NFC."""
        return decode_entry_name(self.raw)

    @property
    def end(self) -> int:
        """The least offset at which something else can begin."""
        return self.offset + LOCAL_HEADER.size + len(self.raw) + self.packed

    @property
    def is_folder(self) -> bool:
        """Whether it only says that a folder exists."""
        return self.raw[-1:] in (b"/", b"\\") and self.size == 0

    def refusal(self, name: str, limit: int) -> Drop | None:
        """Say why it is no usable photo, as far as name and fields tell; None if it may be one.

        `limit` is the offset where the next entry, or the directory, begins. Reaching beyond it
        is how a zip of 42 kB unpacks to 5 GB: its entries share their packed bytes (D. Fifield,
        A better zip bomb, WOOT 2019).
        """
        return drop_by_name(name) or self._unusable(limit)

    def _unusable(self, limit: int) -> Drop | None:
        kind = stat.S_IFMT(self.mode)
        if kind not in (0, stat.S_IFREG):
            said = "a link" if kind == stat.S_IFLNK else "a device or pipe"
            return Drop(Reason.UNREADABLE, f"{said} inside the zip, not a file")
        if self.flags & ENCRYPTED:
            return Drop(Reason.ENCRYPTED, "behind a password")
        if self.method not in (STORED, DEFLATED):
            said = _METHODS.get(self.method, "unknown")
            return Drop(Reason.UNREADABLE, f"packed with method {self.method} ({said})")
        if self.size == 0:
            return Drop(Reason.EMPTY)
        if self.offset < 0 or self.end > limit:
            return Drop(Reason.UNREADABLE, "its bytes overlap those of another entry")
        return None


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a zip as an array.

    text    holds their names
    fields  a row of FIELDS for each, in the order of the directory or of the offsets
    """

    text: bytes
    fields: NDArray[Any]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Entries:
        """Pack entries."""
        text = bytearray()
        rows = []
        for one in entries:
            numbers = (*map(clamp, (one.offset, one.packed, one.size)), one.method, one.crc)
            rows.append((len(text), len(one.raw), *numbers, one.flags, one.mode))
            text += one.raw
        return cls(bytes(text), np.array(rows, dtype=ENTRY_DTYPE))

    def __len__(self) -> int:
        return len(self.fields)

    def by_offset(self) -> Entries:
        """Return the entries as they lie in the zip; equal offsets stay in order."""
        order = np.argsort(self.fields["offset"], kind="stable")
        return Entries(self.text, self.fields[order])

    def entry(self, number: int) -> Entry:
        """Return one of them."""
        at, length, *numbers = self.fields[number].item()
        return Entry(self.text[at : at + length], *numbers)

    def ends(self) -> NDArray[np.int64]:
        """Return the `end` of each entry, int64."""
        names, packed = self.fields["name_length"], self.fields["packed"]
        ends: NDArray[np.int64] = self.fields["offset"] + LOCAL_HEADER.size + names + packed
        return ends


def clamp(number: int) -> int:
    """Return a claimed size or offset, cut to what a file can have."""
    return max(-_MOST, min(number, _MOST))


def resolve_zip64(extra: bytes, *fields: int) -> list[int]:
    """Replace each field that says so by its 64 bits from the zip64 extra field (4.5.3).

    The extra field holds, in this order, those of size, packed size and offset that did not fit;
    a field that it should hold and does not stays as it is, and leads outside the zip.
    """
    wide = iter(_zip64_numbers(extra))
    return [next(wide, field) if field == IN_ZIP64 else field for field in fields]


def _zip64_numbers(extra: bytes) -> list[int]:
    at = 0
    while at + 4 <= len(extra):
        kind = int.from_bytes(extra[at : at + 2], "little")
        length = int.from_bytes(extra[at + 2 : at + 4], "little")
        body = extra[at + 4 : at + 4 + length]
        if kind == 1:
            steps = range(0, len(body) - 7, 8)
            return [int.from_bytes(body[step : step + 8], "little") for step in steps]
        at += 4 + length
    return []

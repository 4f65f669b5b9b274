"""What a zip says of one member, before anything of it is believed."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from struct import Struct

from fertools.archive.names import decode_packed, refusal_by_name
from fertools.data import Drop, Reason

# The local file header (APPNOTE 4.3.7): signature, version, flags, method, time, date, crc-32,
# compressed and uncompressed size, length of the name, length of the extra field.
LOCAL = Struct("<4s5H3L2H")
LOCAL_MARK = b"PK\x03\x04"

ENCRYPTED = 0x0001  # flag bits, APPNOTE 4.4.4
SIZES_BEHIND = 0x0008  # crc and sizes follow the data, and are 0 in the local header
SEE_ZIP64 = 0xFFFF_FFFF  # a size or an offset that the zip64 extra field holds

_STORED, _DEFLATED = 0, 8
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
        return decode_packed(self.raw)

    @property
    def end(self) -> int:
        """The least offset at which something else can begin."""
        return self.offset + LOCAL.size + len(self.raw) + self.packed

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
        return refusal_by_name(name) or self._unusable(limit)

    def _unusable(self, limit: int) -> Drop | None:
        kind = stat.S_IFMT(self.mode)
        if kind not in (0, stat.S_IFREG):
            said = "a link" if kind == stat.S_IFLNK else "a device or pipe"
            return Drop(Reason.UNREADABLE, f"{said} inside the zip, not a file")
        if self.flags & ENCRYPTED:
            return Drop(Reason.ENCRYPTED, "behind a password")
        if self.method not in (_STORED, _DEFLATED):
            said = _METHODS.get(self.method, "unknown")
            return Drop(Reason.UNREADABLE, f"packed with method {self.method} ({said})")
        if self.size == 0:
            return Drop(Reason.EMPTY)
        if self.offset < 0 or self.end > limit:
            return Drop(Reason.UNREADABLE, "its bytes overlap those of another entry")
        return None


def widen(extra: bytes, *fields: int) -> list[int]:
    """Replace each field that says so by its 64 bits from the zip64 extra field (4.5.3).

    The extra field holds, in this order, those of size, packed size and offset that did not fit;
    a field that it should hold and does not stays as it is, and leads outside the zip.
    """
    wide = iter(_zip64_numbers(extra))
    return [next(wide, field) if field == SEE_ZIP64 else field for field in fields]


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

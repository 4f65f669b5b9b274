"""Writes zips byte by byte, so that any field of them can lie."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import pack

UTF8 = 0x0800
DIRECTORY_LINE = 46  # bytes before the name


@dataclass(frozen=True)
class Item:
    """A member as it should be written; None means the true value."""

    name: bytes
    data: bytes = b"photo"
    method: int = 0
    flags: int = 0
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    mode: int = 0
    at: int | None = None
    descriptor: str = ""

    def body(self) -> bytes:
        if self.method != 8:
            return self.data
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(self.data) + packer.flush()

    def numbers(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed = len(self.body()) if self.packed is None else self.packed
        return crc, packed, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        crc, packed, size = self.numbers()
        behind = b""
        flags = self.flags
        if self.descriptor:
            behind = pack("<L", crc) + pack(
                "<QQ" if "64" in self.descriptor else "<LL", packed, size
            )
            behind = (b"PK\x07\x08" if "mark" in self.descriptor else b"") + behind
            crc, packed, size, flags = 0, 0, 0, flags | 8
        head = pack("<4s5H3L", b"PK\x03\x04", 20, flags, self.method, 0, 33, crc, packed, size)
        return head + pack("<2H", len(self.name), 0) + self.name + self.body() + behind

    def line(self, at: int, *, zip64: bool = False) -> bytes:
        crc, packed, size = self.numbers()
        flags = self.flags | (8 if self.descriptor else 0)
        at = at if self.at is None else self.at
        extra = pack("<2H3Q", 1, 24, size, packed, at) if zip64 else b""
        if zip64:
            packed = size = at = 0xFFFFFFFF
        head = pack("<4s6H", b"PK\x01\x02", 0x0314, 20, flags, self.method, 0, 33)
        head += pack("<3L", crc, packed, size)
        head += pack("<5H2L", len(self.name), len(extra), 0, 0, 0, self.mode << 16, at)
        return head + self.name + extra


def write_zip(
    *items: Item,
    front: bytes = b"",
    comment: bytes = b"",
    claimed: int | None = None,
    disk: int = 0,
    zip64: bool = False,
    locator: int | None = None,
) -> bytes:
    """Return a zip's bytes. `locator` is the offset that a zip64 locator points to."""
    body = b""
    lines = b""
    for item in items:
        lines += item.line(len(body), zip64=zip64)
        body += item.local()
    count = len(items) if claimed is None else claimed
    tail = b""
    fields = (count, len(lines), len(body))
    if zip64:
        tail += pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, *fields)
        locator = len(body) + len(lines) if locator is None else locator
        fields = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    if locator is not None:
        tail += pack("<4sLQL", b"PK\x06\x07", 0, locator, 1)
    tail += pack("<4s4H2LH", b"PK\x05\x06", disk, disk, fields[0], *fields, len(comment))
    return front + body + lines + tail + comment

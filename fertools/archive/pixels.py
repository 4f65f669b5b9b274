"""Read pictures that a CSV stores as numbers, a member a row, without converting the file.

    emotion,pixels,Usage               the container fer2013.csv
    0,70 80 82 72 58 …,Training        its member fer0000000.png: offset, length, CRC of the line
    4,231 212 156 164 …,PublicTest     fer0000001.png

The bytes of a member are a gray PNG of the row's pixels. It is written without compression, so that
its size follows from the number of pixels, and its digest is the same everywhere. Only square
pictures are read: FER2013 and CK+ have 48 × 48 pixels, and no row states its width.
"""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isqrt
from typing import Final

from fertools.data import PIXEL_ROW, Drop, Member, Reason, Unusable, ZipLocation

#: The longest line that is read: a picture of 180 × 180 takes up to 130,000 bytes.
MAX_LINE_BYTES: Final = 1 << 17

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GRAY_8_BITS: Final = bytes([8, 0, 0, 0, 0])
_MAX_SIDE: Final = 180


@dataclass(frozen=True, slots=True)
class PixelRow:
    """One row: its number from 0, its line in the file, and its columns except `pixels`.

    pixels   how many numbers the column `pixels` has
    columns  by name in lower case, without blanks around names and values
    """

    number: int
    offset: int
    size: int
    crc: int
    pixels: int
    columns: dict[str, str] = field(default_factory=dict)


def read_rows(lines: Iterable[bytes]) -> Iterator[PixelRow]:
    """Yield the rows of a CSV, from its lines with their ends; empty lines are skipped.

    Raises Unusable (DAMAGED_ARCHIVE) if the first line does not name a column `pixels`, or if a
    line is too long.
    """
    names: list[str] = []
    offset, number = 0, 0
    for line in lines:
        start, offset = offset, offset + len(line)
        if len(line) > MAX_LINE_BYTES:
            raise _not_a_table(f"the line at byte {start:,} is too long")
        if not line.strip():
            continue
        values = _split(line)
        if not names:
            names = [name.strip().lower() for name in values]
            if "pixels" not in names:
                raise _not_a_table("its first line names no column pixels")
            continue
        columns = dict(zip(names, map(str.strip, values), strict=False))
        pixels = len(columns.pop("pixels", "").split())
        yield PixelRow(number, start, len(line), zlib.crc32(line), pixels, columns)
        number += 1


def make_row_member(table: Member, row: PixelRow, name: str) -> Member:
    """Return the member of a row; it is dropped if its pixels are no square picture."""
    side = isqrt(row.pixels)
    drop = None
    if not 0 < side <= _MAX_SIDE or side**2 != row.pixels:
        drop = Drop(Reason.DAMAGED, f"{row.pixels:,} pixels are no square picture")
    return Member(
        key=f"{table.key}/{name.format(row.number)}",
        container=table.key,
        path=table.path,
        size=0 if drop else _png_size(side),
        modified=table.modified,
        packed=ZipLocation(row.offset, row.size, PIXEL_ROW, row.crc),
        dropped=drop,
    )


def png_of_row(line: bytes) -> bytes:
    """Return the picture in a line of the CSV as PNG. The column `pixels` is the longest one.

    Raises Unusable (DAMAGED) if a pixel is no whole number from 0 to 255.
    """
    text = max(_split(line), key=len, default="")
    try:
        pixels = bytes(map(int, text.split()))
    except ValueError:
        detail = "a pixel of its row is no whole number from 0 to 255"
        raise Unusable(Reason.DAMAGED, detail) from None
    return _png(pixels, isqrt(len(pixels)))


def _split(line: bytes) -> list[str]:
    """Return the columns of a line. Without quotes `str.split` does, in a fifth of csv's time."""
    text = line.decode("utf-8-sig", "replace")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text.replace("\0", "")], skipinitialspace=True), [])
    except csv.Error:
        return []


def _not_a_table(detail: str) -> Unusable:
    return Unusable(Reason.DAMAGED_ARCHIVE, detail)


def _png(pixels: bytes, side: int) -> bytes:
    """Write a gray PNG (W3C PNG, third edition) whose zlib stream is one stored block."""
    rows = b"".join(b"\0" + pixels[y * side : (y + 1) * side] for y in range(side))
    block = struct.pack("<BHH", 1, len(rows), len(rows) ^ 0xFFFF) + rows  # RFC 1951, 3.2.4
    stream = b"\x78\x01" + block + struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">II", side, side) + _GRAY_8_BITS
    chunks = ((b"IHDR", header), (b"IDAT", stream), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _png_size(side: int) -> int:
    return len(_SIGNATURE) + 3 * 12 + 13 + 2 + 5 + side * (side + 1) + 4

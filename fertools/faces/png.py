"""PNG files: size, orientation, and whether every chunk is whole (W3C PNG, third edition).

\\x89PNG\\r\\n\\x1a\\n │ IHDR │ … │ IDAT │ … │ IEND │ anything
                   length, type, body, CRC-32 of type and body
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from fertools.faces.exif import UPRIGHT, read_orientation
from fertools.faces.header import Header, damaged, unsupported


def read_png(data: bytes) -> Header:
    """The header of a PNG that ends with IEND and whose checksums are right.

    Raises Unusable: UNSUPPORTED for an animation, DAMAGED for the rest.
    """
    size, orientation = (0, 0), UPRIGHT
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            size = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
        elif kind == b"acTL":
            raise unsupported("animated PNG")
        elif kind == b"eXIf":
            orientation = read_orientation(bytes(body))
    return Header("PNG", *size, orientation)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position = memoryview(data), 8
    while position + 12 <= len(data):
        body = position + 8
        end = body + int.from_bytes(view[position : position + 4])
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4]):
            break
        kind = bytes(view[position + 4 : body])
        yield kind, view[body:end]
        if kind == b"IEND":
            return
        position = end + 4
    raise damaged(f"a PNG that is cut or altered: byte {position:,} begins no whole chunk")

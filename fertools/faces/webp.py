"""WebP files: size and orientation (RFC 9649).

RIFF size WEBP │ VP8 size …                 one lossy picture
               │ VP8L size …                one lossless picture
               │ VP8X size … │ … │ EXIF …   any of them with extras, or an animation
"""

from __future__ import annotations

from collections.abc import Iterator

from fertools.faces.exif import UPRIGHT, read_orientation
from fertools.faces.header import Header, damaged, unsupported


def read_webp(data: bytes) -> Header:
    """The header of a WebP with one picture.

    Raises Unusable: UNSUPPORTED for an animation, DAMAGED where bytes are missing.
    """
    size, orientation = None, UPRIGHT
    for kind, body in _webp_chunks(data):
        if kind in (b"ANIM", b"ANMF"):
            raise unsupported("animated WebP")
        if kind == b"VP8X" and size is None:
            size = 1 + _little(body[4:7]), 1 + _little(body[7:10])
        elif kind == b"VP8 " and size is None:
            # after a frame tag of 3 bytes and a start code of 3: 14 bits and 2 of scaling, twice
            size = _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
        elif kind == b"VP8L" and size is None:
            bits = _little(body[1:5])  # after a signature byte: 14 bits each, less one
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            orientation = read_orientation(bytes(body).removeprefix(b"Exif\0\0"))
    if size is None:
        raise damaged("a WebP without a picture")
    return Header("WebP", *size, orientation)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position, end = memoryview(data), 12, 8 + _little(data[4:8])
    if end > len(data):
        raise damaged(f"a WebP that is cut: {len(data):,} of {end:,} bytes")
    while position + 8 <= end:
        length = _little(view[position + 4 : position + 8])
        yield bytes(view[position : position + 4]), view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _little(data: bytes | memoryview) -> int:
    return int.from_bytes(data, "little")

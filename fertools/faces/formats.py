"""Which format the bytes are in, whatever the name says, and whether they may be decoded."""

from __future__ import annotations

from collections.abc import Callable

from fertools.data import Reason, Unusable
from fertools.faces.bmp import read_bmp
from fertools.faces.header import Header, damaged, unsupported
from fertools.faces.jpeg import read_jpeg
from fertools.faces.png import read_png
from fertools.faces.webp import read_webp

# offset of the signature, the signature, who reads on
_READERS: tuple[tuple[int, bytes, Callable[[bytes], Header]], ...] = (
    (0, b"\xff\xd8\xff", read_jpeg),
    (0, b"\x89PNG\r\n\x1a\n", read_png),
    (8, b"WEBP", read_webp),
    (0, b"BM", read_bmp),
)

# OpenCV would read some of these too. They are where its holes are, and of several pictures in
# one file it gives the first without a word.
_FOREIGN = (
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftyp", "a video"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\3\4", "a zip archive"),
)


def read_header(data: bytes, max_pixels: int) -> Header:
    """Format, size and orientation of a photo, from its first bytes and its markers.

    Raises Unusable: EMPTY, UNSUPPORTED (with the format's name), DAMAGED where the file is cut
    or its checksums are wrong, TOO_LARGE where it has more than `max_pixels` pixels.
    """
    if not data:
        raise Unusable(Reason.EMPTY, "no bytes")
    for offset, signature, read in _READERS:
        if data.startswith(signature, offset):
            return _within_limits(read(data), max_pixels)
    raise unsupported(f"{_foreign_name(data)}, not JPEG, PNG, WebP or BMP")


def _within_limits(header: Header, max_pixels: int) -> Header:
    size = f"{header.width}×{header.height} pixels"
    if header.width < 1 or header.height < 1:
        raise damaged(size)
    if header.width * header.height > max_pixels:
        raise Unusable(Reason.TOO_LARGE, f"{size}; the limit is {max_pixels:,} in all")
    return header


def _foreign_name(data: bytes) -> str:
    for offset, signature, name in _FOREIGN:
        if data.startswith(signature, offset):
            return name
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<"):
        return "SVG" if b"<svg" in start else "a web page or other markup"
    return "unknown bytes"

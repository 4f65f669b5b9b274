r"""Read format, size and EXIF orientation of a photo without decoding pixels; turn it upright.

PNG   \x89PNG\r\n\x1a\n │ IHDR │ … │ IDAT │ … │ IEND │ anything        (W3C PNG, third edition)
                        length, type, body, CRC-32 of type and body
WebP  RIFF size WEBP │ VP8 size …                 one lossy picture    (RFC 9649)
                     │ VP8L size …                one lossless picture
                     │ VP8X size … │ … │ EXIF …   any of them with extras, or an animation
BMP   BM size reserved offset │ header size  width  height  planes  bits  compression …
      0                       │ 14           18     22      26      28    30
      (Microsoft's BITMAPINFOHEADER and the OS/2 header before it)

EXIF orientations: the position of the stored picture, and how to turn it upright.

1 upright          5 as 6, mirrored
2 as 1, mirrored   6 the top is at the right: turn clockwise
3 upside down      7 as 8, mirrored
4 as 3, mirrored   8 the top is at the left: turn counter-clockwise
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Reason, Unusable
from fertools.faces.tiff import tiff_size

UPRIGHT = 1

_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION_TAG = 0x0112  # the tag in EXIF 2.32, table 4
_TYPE_BYTES = {3: 2, 4: 4}  # bytes by TIFF type: SHORT is the standard, some cameras write LONG

_UNCOMPRESSED = (0, 3, 6)  # BMP compression: none; colour bit masks without and with alpha


@dataclass(frozen=True, slots=True)
class Header:
    """The format by the first bytes, the stored size (not turned), the EXIF orientation 1 to 8."""

    format: Literal["JPEG", "PNG", "WebP", "BMP", "TIFF"]
    width: int
    height: int
    orientation: int = UPRIGHT

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height of the photo after turning."""
        return (self.width, self.height) if self.orientation < 5 else (self.height, self.width)


def damaged_error(detail: str) -> Unusable:
    """Return the exception for an incomplete or altered photo of a supported format."""
    return Unusable(Reason.DAMAGED, detail)


def unsupported_error(detail: str) -> Unusable:
    """Return the exception for a format that fertools does not read."""
    return Unusable(Reason.UNSUPPORTED, detail)


def read_png(data: bytes) -> Header:
    """Read the header of a PNG that ends with IEND and whose checksums are right.

    Raises Unusable: UNSUPPORTED for an animation, DAMAGED for a PNG cut short or altered.
    """
    size, orientation = (0, 0), UPRIGHT
    for kind, body in _png_chunks(data):
        if kind == b"IHDR":
            size = int.from_bytes(body[:4]), int.from_bytes(body[4:8])
        elif kind == b"acTL":
            raise unsupported_error("animated PNG")
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
    raise damaged_error(f"a PNG that is cut or altered: byte {position:,} begins no whole chunk")


def read_webp(data: bytes) -> Header:
    """Read the header of a WebP with one picture.

    Raises Unusable: UNSUPPORTED for an animation, DAMAGED if bytes are missing.
    """
    size, orientation = None, UPRIGHT
    for kind, body in _webp_chunks(data):
        if kind in (b"ANIM", b"ANMF"):
            raise unsupported_error("animated WebP")
        if kind == b"VP8X" and size is None:
            size = 1 + _little_endian(body[4:7]), 1 + _little_endian(body[7:10])
        elif kind == b"VP8 " and size is None:
            # behind a 3-byte frame tag and a 3-byte start code; 14 bits each, then 2 of scaling
            size = _little_endian(body[6:8]) & 0x3FFF, _little_endian(body[8:10]) & 0x3FFF
        elif kind == b"VP8L" and size is None:
            bits = _little_endian(body[1:5])  # behind a signature byte; 14 bits each, minus one
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            orientation = read_orientation(bytes(body).removeprefix(b"Exif\0\0"))
    if size is None:
        raise damaged_error("a WebP without a picture")
    return Header("WebP", *size, orientation)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position, end = memoryview(data), 12, 8 + _little_endian(data[4:8])
    if end > len(data):
        raise damaged_error(f"a WebP that is cut: {len(data):,} of {end:,} bytes")
    while position + 8 <= end:
        length = _little_endian(view[position + 4 : position + 8])
        yield bytes(view[position : position + 4]), view[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _little_endian(data: bytes | memoryview) -> int:
    return int.from_bytes(data, "little")


def read_bmp(data: bytes) -> Header:
    """Read the header of an uncompressed BMP.

    Raises Unusable: UNSUPPORTED for a compressed BMP (if such a file is cut short, OpenCV fills the
    rest without a warning), DAMAGED if the header is cut short.
    """
    if len(data) < 34:
        raise damaged_error("a BMP that is cut inside its header")

    def number(offset: int, width: int = 4) -> int:
        return int.from_bytes(data[offset : offset + width], "little", signed=width == 4)

    if number(14) == 12:
        return Header("BMP", number(18, 2), number(20, 2))
    if number(30) not in _UNCOMPRESSED:
        raise unsupported_error("compressed BMP")
    return Header("BMP", number(18), abs(number(22)))  # a negative height: first row on top


def read_tiff(data: bytes) -> Header:
    """Read the header of a plain gray TIFF (see tiff.py). Raises Unusable (UNSUPPORTED)."""
    return Header("TIFF", *tiff_size(data), read_orientation(data))


def read_orientation(tiff: bytes) -> int:
    """Return the orientation, 1 to 8, in a block of EXIF data (a small TIFF file).

    Returns UPRIGHT if the first directory has no legal value: some cameras write 0 or 99, and an
    offset may lie outside the block. Only this directory is read, so a loop of directories is safe.
    """
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT

    def number(offset: int, width: int) -> int:
        return int.from_bytes(tiff[offset : offset + width], order)

    directory = number(4, 4)
    end = min(directory + 2 + 12 * number(directory, 2), len(tiff) - 11)
    for entry in range(directory + 2, end, 12):
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, _TYPE_BYTES.get(number(entry + 2, 2), 0))
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def stored_rows(
    region: tuple[int, int, int, int], width: int, height: int, orientation: int
) -> int:
    """Return how many rows of the stored picture, from its first, hold a region of the upright one.

    region         x0, y0, x1, y1 in the upright picture; it may leave the picture
    width, height  of the upright picture
    """
    x0, y0, x1, y1 = region
    if orientation < 5:
        return y1 if orientation in (1, 2) else height - y0
    return x1 if orientation in (5, 8) else width - x0


def turn_upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a photo by its EXIF orientation; return the same array if it is upright.

    image   uint8 (H, W, 3), not written to; the result is (H, W, 3) or (W, H, 3)
    """
    turned: cv2.typing.MatLike = image
    if orientation in (5, 7):
        turned = cv2.transpose(turned)
    elif orientation in (6, 8):
        clockwise = orientation == 6
        code = cv2.ROTATE_90_CLOCKWISE if clockwise else cv2.ROTATE_90_COUNTERCLOCKWISE
        turned = cv2.rotate(turned, code)
    if orientation in (3, 7):
        turned = cv2.rotate(turned, cv2.ROTATE_180)
    elif orientation in (2, 4):
        turned = cv2.flip(turned, 1 if orientation == 2 else 0)
    return np.asarray(turned, np.uint8)

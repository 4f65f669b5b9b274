"""A gray picture as the bytes of a file, with nothing in them but the picture.

    PNG   signature │ IHDR  size, gray, 8 bits │ IDAT  filtered rows, deflated │ IEND
                                                       └─ each row less the one above it

Two choices of OpenCV's writer are made differently here. Every row is less the row above it ("up")
where libpng picks one of five filters a row, and no matches are looked for, only Huffman codes
made: that is written in 0.30 ms where OpenCV takes 0.84, and TensorFlow reads 3,130 of them a
second instead of 2,130, for 9 % more bytes. A decoder adds the rows up with vector instructions;
the other filters go from pixel to pixel.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.faces.recipe import FaceRecipe

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GRAY_8_BITS: Final = bytes([8, 0, 0, 0, 0])  # depth, colour, compression, filters, interlacing
_AS_IT_IS: Final = 0  # filters of a row
_UP: Final = 2
_BLOCK: Final = 0xFFFF  # bytes that a stored block holds at most

#: Where the rows of a raw crop begin, each a filter and its pixels: behind signature, IHDR, and
#: the heads of IDAT, zlib stream and block. They lie there in one piece if they fill one block.
RAW_ROWS: Final = 8 + 25 + 8 + 2 + 5


def lies_in_one_piece(size: int) -> bool:
    """Whether a raw crop's pixels can be had from RAW_ROWS on without looking for them."""
    return size * (size + 1) <= _BLOCK


def encode(gray: NDArray[np.uint8], recipe: FaceRecipe) -> bytes:
    """A gray picture, uint8 (H, W), as the recipe's image_format has it: PNG or JPEG bytes.

    `raw` is a PNG too, whose pixels are not compressed.
    """
    if recipe.image_format == "jpeg":
        jpeg: bytes = simplejpeg.encode_jpeg(
            gray[..., np.newaxis],
            quality=recipe.jpeg_quality,
            colorspace="GRAY",
            colorsubsampling="Gray",
            fastdct=False,
        )
        return jpeg
    return _png(gray, compressed=recipe.image_format == "png")


def _png(gray: NDArray[np.uint8], *, compressed: bool) -> bytes:
    height, width = gray.shape
    rows = np.empty((height, 1 + width), np.uint8)
    rows[:, 0] = _UP if compressed else _AS_IT_IS
    rows[:, 1:] = gray
    if compressed:
        rows[1:, 1:] -= gray[:-1]
    header = struct.pack(">II", width, height) + _GRAY_8_BITS
    pixels = _huffman(rows.tobytes()) if compressed else _stored(rows.tobytes())
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _huffman(rows: bytes) -> bytes:
    deflate = zlib.compressobj(level=1, strategy=zlib.Z_HUFFMAN_ONLY)
    return deflate.compress(rows) + deflate.flush()


def _stored(rows: bytes) -> bytes:
    """A zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4): what zlib's level 0 means.

    zlib's own differs in its blocks from version to version.
    """
    stream = [b"\x78\x01"]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        is_last = start + _BLOCK >= len(rows)
        stream += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*stream, struct.pack(">I", zlib.adler32(rows))])


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

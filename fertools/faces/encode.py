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
    deflate = zlib.compressobj(level=int(compressed), strategy=zlib.Z_HUFFMAN_ONLY)
    header = struct.pack(">II", width, height) + _GRAY_8_BITS
    pixels = deflate.compress(rows.data) + deflate.flush()
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

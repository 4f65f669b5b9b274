"""From a box to the finished picture: cut out, resize, make gray."""

from __future__ import annotations

import struct
import zlib
from math import atan2, cos, sin
from typing import Final

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.data import Box, Face
from fertools.faces.decode import Picture
from fertools.options import FaceOptions


def crop_gray(picture: Picture, face: Face, recipe: FaceOptions) -> NDArray[np.uint8]:
    """The face in gray: uint8 (size, size).

    Without margin, square and align this is the talk's recipe: the box as it is, stretched by
    `INTER_CUBIC`, then `COLOR_BGR2GRAY`. Otherwise the box grows around its centre:

        ┌──────────────────┐     margin m = share × longer side, on all four sides;
        │  m               │     square: the shorter side grows to the longer one first
        │   ┌──────────┐   │
        │ m │   box    │ m │     What would leave the photo is shifted back inside; where it is
        │   └──────────┘   │     larger than the photo, the photo's edge pixels are repeated.
        │  m               │
        └──────────────────┘

    align turns what is cut out around its own centre, until the eyes are level.

    Of a photo that was decoded in full the pixels are the talk's bit for bit. Otherwise what is cut
    out is made gray before it is resized: one channel to resize instead of three. That moves pixels
    by one or two gray levels; at a hard edge between saturated colours, whose overshoot is cut off
    channel by channel otherwise, by up to 20.
    """
    region = _region(picture, face.box, recipe)
    if recipe.align and face.landmarks:
        return _gray(_turned(picture, region, face.landmarks, recipe.size))
    found = _cut_out(picture, region)
    if picture.scale == 1:
        return _gray(_resized(found, recipe.size))
    return _resized(_gray(found), recipe.size)


def _region(picture: Picture, box: Box, recipe: FaceOptions) -> tuple[int, int, int, int]:
    """What is cut out, in the picture's pixels: x0, y0, x1, y1, not always inside it."""
    height, width = picture.image.shape[:2]
    small = picture.shrunk(box)
    x0, y0, x1, y1 = int(small.x0), int(small.y0), int(small.x1), int(small.y1)
    longer = max(x1 - x0, y1 - y0)
    margin = round(recipe.margin * longer)
    x0, x1 = _grow(x0, x1, longer if recipe.square else 0, margin, width)
    y0, y1 = _grow(y0, y1, longer if recipe.square else 0, margin, height)
    return x0, y0, x1, y1


def _cut_out(picture: Picture, region: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    height, width = picture.image.shape[:2]
    x0, y0, x1, y1 = region
    inside = picture.image[max(y0, 0) : y1, max(x0, 0) : x1]
    beyond = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
    if not any(beyond):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REPLICATE), np.uint8)


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _turned(
    picture: Picture,
    region: tuple[int, int, int, int],
    landmarks: tuple[float, ...],
    size: int,
) -> NDArray[np.uint8]:
    """The region turned around its centre and stretched, in one step.

    Takes output pixel (u, v) from   centre + turn · ((u, v) - middle) · (w, h) / size
    """
    x0, y0, x1, y1 = region
    across, down = picture.steps
    right_x, right_y, left_x, left_y = landmarks[:4]  # the person's: right is left in the photo
    angle = atan2((left_y - right_y) / down, (left_x - right_x) / across)
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    back = turn * [(x1 - x0) / size, (y1 - y0) / size]
    # A pixel's centre is half a pixel from its corner, where boxes begin.
    centre = np.array([x0 + x1 - 1, y0 + y1 - 1]) / 2
    shift = centre - back @ np.full(2, (size - 1) / 2)
    matrix = np.column_stack([back, shift])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(
        picture.image, matrix, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(turned, np.uint8)


def _grow(start: int, stop: int, least: int, margin: int, frame: int) -> tuple[int, int]:
    """One axis of a grown box, shifted so that it leaves the frame as little as it can.

    Example: 2..6 with a margin of 3 in a frame of 20 -> 0..10; in one of 7 -> -1..9
    """
    length = max(stop - start, least) + 2 * margin
    grown = start - (length - (stop - start)) // 2
    low, high = sorted((0, frame - length))
    grown = min(max(grown, low), high)
    return grown, grown + length


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


def encode(gray: NDArray[np.uint8], recipe: FaceOptions) -> bytes:
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

"""Read plain gray TIFF files: 8 bits a pixel, not compressed, one picture. JAFFE has such files.

    II*\\0  or  MM\\0*  │ offset of the directory │ … strips of rows … │ directory
    directory: count │ tag, type, count, value or its offset │ … │ offset of the next directory or 0

Other TIFF files are not read: OpenCV's decoder for them has a history of vulnerabilities. Source:
Adobe, TIFF revision 6.0, sections 2 to 4.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.data import Reason, Unusable

_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_SIZES: Final = {3: "H", 4: "L"}  # SHORT and LONG; baseline files use no other type for these tags
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _COUNTS = 273, 277, 279

#: The only values that are read, and those that the standard sets for a missing tag.
_PLAIN: Final = {_BITS: (8,), _COMPRESSION: (1,), _SAMPLES: (1,)}
_DEFAULTS: Final = {_BITS: (1,), _COMPRESSION: (1,), _SAMPLES: (1,)}

_Tags = dict[int, tuple[int, ...]]


def tiff_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a plain gray TIFF. Raises Unusable (UNSUPPORTED) for others."""
    tags = _read_tags(data)
    return tags[_WIDTH][0], tags[_HEIGHT][0]


def decode_tiff(data: bytes) -> NDArray[np.uint8]:
    """Decode a plain gray TIFF: uint8 (H, W), 0 is black. Raises Unusable (DAMAGED) if cut."""
    tags = _read_tags(data)
    width, height = tags[_WIDTH][0], tags[_HEIGHT][0]
    strips = zip(tags[_OFFSETS], tags[_COUNTS], strict=False)
    pixels = b"".join(data[offset : offset + count] for offset, count in strips)[: width * height]
    if len(pixels) < width * height:
        raise Unusable(Reason.DAMAGED, f"a TIFF with {len(pixels):,} of {width * height:,} pixels")
    gray = np.frombuffer(pixels, np.uint8).reshape(height, width)
    return gray if tags[_PHOTOMETRIC] == (1,) else 255 - gray  # 0: white is zero


def _read_tags(data: bytes) -> _Tags:
    order = _ORDERS.get(data[:4], "<")

    def unpack(kind: str, offset: int) -> tuple[int, ...]:
        return Struct(order + kind).unpack_from(data, offset)

    try:
        tags = _DEFAULTS | _directory(unpack)
    except error:
        raise _unsupported() from None
    needed = {_WIDTH, _HEIGHT, _PHOTOMETRIC, _OFFSETS, _COUNTS}
    is_plain = all(tags[tag] == value for tag, value in _PLAIN.items())
    if not needed <= tags.keys() or not is_plain or tags[_PHOTOMETRIC] not in ((0,), (1,)):
        raise _unsupported()
    return tags


def _directory(unpack: Callable[[str, int], tuple[int, ...]]) -> _Tags:
    """Return the tags of the first directory. Raises struct.error outside the file."""
    (start,) = unpack("L", 4)
    (entries,) = unpack("H", start)
    tags: _Tags = {}
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = unpack("HHL", at)
        size = _SIZES.get(kind)
        if size is None or count > 1 << 16:
            continue
        inline = count * (2 if size == "H" else 4) <= 4
        tags[tag] = unpack(f"{count}{size}", at + 8 if inline else unpack("L", at + 8)[0])
    if unpack("L", start + 2 + 12 * entries) != (0,):
        raise error("several pictures")
    return tags


def _unsupported() -> Unusable:
    return Unusable(Reason.UNSUPPORTED, "TIFF other than gray, 8 bits, uncompressed")

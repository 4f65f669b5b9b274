"""EXIF orientation: how the camera was held, and how to turn the photo upright.

1 upright          5 as 6, mirrored
2 as 1, mirrored   6 the top is at the right: turn clockwise
3 upside down      7 as 8, mirrored
4 as 3, mirrored   8 the top is at the left: turn counter-clockwise
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_TAG = 0x0112  # "Orientation" in EXIF 2.32, table 4
_WIDTHS = {3: 2, 4: 4}  # bytes in a SHORT, which it should be, and in a LONG, which some write


def read_orientation(tiff: bytes) -> int:
    """The orientation, 1 to 8, that a block of EXIF data (a small TIFF file) asks for.

    Whatever is not a legal value in the first directory means upright: 0 and 99, which cameras
    write, offsets that point outside, directories that never end. Only the first directory is
    read, so there is no chain of them to loop in.
    """
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT

    def number(offset: int, width: int) -> int:
        return int.from_bytes(tiff[offset : offset + width], order)

    directory = number(4, 4)
    end = min(directory + 2 + 12 * number(directory, 2), len(tiff) - 11)
    for entry in range(directory + 2, end, 12):
        if number(entry, 2) == _TAG:
            value = number(entry + 8, _WIDTHS.get(number(entry + 2, 2), 0))
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def turn_upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The photo as it was seen; the same array where it is upright already.

    uint8 (H, W, 3) in, (H, W, 3) or (W, H, 3) out, not written to.
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

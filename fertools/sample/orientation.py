"""Orientation: how a phone lies when it takes a photo, and the tag that says so (EXIF 2.3, 4.6.4).

tag   the upright photo is the stored one …       share in the archive
 1    as it is                                     59.5 %
 2    mirrored left to right                        0.4 %
 3    turned by 180°                               25.2 %
 4    mirrored top to bottom                        5.8 %
 5    transposed                                      –
 6    turned clockwise                                –
 7    transposed and turned by 180°                   –
 8    turned anticlockwise                          0.4 %
 0    as it is; no legal value, written all the same }
none  as it is                                       } 8.6 %
"""

from __future__ import annotations

import struct

import cv2
import numpy as np

from fertools.sample.canvas import Pixels

ORIENTATION_TAG = 0x0112
SHORT = 3

# Sums to 99.9 %, as published; 0 and none share their 8.6 %.
SHARES: dict[int | None, float] = {
    1: 0.595,
    3: 0.252,
    None: 0.043,
    0: 0.043,
    4: 0.058,
    8: 0.004,
    2: 0.004,
}


def stored(upright: Pixels, tag: int | None) -> Pixels:
    """Give the pixels as a camera stores them, so that applying the tag makes them upright."""
    match tag:
        case 2:
            turned = cv2.flip(upright, 1)
        case 3:
            turned = cv2.rotate(upright, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(upright, 0)
        case 5:
            turned = cv2.transpose(upright)
        case 6:
            turned = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(upright), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(upright, cv2.ROTATE_90_CLOCKWISE)
        case _:
            return upright
    return np.asarray(turned, np.uint8)


def tagged(jpeg: bytes, tag: int | None) -> bytes:
    """Give a JPEG with an EXIF segment that holds nothing but the orientation.

    SOI │ APP1 length "Exif" 0 0 │ "II" 42, directory at 8 │ 1 entry: tag type 1 value │ 0 │ …
    """
    if tag is None:
        return jpeg
    entry = struct.pack("<HHIHH", ORIENTATION_TAG, SHORT, 1, tag, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]

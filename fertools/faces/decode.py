"""Bytes to pixels, in full or not at all."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.faces.header import Header, damaged
from fertools.faces.jpeg import mended

Scale = Literal[1, 2, 4, 8]

# Colours as they are under any transparency, 16 bits cut to 8, and never turned: OpenCV obeys
# EXIF in JPEG, PNG and WebP if it is let, and then the photo would be turned twice.
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: bytes, header: Header, scale: Scale = 1) -> NDArray[np.uint8]:
    """The photo as it is stored, not yet turned upright: uint8 (H, W, 3) BGR.

    A JPEG comes at 1/`scale` of its size, rounded up; only JPEG can be decoded at a reduced
    size, so the other formats come in full whatever the scale. Colour profiles are ignored.
    Raises Unusable, DAMAGED, where the decoder does not get every pixel.
    """
    if header.format == "JPEG":
        image = _decode_jpeg(data, header, scale)
    else:
        image, scale = _decode_other(data, header), 1
    expected = -(-header.height // scale), -(-header.width // scale)
    if image.shape[:2] != expected:
        raise damaged(f"{header.format}: the picture is not of the size that its header states")
    return image


def _decode_jpeg(data: bytes, header: Header, scale: Scale) -> NDArray[np.uint8]:
    try:
        return _decode_strictly(data, header, scale)
    except ValueError as error:
        detail = f"the JPEG decoder says: {error}"
        whole = mended(data)
        if whole is None:
            raise damaged(detail) from error
    try:
        return _decode_strictly(whole, header, scale)
    except ValueError:
        raise damaged(detail) from None


def _decode_strictly(data: bytes, header: Header, scale: Scale) -> NDArray[np.uint8]:
    # The slow DCT and the smooth upsampling are what cv2.imdecode has: in full the pixels are
    # the same bit for bit. Either fast one changes them by up to 7 of 255.
    image: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        colorspace="BGR",
        fastdct=False,
        fastupsample=False,
        min_height=-(-header.height // scale),
        min_width=-(-header.width // scale),
        min_factor=scale,
        strict=True,
    )
    return image


def _decode_other(data: bytes, header: Header) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error as error:
        raise damaged(f"the {header.format} decoder says: {error.err}") from error
    if image is None:
        raise damaged(f"the {header.format} decoder refuses it")
    return np.asarray(image, np.uint8)

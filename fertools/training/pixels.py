"""A crop's bytes as the numbers that a network takes, without TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.errors import DatasetError


def pixels(image: bytes, size: int) -> NDArray[np.uint8]:
    """Decode a crop, PNG or JPEG: uint8 (size, size, 1), gray.

    Raises DatasetError where the bytes are no picture, or one of another size.
    """
    gray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DatasetError("an image in the dataset is damaged: put a whole copy back")
    if gray.shape != (size, size):
        found = "×".join(map(str, gray.shape[::-1]))
        raise DatasetError(f"an image of {found} pixels where {size}×{size} are meant")
    return np.asarray(gray, np.uint8)[..., np.newaxis]

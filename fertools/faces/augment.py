"""Augment crops offline as the reference pipeline does: warp, flip, noise, contrast stretch.

    crop ──warp──▶ turned, sheared, zoomed, shifted ──flip──▶ ──noise──▶ ──stretch──▶ 0 … 255

Source: the talk "커스텀 ResNet50 모델을 이용한 한국인 표정 인식기": Keras's ImageDataGenerator with
rotation_range 40, shifts 0.07, shear_range 0.2, zoom_range 0.2, horizontal_flip, fill_mode
"nearest", and a preprocessing_function that adds N(0, 1) · U(1, 5) and stretches min..max to
0..255. Two quirks of that generator are kept, because the talk's figures were made with them: shear
is in degrees, so 0.2 moves a corner by 0.4 pixel at most, and zoom differs between x and y.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.hashing import rank

ROTATION: Final = 40.0  # degrees, -40 to 40
SHIFT: Final = 0.07  # share of the side, -0.07 to 0.07
SHEAR: Final = 0.2  # degrees, -0.2 to 0.2
ZOOM: Final = 0.2  # factor 0.8 to 1.2, drawn for each axis
NOISE: Final = (1.0, 5.0)  # range of the standard deviation, in gray levels

Gray = NDArray[np.uint8]


def talk_augment(crop: Gray, seed: int, key: str, copy: int) -> Gray:
    """Return one augmented copy of a crop, which depends only on crop, seed, key and copy number.

    crop   uint8 (H, W), gray, not written to; the result has the same shape
    """
    random = np.random.default_rng(int.from_bytes(rank(seed, f"{copy} {key}", "augment"), "big"))
    height, width = crop.shape
    warp = talk_warp(random, width, height)
    warped = cv2.warpAffine(
        crop,
        warp.matrix(width, height),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    image = np.asarray(warped, np.float32)
    image = image[:, ::-1] if warp.flip else image
    noise = random.standard_normal(image.shape, np.float32) * np.float32(random.uniform(*NOISE))
    return _stretch(image + noise)


@dataclass(frozen=True, slots=True)
class Warp:
    """One random warp: angles in degrees, shifts in pixels; a zoom above 1 shrinks the picture."""

    rotation: float
    shear: float
    shift_x: float
    shift_y: float
    zoom_x: float
    zoom_y: float
    flip: bool

    def matrix(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the matrix from warped pixels (x, y, 1) to source pixels (x, y): float64 (2, 3).

        M = O · R · T · S · Z · O⁻¹ about ((width - 1) / 2, (height - 1) / 2), as in Keras.
        """
        r, s = radians(self.rotation), radians(self.shear)
        to_centre = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
        turn = np.array([[cos(r), sin(r), 0], [-sin(r), cos(r), 0], [0, 0, 1]])
        shift = np.array([[1, 0, self.shift_x], [0, 1, self.shift_y], [0, 0, 1]])
        shear = np.array([[cos(s), 0, 0], [-sin(s), 1, 0], [0, 0, 1]])
        zoom = np.diag([self.zoom_x, self.zoom_y, 1.0])
        whole = to_centre @ turn @ shift @ shear @ zoom @ np.linalg.inv(to_centre)
        return np.asarray(whole[:2])


def talk_warp(random: np.random.Generator, width: int, height: int) -> Warp:
    """Draw one random warp within the talk's ranges."""
    return Warp(
        rotation=random.uniform(-ROTATION, ROTATION),
        shear=random.uniform(-SHEAR, SHEAR),
        shift_x=random.uniform(-SHIFT, SHIFT) * width,
        shift_y=random.uniform(-SHIFT, SHIFT) * height,
        zoom_x=random.uniform(1 - ZOOM, 1 + ZOOM),
        zoom_y=random.uniform(1 - ZOOM, 1 + ZOOM),
        flip=bool(random.random() < 0.5),
    )


def _stretch(image: NDArray[np.float32]) -> Gray:
    low, high = float(image.min()), float(image.max())
    scaled = (image - low) * (255 / max(high - low, 1e-6))
    return np.asarray(np.rint(scaled), np.uint8)

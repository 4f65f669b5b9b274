"""Fingerprints of one picture in many forms, and of other pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fertools.data import Fingerprint
from fertools.faces.fingerprint import fingerprint
from tests.faces.bytes_of import Image, encoded, picture

PHOTO = picture(600, 450)


def saved(image: Image, quality: int) -> Image:
    data = encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def resized(image: Image, part: float) -> Image:
    small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def brighter(image: Image, times: float = 1.0, plus: float = 0.0) -> Image:
    return np.asarray(cv2.convertScaleAbs(image, alpha=times, beta=plus), np.uint8)


def apart(a: Fingerprint, b: Fingerprint) -> int:
    """How many bits of the hashes differ."""
    return (int.from_bytes(a.hash, "big") ^ int.from_bytes(b.hash, "big")).bit_count()


def test_its_sizes() -> None:
    found = fingerprint(PHOTO)
    assert len(found.hash) == 32
    assert len(found.thumbnail) == 64 * 64


def test_the_thumbnail_is_the_photo_in_gray_row_by_row() -> None:
    photo = np.zeros((640, 480, 3), np.uint8)
    photo[:320] = (0, 0, 255)  # the upper half red, in BGR
    thumbnail = np.frombuffer(fingerprint(photo).thumbnail, np.uint8).reshape(64, 64)
    assert (thumbnail[:31] == 76).all()  # ITU-R BT.601: 0.299 of 255
    assert (thumbnail[33:] == 0).all()


@pytest.mark.parametrize(
    "copy",
    [
        resized(PHOTO, 1 / 2),
        resized(PHOTO, 1 / 4),
        saved(PHOTO, 20),
        brighter(PHOTO, plus=25),
        brighter(PHOTO, times=1.25),
        np.rot90(saved(np.ascontiguousarray(np.rot90(PHOTO)), 85), 3),
    ],
    ids=["half", "quarter", "quality 20", "brighter by 25", "1.25 times as bright", "turned"],
)
def test_a_copy_is_near(copy: Image) -> None:
    assert apart(fingerprint(PHOTO), fingerprint(copy)) <= 16


def test_another_picture_is_far() -> None:
    distances = [apart(fingerprint(PHOTO), fingerprint(picture(seed=seed))) for seed in range(1, 9)]
    assert min(distances) > 80


def test_the_brightest_quarter_does_not_count() -> None:
    # A ramp whose upper fifth one picture has burnt out and the other has not.
    ramp = np.linspace(0, 250, 640).astype(np.uint8)
    whole = np.repeat(np.repeat(ramp[:, None, None], 480, axis=1), 3, axis=2)
    whole[560:, 240:] = 255
    burnt = np.where(whole >= 200, 200, whole).astype(np.uint8)
    assert apart(fingerprint(whole), fingerprint(burnt)) == 0


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_one_colour_has_no_hash(level: int) -> None:
    assert fingerprint(np.full((300, 400, 3), level, np.uint8)).hash == bytes(32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (40, 30)])
def test_a_tiny_photo_has_one_too(shape: tuple[int, int]) -> None:
    assert len(fingerprint(np.zeros((*shape, 3), np.uint8)).thumbnail) == 4096


def test_the_photo_is_not_written_to_and_may_be_a_view() -> None:
    turned = np.rot90(PHOTO)
    turned.flags.writeable = False
    assert fingerprint(turned) == fingerprint(np.ascontiguousarray(turned))

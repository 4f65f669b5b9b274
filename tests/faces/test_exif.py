from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from fertools.data import Box
from fertools.faces.decode import read_header
from fertools.faces.extract import extract_face
from fertools.faces.header import read_orientation, turn_upright
from fertools.options import FaceOptions
from tests.faces.bytes_of import Image, chunk, encoded, exif, jpeg, picture, png, riff
from tests.faces.conftest import MakeDetector, face

UPRIGHT: Image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)

# UPRIGHT, [[0 1 2] [3 4 5]], as each orientation stores it
STORED = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[2, 5], [1, 4], [0, 3]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[3, 0], [4, 1], [5, 2]],
}


def stored_as(image: Image, orientation: int) -> Image:
    """The photo as a camera held in this orientation would store it."""
    height, width = image.shape[:2]
    places = np.arange(height * width).reshape(height, width)
    flipped = {
        1: places,
        2: places[:, ::-1],
        3: places[::-1, ::-1],
        4: places[::-1],
        5: places.T,
        6: places.T[::-1],
        7: places.T[::-1, ::-1],
        8: places.T[:, ::-1],
    }[orientation]
    return np.asarray(image.reshape(-1, 3)[flipped], np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_turned_upright(orientation: int) -> None:
    stored = np.array(STORED[orientation], np.uint8)[..., np.newaxis].repeat(3, axis=2)
    assert np.array_equal(turn_upright(stored, orientation), UPRIGHT)
    assert np.array_equal(stored_as(UPRIGHT, orientation), stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_a_turned_jpeg_gives_the_crop_and_box_of_the_upright_one(
    orientation: int, order: str, detecting: MakeDetector
) -> None:
    upright = picture(64, 96)
    data = jpeg(stored_as(upright, orientation), exif(orientation, order))
    detector = detecting([face(16, 8, 80, 56)])
    crop = extract_face(data, FaceOptions(size=32), detector)
    assert (crop.width, crop.height, crop.box) == (96, 64, Box(16, 8, 80, 56))
    assert np.abs(detector.seen[0].astype(int) - upright).mean() < 3  # JPEG costs a little


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_a_png_and_a_webp(orientation: int, detecting: MakeDetector) -> None:
    upright = picture()
    stored = stored_as(upright, orientation)
    height, width = stored.shape[:2]
    rows = np.ascontiguousarray(stored[..., ::-1])
    in_png = png(rows, (width, height), 8, 2, chunk(b"eXIf", exif(orientation)))
    lossless = encoded(".webp", stored, [cv2.IMWRITE_WEBP_QUALITY, 101])
    extended = b"\x08\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    block = (b"" if orientation % 2 else b"Exif\0\0") + exif(
        orientation
    )  # some write it as JPEG does
    in_webp = riff((b"VP8X", extended), (b"VP8L", lossless[20:]), (b"EXIF", block))
    for data in (in_png, in_webp):
        detector = detecting([face(0, 0, 9, 9)])
        extract_face(data, FaceOptions(), detector)
        assert np.array_equal(detector.seen[0], upright)


@pytest.mark.parametrize(
    "tiff",
    [
        exif(0),
        exif(9),
        exif(99),
        exif(6, kind=1),  # a type that no orientation has
        b"",
        b"MM\0*",
        b"MM\0*" + b"\xff" * 4,  # the directory lies outside
        b"MM\0*" + struct.pack(">IH", 0, 65535),  # and begins at its own beginning
        b"MM\0*" + struct.pack(">IH", 8, 65535) + b"\xff" * 12,  # more entries than bytes
        b"XX" + exif(6)[2:],
        exif(6)[:-6],  # cut inside the entry
        b"MM\0*" + struct.pack(">IHI", 8, 0, 8) + exif(6)[10:],  # the next directory is this one
    ],
)
def test_whatever_is_no_orientation_means_upright(tiff: bytes) -> None:
    assert read_orientation(tiff) == 1
    assert read_header(jpeg(picture(), tiff), 10_000).orientation == 1


def test_an_orientation_written_as_long_counts() -> None:
    assert read_orientation(exif(6, "<", kind=4)) == read_orientation(exif(6, ">", kind=4)) == 6


def test_an_upright_photo_is_not_copied() -> None:
    assert turn_upright(UPRIGHT, 1) is UPRIGHT

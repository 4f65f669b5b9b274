"""How large a photo is decoded, and that nobody who reads the boxes can tell."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from fertools.data import Box, Crop, Face
from fertools.faces.decode import Picture, Scale, choose_scale, expected_face_box
from fertools.faces.extract import extract_face
from fertools.faces.header import Header
from fertools.options import FaceOptions
from tests.faces.bytes_of import Image, encoded, exif, jpeg, picture
from tests.faces.test_exif import stored_as

LARGE = Header("JPEG", 4000, 3000)
EXACT = FaceOptions(exact=True)


@pytest.mark.parametrize(
    ("side", "options", "scale"),
    [
        (1792, FaceOptions(), 8),
        (1791, FaceOptions(), 4),
        (896, FaceOptions(), 4),
        (895, FaceOptions(), 2),
        (447, FaceOptions(), 1),
        (30, FaceOptions(), 1),
        (447, FaceOptions(size=112), 2),
        (747, FaceOptions(margin=0.1), 4),  # 747 and 75 on either side
        (746, FaceOptions(margin=0.1), 2),
        (4000, EXACT, 1),
    ],
)
def test_a_face_is_decoded_as_small_as_it_still_covers_the_crop(
    side: int, options: FaceOptions, scale: Scale
) -> None:
    assert choose_scale(Box(0, 0, side, side), LARGE, options) == scale


def test_the_shorter_side_counts_unless_the_crop_is_square() -> None:
    box = Box(0, 0, 800, 1000)
    assert choose_scale(box, LARGE, FaceOptions()) == 2
    assert choose_scale(box, LARGE, FaceOptions(square=True)) == 4


def test_the_network_never_sees_less_than_its_300_pixels() -> None:
    face = Box(0, 0, 2000, 2000)
    assert choose_scale(face, Header("JPEG", 4000, 2400), FaceOptions()) == 8
    assert choose_scale(face, Header("JPEG", 4000, 2399), FaceOptions()) == 4


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [(4000, 3000, 2), (3000, 4000, 2), (1440, 1083, 1), (2560, 1920, 2), (6431, 4951, 4)],
)
def test_the_first_guess_by_the_photos_size(width: int, height: int, scale: Scale) -> None:
    header = Header("JPEG", width, height)
    assert choose_scale(expected_face_box(header), header, FaceOptions()) == scale


class Finder:
    """Answers with one face, given in shares of the sides; keeps the sizes it was shown."""

    name = "finder"

    def __init__(self, *shares: float) -> None:
        self.shares = shares
        self.seen: list[tuple[int, ...]] = []

    def detect(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        self.seen.append((height, width))
        x0, y0, x1, y1 = self.shares
        box = Box(x0 * width, y0 * height, x1 * width, y1 * height)
        return [Face(box, 0.9, (box.x0, box.y0))]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Scale]:
    """The scales that photos are decoded at, in the order in which it happens."""
    scales: list[Scale] = []
    module = importlib.import_module("fertools.faces.decode")
    decode: Callable[..., Image] = module.decode

    def noting(data: bytes, header: Header, scale: Scale = 1) -> Image:
        scales.append(scale)
        return decode(data, header, scale)

    monkeypatch.setattr(module, "decode", noting)
    return scales


# Neither side can be divided by 2, 4 or 8; soft, as a photo is where it has 12 megapixels.
SOFT = cv2.resize(picture(301, 402), (1608, 1204), interpolation=cv2.INTER_CUBIC)
PHOTO = np.ascontiguousarray(SOFT[:1203, :1605], np.uint8)
SMALL = FaceOptions(size=64)  # a usual face of 300 pixels covers it at 1/4


def gray(crop: Crop) -> Image:
    data = np.frombuffer(crop.image, np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def far(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_a_usual_face_costs_one_small_decode(decoded: list[Scale]) -> None:
    finder = Finder(0.25, 0.25, 0.5, 0.6)
    crop = extract_face(jpeg(PHOTO), SMALL, finder)
    assert (decoded, finder.seen) == ([4], [(301, 402)])
    assert (crop.box, crop.width, crop.height) == (Box(401, 300, 802, 721), 1605, 1203)
    assert crop.landmarks == pytest.approx((401.25, 300.75))
    exact = extract_face(jpeg(PHOTO), FaceOptions(size=64, exact=True), finder)
    assert (decoded, exact.box) == ([4, 1], crop.box)
    assert far(gray(crop), gray(exact)) < 3


def test_exact_is_the_talks_pixels_bit_for_bit() -> None:
    data = jpeg(PHOTO)
    crop = extract_face(data, EXACT, Finder(0.25, 0.25, 0.5, 0.6))
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    face = cv2.resize(image[300:721, 401:802], (224, 224), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(gray(crop), cv2.cvtColor(face, cv2.COLOR_BGR2GRAY))


def test_a_small_face_is_decoded_again_larger_but_looked_for_once(decoded: list[Scale]) -> None:
    finder = Finder(0.5, 0.5, 0.601, 0.701)
    crop = extract_face(jpeg(PHOTO), SMALL, finder)  # 160 pixels wide
    assert (decoded, len(finder.seen)) == ([4, 2], 1)
    exact = extract_face(jpeg(PHOTO), FaceOptions(size=64, exact=True), finder)
    assert (crop.box, crop.width) == (exact.box, 1605)
    assert far(gray(crop), gray(exact)) < 3


def test_a_large_face_is_not_decoded_again(decoded: list[Scale]) -> None:
    extract_face(jpeg(PHOTO), SMALL, Finder(0.1, 0.1, 0.9, 0.9))
    assert decoded == [4]


def test_the_annotators_box_says_how_large_the_face_is(decoded: list[Scale]) -> None:
    finder, aihub = Finder(0.5, 0.5, 0.601, 0.701), FaceOptions(size=64, detector="aihub")
    extract_face(jpeg(PHOTO), aihub, finder, Box(770, 560, 970, 860))
    assert decoded == [2]
    extract_face(jpeg(PHOTO), aihub, finder, Box(700, 500, 960, 800))
    assert decoded == [2, 4]


def test_only_a_jpeg_comes_smaller(decoded: list[Scale]) -> None:
    finder = Finder(0.25, 0.25, 0.5, 0.6)
    crop = extract_face(encoded(".png", PHOTO), SMALL, finder)
    assert (len(decoded), finder.seen, crop.box) == (1, [(1203, 1605)], Box(401, 300, 802, 721))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_and_crops_of_turned_photos_are_upright_at_every_scale(orientation: int) -> None:
    finder = Finder(0.25, 0.25, 0.5, 0.6)
    data = jpeg(stored_as(PHOTO, orientation), exif(orientation))
    crop = extract_face(data, SMALL, finder)
    exact = extract_face(jpeg(PHOTO), FaceOptions(size=64, exact=True), finder)
    assert max(finder.seen[0]) == 402
    assert (crop.box, crop.width, crop.height) == (exact.box, 1605, 1203)
    assert far(gray(crop), gray(exact)) < 4


def test_a_box_is_shrunk_to_at_least_a_pixel() -> None:
    small = Picture(np.zeros((25, 50, 3), np.uint8), 4, 200, 99)
    assert small.shrink(Box(20, 20, 80, 99)) == Box(5, 5, 20, 25)
    assert small.shrink(Box(20, 20, 21, 21)) == Box(5, 5, 6, 6)

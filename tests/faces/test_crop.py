from __future__ import annotations

import cv2
import numpy as np
import pytest

from fertools.data import Box, Face
from fertools.errors import OptionError
from fertools.faces.crop import crop_gray
from fertools.faces.decode import Picture
from fertools.faces.extract import extract_face
from fertools.options import FaceOptions
from tests.faces.bytes_of import Image, encoded, exif, jpeg, picture
from tests.faces.conftest import MakeDetector, face

PHOTO = picture(100, 160)


def gray_crop(
    image: Image, box: Box, options: FaceOptions, landmarks: tuple[float, ...] = ()
) -> Image:
    height, width = image.shape[:2]
    return crop_gray(Picture(image, 1, width, height), Face(box, 0.9, landmarks), options)


def pixels(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def gray_of(image: Image, size: int) -> Image:
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY), np.uint8)


def test_the_default_is_the_talks_recipe_to_the_pixel(detecting: MakeDetector) -> None:
    data = encoded(".png", PHOTO)
    crop = extract_face(data, FaceOptions(), detecting([face(-2.5, 10.9, 70.2, 90.8)]))
    assert np.array_equal(pixels(crop.image), gray_of(PHOTO[10:90, 0:70], 224))
    assert (crop.box, crop.confidence, crop.faces) == (Box(0, 10, 70, 90), 0.9, 1)
    assert (crop.width, crop.height) == (160, 100)


def test_of_a_photo_decoded_smaller_soft_pixels_are_the_talks_to_two_gray_levels() -> None:
    half, face = Picture(PHOTO, 2, 320, 200), Face(Box(0, 20, 140, 180), 0.9)
    ours = crop_gray(half, face, FaceOptions()).astype(int)
    assert 0 < np.abs(ours - gray_of(PHOTO[10:90, 0:70], 224)).max() <= 2


@pytest.mark.parametrize(
    ("options", "region"),
    [
        (FaceOptions(size=32, margin=0.25), (50, 20, 110, 80)),  # 10 of 40 on each side
        (FaceOptions(size=32, square=True), (60, 30, 100, 70)),
        (FaceOptions(size=32, square=True, margin=0.5), (40, 10, 120, 90)),
    ],
)
def test_margin_and_square_grow_around_the_centre(
    options: FaceOptions, region: tuple[int, int, int, int]
) -> None:
    box = Box(60, 30, 100, 70)
    if options.square:
        box = Box(60, 35, 100, 65)
    x0, y0, x1, y1 = region
    expected = gray_of(PHOTO[y0:y1, x0:x1], 32)
    assert np.array_equal(gray_crop(PHOTO, box, options), expected)


def test_what_would_leave_the_photo_is_shifted_back_inside() -> None:
    options = FaceOptions(size=32, margin=0.25)
    corner = gray_crop(PHOTO, Box(0, 0, 40, 40), options)
    assert np.array_equal(corner, gray_of(PHOTO[0:60, 0:60], 32))
    corner = gray_crop(PHOTO, Box(120, 60, 160, 100), options)
    assert np.array_equal(corner, gray_of(PHOTO[40:100, 100:160], 32))


def test_where_the_photo_is_too_small_its_edges_are_repeated() -> None:
    wide = gray_crop(PHOTO, Box(40, 0, 120, 100), FaceOptions(size=32, margin=0.1))
    expected = np.pad(PHOTO[:, 30:130], ((10, 10), (0, 0), (0, 0)), "edge")
    assert np.array_equal(wide, gray_of(expected, 32))


def test_a_face_of_one_pixel() -> None:
    assert gray_crop(PHOTO, Box(5, 5, 6, 6), FaceOptions(size=16)).shape == (16, 16)


def test_align_turns_the_eyes_level_about_the_middle_of_the_box() -> None:
    blobs = picture(300, 300)
    box, options = Box(100, 80, 200, 220), FaceOptions(size=100, detector="yunet", align=True)
    centre, angle = (149.5, 149.5), 20
    turn = cv2.getRotationMatrix2D(centre, angle, 1)  # counter-clockwise as it is seen
    tilted = np.asarray(cv2.warpAffine(blobs, turn, (300, 300), flags=cv2.INTER_CUBIC), np.uint8)
    eyes = turn @ np.array([[120, 120, 1], [180, 120, 1]]).T
    landmarks = (*eyes[:, 0], *eyes[:, 1])
    level = gray_crop(tilted, box, options, landmarks)
    straight = gray_of(blobs[80:220, 100:200], 100)
    assert landmarks[1] - landmarks[3] > 15
    assert np.abs(level.astype(int) - straight)[10:-10, 10:-10].max() < 6
    assert np.abs(level.astype(int) - gray_of(tilted[80:220, 100:200], 100)).max() > 60
    already = gray_crop(blobs, box, options, (120, 120, 180, 120))
    assert np.abs(already.astype(int) - straight).max() < 3


def test_align_leaves_a_face_without_landmarks_as_it_is() -> None:
    box, options = Box(20, 20, 80, 80), FaceOptions(size=32, detector="yunet", align=True)
    assert np.array_equal(gray_crop(PHOTO, box, options), gray_of(PHOTO[20:80, 20:80], 32))


def test_align_needs_landmarks() -> None:
    with pytest.raises(OptionError, match="--detector yunet"):
        FaceOptions(align=True)


def test_no_metadata_survives(detecting: MakeDetector) -> None:
    secret = exif(1) + b"GPS 37.5N 127.0E"
    data = jpeg(PHOTO, secret)
    for options in (FaceOptions(), FaceOptions(image_format="jpeg")):
        crop = extract_face(data, options, detecting([face(0, 0, 50, 50)]))
        assert b"GPS" in data
        assert b"GPS" not in crop.image
        assert b"Exif" not in crop.image


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("detector", "haar"),
        ("runtime", "gpu"),
        ("precision", "f16"),
        ("on_many", "all"),
        ("image_format", "gif"),
        ("min_confidence", 1.5),
        ("min_confidence", float("nan")),
        ("size", 0),
        ("margin", -0.1),
        ("jpeg_quality", 101),
        ("max_pixels", 0),
    ],
)
def test_options_refuse_invalid_values_by_name(option: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"--{option.replace('_', '-')} {value}: (give|choose) "):
        FaceOptions(**{option: value})  # type: ignore[arg-type]

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fertools.data import Box
from fertools.errors import OptionError
from fertools.faces import FaceRecipe, cut
from fertools.faces.crop import crop_gray, encode
from tests.faces.bytes_of import Image, encoded, exif, jpeg, picture
from tests.faces.conftest import Tell, face

PHOTO = picture(100, 160)


def pixels(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def gray_of(image: Image, size: int) -> Image:
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY), np.uint8)


def test_the_default_is_the_talks_recipe_to_the_pixel(told: Tell) -> None:
    data = encoded(".png", PHOTO)
    crop = cut(data, FaceRecipe(), told([face(-2.5, 10.9, 70.2, 90.8)]))
    assert np.array_equal(pixels(crop.image), gray_of(PHOTO[10:90, 0:70], 224))
    assert (crop.box, crop.confidence, crop.faces) == (Box(0, 10, 70, 90), 0.9, 1)
    assert (crop.width, crop.height) == (160, 100)


@pytest.mark.parametrize(
    ("recipe", "region"),
    [
        (FaceRecipe(size=32, margin=0.25), (50, 20, 110, 80)),  # 10 of 40 on each side
        (FaceRecipe(size=32, square=True), (60, 30, 100, 70)),
        (FaceRecipe(size=32, square=True, margin=0.5), (40, 10, 120, 90)),
    ],
)
def test_margin_and_square_grow_around_the_centre(
    recipe: FaceRecipe, region: tuple[int, int, int, int]
) -> None:
    box = Box(60, 30, 100, 70)
    if recipe.square:
        box = Box(60, 35, 100, 65)
    x0, y0, x1, y1 = region
    expected = gray_of(PHOTO[y0:y1, x0:x1], 32)
    assert np.array_equal(crop_gray(PHOTO, box, recipe), expected)


def test_what_would_leave_the_photo_is_shifted_back_inside() -> None:
    recipe = FaceRecipe(size=32, margin=0.25)
    corner = crop_gray(PHOTO, Box(0, 0, 40, 40), recipe)
    assert np.array_equal(corner, gray_of(PHOTO[0:60, 0:60], 32))
    corner = crop_gray(PHOTO, Box(120, 60, 160, 100), recipe)
    assert np.array_equal(corner, gray_of(PHOTO[40:100, 100:160], 32))


def test_where_the_photo_is_too_small_its_edges_are_repeated() -> None:
    wide = crop_gray(PHOTO, Box(40, 0, 120, 100), FaceRecipe(size=32, margin=0.1))
    expected = np.pad(PHOTO[:, 30:130], ((10, 10), (0, 0), (0, 0)), "edge")
    assert np.array_equal(wide, gray_of(expected, 32))


def test_a_face_of_one_pixel() -> None:
    assert crop_gray(PHOTO, Box(5, 5, 6, 6), FaceRecipe(size=16)).shape == (16, 16)


def test_png_keeps_every_value_and_jpeg_is_smaller() -> None:
    gray = crop_gray(PHOTO, Box(0, 0, 100, 100), FaceRecipe())
    png = encode(gray, FaceRecipe())
    fine, coarse = (
        encode(gray, FaceRecipe(image_format="jpeg", jpeg_quality=quality)) for quality in (95, 40)
    )
    assert np.array_equal(pixels(png), gray)
    assert np.abs(pixels(fine).astype(int) - gray).max() < 12
    assert len(coarse) < len(fine) < len(png)
    assert fine.startswith(b"\xff\xd8\xff")


def test_no_metadata_survives(told: Tell) -> None:
    secret = exif(1) + b"GPS 37.5N 127.0E"
    data = jpeg(PHOTO, secret)
    for recipe in (FaceRecipe(), FaceRecipe(image_format="jpeg")):
        crop = cut(data, recipe, told([face(0, 0, 50, 50)]))
        assert b"GPS" in data
        assert b"GPS" not in crop.image
        assert b"Exif" not in crop.image


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("detector", "haar"),
        ("runtime", "gpu"),
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
def test_a_recipe_refuses_nonsense_by_name(option: str, value: object) -> None:
    with pytest.raises(OptionError, match=f"{option} is {value!r}; it must be"):
        FaceRecipe(**{option: value})  # type: ignore[arg-type]

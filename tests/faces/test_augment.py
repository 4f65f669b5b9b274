"""The talk's augmentation: what each step does to a crop."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.faces.augment import Warp, talk_augment, talk_warp

STILL = {
    "rotation": 0.0,
    "shear": 0.0,
    "shift_x": 0.0,
    "shift_y": 0.0,
    "zoom_x": 1.0,
    "zoom_y": 1.0,
    "flip": False,
}


def crop() -> NDArray[np.uint8]:
    image = np.zeros((64, 64), np.uint8)
    cv2.ellipse(image, (32, 32), (20, 26), 0, 0, 360, 180, -1)
    cv2.circle(image, (24, 26), 4, 30, -1)
    return image


def source(warp: Warp, x: float, y: float) -> list[float]:
    found: list[float] = (warp.matrix(64, 64) @ [x, y, 1]).round(6).tolist()
    return found


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({}, [10, 20]),
        ({"shift_x": 3.0, "shift_y": -2.0}, [13, 18]),
        ({"zoom_x": 0.5}, [31.5 + (10 - 31.5) / 2, 20]),
        ({"rotation": 90.0}, [20, 63 - 10]),
    ],
)
def test_each_parameter_moves_pixels_as_it_says(
    change: dict[str, float], where: list[float]
) -> None:
    assert source(Warp(**STILL | change), 10, 20) == where  # type: ignore[arg-type]


def test_shear_is_in_degrees_and_so_hardly_moves_anything() -> None:
    x, y = source(Warp(**STILL | {"shear": 0.2}), 63, 0)  # type: ignore[arg-type]
    assert 0 < abs(x - 63) + abs(y) < 0.5


def test_drawn_parameters_stay_in_the_talks_ranges() -> None:
    draw = np.random.default_rng(0)
    warps = [talk_warp(draw, 100, 100) for _ in range(500)]
    for field, low, high in (("rotation", -40, 40), ("shift_x", -7, 7), ("zoom_y", 0.8, 1.2)):
        values = [getattr(warp, field) for warp in warps]
        assert low <= min(values) < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < max(values) <= high
    assert 200 < sum(warp.flip for warp in warps) < 300


def test_a_copy_is_a_function_of_seed_key_and_number() -> None:
    image = crop()
    first = talk_augment(image, 0, "a", 1)
    assert np.array_equal(first, talk_augment(image, 0, "a", 1))
    for other in (
        talk_augment(image, 1, "a", 1),
        talk_augment(image, 0, "b", 1),
        talk_augment(image, 0, "a", 2),
    ):
        assert not np.array_equal(first, other)


def test_a_copy_is_stretched_and_still_shows_the_face() -> None:
    image = crop()
    for copy in range(20):
        altered = talk_augment(image, 0, "a", copy)
        assert (altered.min(), altered.max(), str(altered.dtype)) == (0, 255, "uint8")
        assert abs(int((altered > 128).sum()) - int((image > 90).sum())) < 1200
    assert image.max() == 180, "the crop itself is not written to"

"""The annotators' box in the place of the network's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fertools.data import Box, Reason, Unusable
from fertools.faces.extract import extract_face, iou
from fertools.options import FaceOptions
from tests.faces.bytes_of import encoded, picture
from tests.faces.conftest import MakeDetector, face
from tests.faces.test_crop import pixels

PHOTO = picture(100, 160)
DATA = encoded(".png", PHOTO)
AIHUB = FaceOptions(detector="aihub", size=40)


def test_iou() -> None:
    assert iou(Box(0, 0, 10, 10), Box(0, 0, 10, 10)) == 1
    assert iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0


def test_with_aihub_the_annotators_box_is_cut_out(detecting: MakeDetector) -> None:
    found = [face(12, 10, 52, 50, 0.7), face(90, 0, 160, 100, 0.99)]
    crop = extract_face(DATA, AIHUB, detecting(found), Box(10.6, 10.6, 50.4, 50.4))
    assert crop.box == Box(10, 10, 50, 50)
    assert (crop.faces, crop.confidence) == (2, 0.7)
    assert crop.iou == pytest.approx(38 / 42)
    gray = cv2.cvtColor(PHOTO[10:50, 10:50], cv2.COLOR_BGR2GRAY)
    assert np.array_equal(pixels(crop.image), gray)


def test_where_the_network_sees_nothing_the_annotators_are_believed(
    detecting: MakeDetector,
) -> None:
    crop = extract_face(DATA, AIHUB, detecting([]), Box(10, 10, 50, 50))
    assert (crop.box, crop.faces, crop.confidence) == (Box(10, 10, 50, 50), 0, 0)
    assert crop.iou is None
    apart = extract_face(DATA, AIHUB, detecting([face(90, 0, 160, 100)]), Box(10, 10, 50, 50))
    assert (apart.faces, apart.confidence, apart.iou) == (1, 0, 0)


def test_a_box_is_clipped_to_the_photo(detecting: MakeDetector) -> None:
    crop = extract_face(DATA, AIHUB, detecting([]), Box(-30, 20, 40, 300))
    assert crop.box == Box(0, 20, 40, 100)


@pytest.mark.parametrize(
    "nothing", [None, Box(5, 5, 5, 50), Box(50, 50, 20, 20), Box(400, 400, 500, 500)]
)
def test_without_a_box_of_theirs_the_network_decides(
    nothing: Box | None, detecting: MakeDetector
) -> None:
    crop = extract_face(DATA, AIHUB, detecting([face(90, 0, 160, 100)]), nothing)
    assert (crop.box, crop.iou) == (Box(90, 0, 160, 100), None)
    with pytest.raises(Unusable) as caught:
        extract_face(DATA, AIHUB, detecting([]), nothing)
    assert caught.value.drop.reason == Reason.NO_FACE

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.data import Box, Face, Reason, Unusable
from fertools.errors import OptionError
from fertools.faces.decode import Picture
from fertools.faces.extract import Found, choose_face, find_faces
from fertools.options import FaceOptions
from tests.faces.conftest import FakeDetector, MakeDetector, face


def blank(height: int, width: int) -> Picture:
    return Picture(np.zeros((height, width, 3), np.uint8), 1, width, height)


PHOTO = blank(100, 200)
SIDES = st.floats(-500, 500, allow_nan=False)


def found(detector: FakeDetector, options: FaceOptions | None = None) -> list[Face]:
    return find_faces(PHOTO, options or FaceOptions(), detector).faces


def test_boxes_are_cut_towards_zero_and_clipped(detecting: MakeDetector) -> None:
    assert found(detecting([face(-0.9, -4.9, 60.9, 60.9)])) == [face(0, 0, 60, 60)]


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((150, 10, 204, 60), True),  # 4 of 54 outside: 7 %
        ((150, 10, 206, 60), False),  # 11 %
        ((-6, 10, 50, 60), False),
        ((10, -6, 60, 50), False),
        ((10, 50, 60, 106), False),
        ((10, 50, 60, 105), True),
    ],
)
def test_a_box_that_leaves_the_frame_is_a_ghost(
    box: tuple[float, float, float, float], kept: bool, detecting: MakeDetector
) -> None:
    detector = detecting([face(*box), face(20, 20, 40, 40)])
    answer = find_faces(PHOTO, FaceOptions(), detector)
    assert len(answer.faces) == 1 + kept
    assert answer.ghosts == ([] if kept else [face(*box)])
    assert len(detector.seen) == 1


def test_an_unsure_answer_is_no_face(detecting: MakeDetector) -> None:
    answers = [face(10, 10, 50, 50, 0.49), face(60, 10, 90, 50, 0.5)]
    answer = find_faces(PHOTO, FaceOptions(), detecting(answers))
    assert (answer.faces, answer.ghosts) == (answers[1:], answers[:1])
    assert found(detecting(answers), FaceOptions(min_confidence=0.4)) == answers


def test_a_face_that_fills_the_photo_is_found_with_a_border(detecting: MakeDetector) -> None:
    # 200×100 with a border of 100 on each side is 400×300
    detector = detecting([], [face(100, 100, 300, 200, 0.8)])
    assert found(detector) == [face(0, 0, 200, 100, 0.8)]
    assert detector.seen[1].shape == (300, 400, 3)
    detector = detecting([], [face(90, 95, 310, 205)])
    assert found(detector) == [face(0, 0, 200, 100)]


def test_the_second_look_drops_what_lies_in_the_border(detecting: MakeDetector) -> None:
    mostly_out, unsure = face(0, 100, 140, 200), face(120, 120, 160, 160, 0.3)
    assert found(detecting([], [mostly_out, unsure])) == []


def test_the_second_look_at_a_large_photo_is_small_and_maps_back(detecting: MakeDetector) -> None:
    photo = blank(3000, 4000)
    detector = detecting([], [face(320 + 64, 320 + 48, 320 + 128, 320 + 96)])
    boxes = [one.box for one in find_faces(photo, FaceOptions(), detector).faces]
    assert detector.seen[1].shape == (480 + 640, 640 + 640, 3)
    assert boxes == [Box(400, 300, 800, 600)]


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_photos_of_one_pixel_and_one_line(size: tuple[int, int], detecting: MakeDetector) -> None:
    assert find_faces(blank(*size), FaceOptions(), detecting([])) == Found([], [])


def test_what_is_seen_in_a_smaller_picture_is_in_pixels_of_the_photo(
    detecting: MakeDetector,
) -> None:
    photo = Picture(np.zeros((25, 50, 3), np.uint8), 4, 200, 99)  # 99 / 4 is rounded up to 25
    seen = Face(Box(5, 5, 20, 26), 0.9, (10, 10, 15, 20))
    (one,) = find_faces(photo, FaceOptions(), detecting([seen])).faces
    assert one.box == Box(20, 19, 80, 99)  # 19.8 cut towards zero, 102.96 clipped
    assert one.landmarks == pytest.approx((40, 39.6, 60, 79.2))
    again = detecting([], [Face(Box(30, 30, 45, 45), 0.9, (30, 40))])
    (one,) = find_faces(photo, FaceOptions(), again).faces  # behind a border of 25
    assert one.box == Box(20, 19, 80, 79)
    assert one.landmarks == pytest.approx((20, 59.4))


def test_boxes_without_area_are_no_faces(detecting: MakeDetector) -> None:
    nothing = [face(10, 10, 10, 40), face(30, 30, 20, 20), face(5.2, 5, 5.9, 50)]
    assert found(detecting(nothing)) == []


@given(st.lists(st.builds(face, SIDES, SIDES, SIDES, SIDES, st.floats(0, 1)), max_size=5))
def test_whatever_a_detector_answers_faces_lie_in_the_frame(answers: list[Face]) -> None:
    for one in found(FakeDetector([answers])):
        assert 0 <= one.box.x0 < one.box.x1 <= 200
        assert 0 <= one.box.y0 < one.box.y1 <= 100


@pytest.mark.parametrize("confidence", [97.0, -0.1, float("inf")])
def test_a_confidence_outside_0_to_1_is_one_line_at_the_first_answer(
    detecting: MakeDetector, confidence: float
) -> None:
    """V8: it was a ValueError of the last stage."""
    for answers in (
        [[face(10, 10, 50, 50, confidence)]],
        [[], [face(120, 120, 160, 160, confidence)]],
    ):
        with pytest.raises(OptionError, match=f"answers with confidence {confidence}: let it"):
            found(detecting(*answers))


SMALL_SURE, LARGE_UNSURE = face(0, 0, 10, 10, 0.99), face(20, 0, 60, 40, 0.6)


def test_of_many_faces_the_rule_decides() -> None:
    many = [SMALL_SURE, LARGE_UNSURE]
    assert choose_face(many, FaceOptions()) == LARGE_UNSURE
    assert choose_face(many, FaceOptions(on_many="best")) == SMALL_SURE
    with pytest.raises(Unusable) as caught:
        choose_face(many, FaceOptions(on_many="reject"))
    assert caught.value.drop.reason == Reason.MANY_FACES
    assert caught.value.drop.detail == "2 faces"
    assert choose_face([SMALL_SURE], FaceOptions(on_many="reject")) == SMALL_SURE


def test_no_face_says_how_sure_it_had_to_be() -> None:
    with pytest.raises(Unusable, match=r"0\.7") as caught:
        choose_face([], FaceOptions(min_confidence=0.7))
    assert caught.value.drop.reason == Reason.NO_FACE

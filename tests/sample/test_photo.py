"""One photo: upright by its tag, its face where its record says, near its neighbours."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from fertools.sample.canvas import Canvas, Pixels, Pose
from fertools.sample.people import EXPRESSIONS, REST, Person
from fertools.sample.photo import Dress, draw_photo, encode_photo, paint, photograph, true_face_box
from fertools.sample.schedule import schedule
from fertools.sample.setting import add_orientation_tag, to_stored_orientation

PIXELS = 1.2e5
SHOTS = schedule(4, 3, 60).training


def decoded(jpeg: bytes) -> Pixels:
    """What OpenCV, which applies the tag, makes of it."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def difference(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("tag", [None, 0, 1, 2, 3, 4, 5, 6, 7, 8])
def test_every_orientation_reads_back_upright(tag: int | None) -> None:
    image = draw_photo(4, SHOTS[0], PIXELS)
    assert difference(decoded(encode_photo(image, tag)), image) < 4


def test_the_segment_holds_nothing_but_the_orientation() -> None:
    jpeg = encode_photo(np.zeros((8, 8, 3), np.uint8), 3)
    assert jpeg[:4] == b"\xff\xd8\xff\xe1"
    assert jpeg[6:12] == b"Exif\0\0"
    assert jpeg[12:38] == b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
    assert int.from_bytes(jpeg[4:6], "big") == 34
    assert jpeg[38:40] == b"\xff\xe0"


def test_no_tag_means_no_segment_and_no_turn() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert add_orientation_tag(b"\xff\xd8rest", None) == b"\xff\xd8rest"
    assert np.array_equal(to_stored_orientation(image, None), image)


@pytest.mark.parametrize("pixels", [1e5, 8e5, 2.5e6])
def test_the_frame_is_four_to_three_of_the_size_asked_for(pixels: float) -> None:
    height, width, _ = draw_photo(4, SHOTS[0], pixels).shape
    assert height * width == pytest.approx(pixels, rel=0.01)
    assert max(height, width) / min(height, width) == pytest.approx(4 / 3, rel=0.01)


def test_a_photo_is_drawn_again_byte_for_byte() -> None:
    assert photograph(4, SHOTS[1], PIXELS) == photograph(4, SHOTS[1], PIXELS)
    assert photograph(4, SHOTS[1], PIXELS) != photograph(4, SHOTS[2], PIXELS)


def test_shots_of_a_session_are_near_and_sessions_are_not() -> None:
    small = {}
    for shot in SHOTS[:24]:
        image = draw_photo(4, shot, PIXELS)
        small[shot] = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA)
    within: list[float] = []
    between: list[float] = []
    for a, b in pairwise(small):
        apart = float(np.abs(small[a].astype(float) - small[b]).mean())
        (within if a.session == b.session else between).append(apart)
    assert max(within) < min(between)
    assert min(within) > 0


def test_the_box_is_around_the_painted_head() -> None:
    shot = SHOTS[0]
    box = true_face_box(4, shot, PIXELS)
    image = draw_photo(4, shot, PIXELS)
    height, width, _ = image.shape
    assert box.width > 0.2 * min(height, width)
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height
    # Skin is where the cheeks are: redder than blue by far, whatever the light.
    y, x = int(box.y0 + 0.65 * box.height), int(box.x0 + 0.3 * box.width)
    blue, _, red = image[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(axis=0)
    assert red > blue + 15


@pytest.mark.parametrize("emotion", [e for e in EXPRESSIONS if e != "중립"])
def test_an_emotion_moves_eyes_or_brows_and_the_mouth(emotion: str) -> None:
    who, rest = Person.draw(0, "1"), np.full((300, 300, 3), 128, np.uint8)
    moved = rest.copy()
    dress = Dress((90, 90, 90), "round")
    paint(Canvas(rest, Pose(150, 150, 120)), who, REST, dress)
    paint(Canvas(moved, Pose(150, 150, 120)), who, EXPRESSIONS[emotion], dress)
    apart = np.abs(rest.astype(float) - moved).max(axis=2) > 40
    assert apart[95:170].sum() > 150  # brows and eyes
    assert apart[200:260].sum() > 150  # mouth
    assert apart[:60].sum() == apart[280:].sum() == 0  # neither hair nor dress


def test_people_differ_by_key_and_by_seed() -> None:
    faces = {Person.draw(seed, key).face for seed in (0, 1) for key in "abc"}
    assert len(faces) == 6
    assert Person.draw(0, "a") == Person.draw(0, "a")

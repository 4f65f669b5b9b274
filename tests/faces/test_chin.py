"""Annotators' boxes without a network, and decoding that stops below the crop."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from fertools.data import Box, Crop, Reason, Unusable
from fertools.faces.decode import Scale, choose_scale, read_header
from fertools.faces.detectors import load_detector
from fertools.faces.extract import extract_face
from fertools.faces.jpeg import SOS, is_surplus, read_segments
from fertools.options import FaceOptions
from tests.faces.bytes_of import PROGRESSIVE, Image, encoded, exif, jpeg, picture
from tests.faces.conftest import MakeDetector, face
from tests.faces.test_exif import stored_as
from tests.faces.test_formats import channel_by_channel

WHOLE = FaceOptions(detector="aihub", compare=False, size=32)
CHIN = replace(WHOLE, stop_at_chin=True)
HIGH = Box(100, 40, 200, 140)  # of 603 × 805 pixels

# Neither side can be divided by 2; at 64 pixels a face of 256 is decoded at 1/2.
SOFT = cv2.resize(picture(202, 269), (807, 606), interpolation=cv2.INTER_CUBIC)
PHOTO: Image = np.ascontiguousarray(SOFT[:603, :805], np.uint8)


def crop(data: bytes, options: FaceOptions, box: Box | None = HIGH) -> Crop:
    return extract_face(data, options, load_detector(options), box)


def stops(data: bytes, box: Box = HIGH) -> bool:
    """Whether the decoder stops at the chin; the crop is that of the whole photo in any case."""
    whole, stopped = crop(data, WHOLE, box), crop(data, CHIN, box)
    assert replace(whole, fingerprint=None) == replace(stopped, fingerprint=None)
    assert whole.fingerprint is not None
    assert stopped.fingerprint in (None, whole.fingerprint)
    return stopped.fingerprint is None


def refusal(data: bytes, options: FaceOptions, box: Box | None = HIGH) -> Reason:
    with pytest.raises(Unusable) as caught:
        crop(data, options, box)
    return caught.value.drop.reason


def outcome(data: bytes, options: FaceOptions) -> bytes | Reason:
    try:
        return crop(data, options).image
    except Unusable as unusable:
        return unusable.drop.reason


# --- without a network --------------------------------------------------------------------


def test_without_comparing_the_box_is_the_face_and_no_detector_runs(
    detecting: MakeDetector,
) -> None:
    detector = detecting([face(300, 300, 400, 400)])
    data = jpeg(PHOTO)
    blind, aihub = extract_face(data, WHOLE, detector, HIGH), FaceOptions(detector="aihub", size=32)
    assert not detector.seen
    assert (blind.box, blind.confidence, blind.faces, blind.iou) == (HIGH, 1, 1, None)
    compared = extract_face(data, aihub, detector, HIGH)
    assert (blind.image, blind.fingerprint) == (compared.image, compared.fingerprint)


@pytest.mark.parametrize("options", [WHOLE, CHIN])
@pytest.mark.parametrize("nothing", [None, Box(50, 50, 20, 20)])
def test_a_photo_without_a_box_is_no_face(options: FaceOptions, nothing: Box | None) -> None:
    with pytest.raises(Unusable, match="no box of annotators, and --no-compare runs no network"):
        crop(jpeg(PHOTO), options, nothing)
    assert refusal(jpeg(PHOTO), options, nothing) == Reason.NO_FACE


# --- the same crop ------------------------------------------------------------------------


@cache
def stored(orientation: int, sampling: str, quality: int, restart: int) -> bytes:
    """PHOTO as a JPEG of one scan; `restart` is the distance of its restart markers."""
    image = stored_as(PHOTO, orientation)
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}", None)
    if factor is None:
        data = encoded(".jpg", image[..., 0])
    else:
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
        data = encoded(".jpg", image, [*settings, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
    directory = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + (len(directory) + 2).to_bytes(2) + directory + data[2:]


def box_at(x: int, y: int, width: int, height: int) -> Box:
    return Box(x, y, x + width, y + height)


@settings(max_examples=100, deadline=None)
@given(
    data=st.builds(
        stored,
        orientation=st.integers(1, 8),
        sampling=st.sampled_from(["411", "420", "422", "440", "444", "gray"]),
        quality=st.sampled_from([30, 95]),
        restart=st.sampled_from([0, 1, 50]),
    ),
    box=st.builds(
        box_at,
        x=st.integers(-20, 780),
        y=st.integers(-20, 580),
        width=st.integers(22, 400),
        height=st.integers(22, 400),
    ),
    options=st.builds(
        replace,
        st.just(WHOLE),
        size=st.sampled_from([8, 64, 224]),
        margin=st.sampled_from([0, 0.3, 4]),
        square=st.booleans(),
    ),
)
def test_a_crop_is_the_same_bytes_wherever_the_decoder_stops(
    data: bytes, box: Box, options: FaceOptions
) -> None:
    whole = crop(data, options, box)
    stopped = crop(data, replace(options, stop_at_chin=True), box)
    assert whole == replace(stopped, fingerprint=whole.fingerprint)


@pytest.mark.parametrize("sampling", ["411", "420", "422", "440", "444", "gray"])
def test_every_sequential_jpeg_can_be_stopped(sampling: str) -> None:
    assert stops(stored(1, sampling, 95, 0))


@pytest.mark.parametrize("sampling", ["411", "420", "422", "440", "444"])
@pytest.mark.parametrize(("height", "scale"), [(603, 2), (1203, 4), (2403, 8)])
def test_the_decoder_stops_at_every_scale(sampling: str, height: int, scale: Scale) -> None:
    image = cv2.resize(PHOTO, (height + 2, height), interpolation=cv2.INTER_LINEAR)
    data = simplejpeg.encode_jpeg(image, colorspace="BGR", colorsubsampling=sampling)
    box = Box(100, 40, 401, 341)
    assert choose_scale(box, read_header(data, 10**9), WHOLE) == scale
    assert stops(data, box)


@pytest.mark.parametrize(
    ("orientation", "box"),
    [
        (1, Box(300, 5, 400, 140)),
        (2, Box(300, 5, 400, 140)),
        (3, Box(300, 460, 400, 598)),
        (4, Box(300, 460, 400, 598)),
        (5, Box(5, 250, 140, 350)),
        (6, Box(660, 250, 800, 350)),
        (7, Box(660, 250, 800, 350)),
        (8, Box(5, 250, 140, 350)),
    ],
)
def test_the_first_stored_rows_are_at_the_edge_that_the_orientation_says(
    orientation: int, box: Box
) -> None:
    data = stored(orientation, "420", 95, 0)
    opposite = Box(805 - box.x1, 603 - box.y1, 805 - box.x0, 603 - box.y0)
    assert stops(data, box)
    assert not stops(data, opposite)


@pytest.mark.parametrize("bottom", range(570, 604))
def test_a_face_at_the_bottom_needs_every_row(bottom: int) -> None:
    assert stops(jpeg(PHOTO), Box(100, 500, 200, bottom)) is (bottom < 603 - 16)


def test_bytes_behind_the_end_do_not_matter() -> None:
    assert stops(jpeg(PHOTO) + b"\0" * 1000 + jpeg(PHOTO))


@pytest.mark.parametrize(
    "data",
    [
        encoded(".jpg", PHOTO, PROGRESSIVE),
        encoded(".png", PHOTO),
        encoded(".webp", PHOTO),
        simplejpeg.encode_jpeg(np.dstack([PHOTO, PHOTO[..., :1]]), colorspace="CMYK"),
        stored(1, "420", 95, 50),
    ],
    ids=["progressive", "PNG", "WebP", "CMYK", "restarts"],
)
def test_what_has_no_rows_in_order_is_decoded_in_full(data: bytes) -> None:
    assert not stops(data)


def test_channels_in_scans_of_their_own_are_decoded_in_full() -> None:
    assert not stops(channel_by_channel(), Box(4, 4, 20, 20))


# --- damage -------------------------------------------------------------------------------


def test_a_photo_that_is_cut_short_is_damaged_wherever_its_face_is() -> None:
    for data in (jpeg(PHOTO), stored(1, "420", 95, 1)):
        for end in range(1000, len(data) - 2, 997):
            assert refusal(data[:end], CHIN) == Reason.DAMAGED


def test_a_photo_that_only_lacks_its_end_marker_is_decoded_in_full() -> None:
    assert not stops(jpeg(PHOTO)[:-2])


def test_damage_that_the_decoder_meets_above_the_chin_is_noticed() -> None:
    data = jpeg(PHOTO)
    scan = next(segment for segment in read_segments(data) if segment.marker == SOS)
    for marker in (b"\xff\xd9", b"\xff\xd0", b"\xff\xc4"):
        damaged = data[: scan.end + 500] + marker + data[scan.end + 502 :]
        assert refusal(damaged, CHIN) == Reason.DAMAGED


@pytest.mark.parametrize("restart", [1, 8, 50])
def test_damage_between_restart_markers_is_noticed_as_in_a_whole_photo(restart: int) -> None:
    """The decoder warns of it in the words for data behind the rows."""
    data = stored(1, "420", 95, restart)
    scan = next(segment for segment in read_segments(data) if segment.marker == SOS)
    for start in range(scan.end + 100, scan.end + 4000, 97):
        damaged = data[:start] + bytes(60) + data[start + 60 :]
        assert outcome(damaged, WHOLE) == outcome(damaged, CHIN)


def test_damage_below_the_chin_is_noticed_only_in_a_whole_photo() -> None:
    """What the documentation says of `--stop-at-chin`."""
    data = jpeg(PHOTO)
    damaged = data[:-2000] + bytes(1000) + data[-1000:]
    assert refusal(damaged, WHOLE) == Reason.DAMAGED
    assert crop(damaged, CHIN).image == crop(data, WHOLE).image


def test_only_the_warning_of_bytes_behind_the_rows_is_passed_over() -> None:
    warning = "Corrupt JPEG data: 17 extraneous bytes before marker 0xd9"
    assert is_surplus(warning)
    assert not is_surplus(warning.replace("d9", "d0"))
    assert not is_surplus(warning.replace("d9", "da"))
    assert not is_surplus("Corrupt JPEG data: premature end of data segment")
    assert not is_surplus("Premature end of JPEG file")

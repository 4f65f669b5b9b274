"""Exports answer as Keras does, or are not kept."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.errors import DependencyError, OptionError, OutputError
from fertools.files import locked
from fertools.inference.export import export
from fertools.options import ExportFormat
from fertools.training.run import Run
from tests.training.fakes import CLASSES, SIZE, Brightness, fake_run

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "litert": ("ai_edge_litert",)}


def network() -> Any:
    """Build a small network with what ResNet-50 has: strides, batch norm, a sum, pooling."""
    import keras

    from fertools.training.model import with_softmax

    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 1))
    stem = layers.Conv2D(8, 3, padding="same", use_bias=False)(layers.Rescaling(1 / 255)(images))
    stem = layers.ReLU()(layers.BatchNormalization()(stem))
    short = layers.BatchNormalization()(layers.Conv2D(8, 1, strides=2, use_bias=False)(stem))
    long = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(stem)
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([short, long])))
    logits = keras.Model(images, layers.Dense(len(CLASSES))(pooled))
    return with_softmax(logits, temperature=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "savedmodel", "litert"])
def test_an_export_answers_as_keras_does(
    to: ExportFormat,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not all(map(importlib.util.find_spec, _NEEDS.get(to, ()))):
        pytest.skip("the extra `export` is not installed")
    run = fake_run(tmp_path / "run", network=network())
    capfd.readouterr()  # what TensorFlow said where this is the first test that imports it
    monkeypatch.setattr(Run, "read", lambda folder: run)
    made = export(run.folder, to=to)
    assert made.difference <= 1e-5
    assert made.file.exists() and "agrees with Keras" in made.text()
    assert capfd.readouterr() == ("", "")  # T15: LiteRT's INFO line
    about = json.loads((made.folder / "preprocessing.json").read_text("utf-8"))
    assert [entry["name"] for entry in about["classes"]] == ["기쁨", "당황", "중립"]
    assert about["faces"]["size"] == SIZE
    assert about["weights"] == {
        "which": "best", "epoch": 3, "sha256": "a" * 64, "temperature": None
    }  # fmt: skip  # V6
    assert "prohibited" in (made.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "Weights: best, epoch 3" in (made.folder / "MODEL_CARD.md").read_text("utf-8")
    assert not list(run.folder.glob(".export-*"))
    assert export(run.folder, to=to).folder == made.folder  # again, over the old one


class Writes(Brightness):
    """Exports to a file of a few letters."""

    def export(self, file: str, **options: Any) -> None:
        Path(file).write_text("a network")


def test_an_export_that_answers_otherwise_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fertools.inference import export as exports

    def off(file: Path, images: Any) -> Any:
        return Brightness().predict_on_batch(images) + np.float32(2e-5)

    monkeypatch.setitem(exports.FORMATS, "onnx", exports.Format("onnx", "model.onnx", off))
    run = fake_run(tmp_path / "run", network=Writes())
    monkeypatch.setattr(Run, "read", lambda folder: run)
    with pytest.raises(OutputError, match=r"by 2e-05 of a probability where 1e-05"):
        export(run.folder)
    assert [path.name for path in run.folder.iterdir()] == [".lock-export"]


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose exports are a few letters."""
    from fertools.inference import export as exports

    answer = Brightness().predict_on_batch
    form = exports.Format("onnx", "model.onnx", lambda file, images: answer(images))
    monkeypatch.setitem(exports.FORMATS, "onnx", form)
    run = fake_run(tmp_path / "run", network=Writes())
    monkeypatch.setattr(Run, "read", lambda folder: run)
    return run


class Killed(BaseException):
    """Stands for SIGKILL."""


# The simulated kill leaves a temporary folder, which Python reports when it removes it.
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
@pytest.mark.parametrize("step", range(6))
def test_an_export_is_whole_or_absent(
    step: int, exported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R6: it was removed and copied in place, so that a kill left half of one."""
    whole = {"model.onnx", "preprocessing.json", "MODEL_CARD.md"}
    folder = export(exported.folder).folder
    real, left = os.rename, iter(range(step))

    def dying(*paths: Any, **named: Any) -> None:
        if next(left, None) is None:
            raise Killed
        real(*paths, **named)

    def forget(self: Any) -> None:
        """Leave the folder as a process that is killed does."""

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", dying)
        patched.setattr(os, "replace", dying)
        patched.setattr(tempfile.TemporaryDirectory, "__exit__", lambda *_: None)
        patched.setattr(tempfile.TemporaryDirectory, "cleanup", forget)
        with suppress(Killed):
            export(exported.folder)
        assert not folder.exists() or {path.name for path in folder.iterdir()} == whole
    export(exported.folder)
    assert {path.name for path in folder.iterdir()} == whole
    assert not list(exported.folder.glob(".export-*"))  # not what a killed one left, either


def test_two_exports_at_once_do_not_mix(exported: Run) -> None:
    with (
        locked(exported.folder / ".lock-export", ""),
        pytest.raises(OutputError, match=r"another export is writing .*run: wait for it"),
    ):
        export(exported.folder)


def test_an_export_onto_a_disk_that_refuses_is_one_line(
    exported: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="run cannot be written: No space left on device"):
        export(exported.folder)


@pytest.mark.parametrize(
    ("faces", "order"),
    [({}, ["gray", "resize"]), ({"exact": True}, ["resize", "gray"])],
)
def test_preprocessing_is_in_the_order_of_the_crop(
    faces: dict[str, Any], order: list[str], exported: Run
) -> None:
    """R7: a JPEG that is decoded smaller is made gray before it is resized."""
    exported.faces.update(faces)
    folder = export(exported.folder).folder
    last = " ".join(json.loads((folder / "preprocessing.json").read_text("utf-8"))["photo"][-2:])
    said = last.rpartition("decoded smaller")[2]
    assert sorted(order, key=said.index) == order


class Lacks(Brightness):
    """Needs a converter that is not installed."""

    def export(self, file: str, **options: Any) -> None:
        raise ImportError("No module named 'tf2onnx'")


def test_a_missing_converter_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fake_run(tmp_path / "run", network=Lacks())
    monkeypatch.setattr(Run, "read", lambda folder: run)
    with pytest.raises(DependencyError, match=r"tf2onnx.*fertools\[export\]"):
        export(run.folder)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--to torch: choose onnx, savedmodel or litert"):
        export(tmp_path, to="torch")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="--weights 3: choose best or last"):
        export(tmp_path, weights=3)  # type: ignore[arg-type]


def test_another_backend_is_refused_with_the_command_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(OptionError, match="KERAS_BACKEND=tensorflow fertools export"):
        export(tmp_path)

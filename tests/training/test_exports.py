"""Exports answer as Keras does, or are not kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.errors import DependencyError, OptionError, OutputError
from fertools.training import export
from fertools.training.run import Run
from tests.training.fakes import CLASSES, SIZE, Brightness, fake_run

_CONVERTERS = ("onnx", "onnxruntime", "tf2onnx")


def network() -> Any:
    """Build a small network with what ResNet-50 has: strides, batch norm, a sum, pooling."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 1))
    stem = layers.Conv2D(8, 3, padding="same", use_bias=False)(layers.Rescaling(1 / 255)(images))
    stem = layers.ReLU()(layers.BatchNormalization()(stem))
    short = layers.BatchNormalization()(layers.Conv2D(8, 1, strides=2, use_bias=False)(stem))
    long = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(stem)
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([short, long])))
    return keras.Model(images, layers.Dense(len(CLASSES), activation="softmax")(pooled))


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "savedmodel", "litert"])
def test_an_export_answers_as_keras_does(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if to == "onnx" and not all(map(importlib.util.find_spec, _CONVERTERS)):
        pytest.skip("the extra `export` is not installed")
    run = fake_run(tmp_path / "run", network=network())
    monkeypatch.setattr(Run, "read", lambda folder: run)
    made = export(run.folder, to=to)
    assert made.difference <= 1e-5
    assert made.file.exists() and "agrees with Keras" in made.text()
    about = json.loads((made.folder / "preprocessing.json").read_text("utf-8"))
    assert [entry["name"] for entry in about["classes"]] == ["기쁨", "당황", "중립"]
    assert about["faces"]["size"] == SIZE
    assert "prohibited" in (made.folder / "MODEL_CARD.md").read_text("utf-8")
    assert not list(run.folder.glob(".export-*"))
    assert export(run.folder, to=to).folder == made.folder  # again, over the old one


class Writes(Brightness):
    """Exports to a file of a few letters."""

    def export(self, file: str, **options: Any) -> None:
        Path(file).write_text("a network")


def test_an_export_that_answers_otherwise_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fertools.training import exports

    def off(file: Path, images: Any) -> Any:
        return Brightness().predict_on_batch(images) + np.float32(2e-5)

    monkeypatch.setitem(exports.FORMATS, "onnx", exports.Format("onnx", "model.onnx", off))
    run = fake_run(tmp_path / "run", network=Writes())
    monkeypatch.setattr(Run, "read", lambda folder: run)
    with pytest.raises(OutputError, match=r"by 2e-05 of a probability where 1e-05"):
        export(run.folder)
    assert list(run.folder.iterdir()) == []


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
    with pytest.raises(OptionError, match="--to torch: choose one of onnx, savedmodel, litert"):
        export(tmp_path, to="torch")


def test_another_backend_is_refused_with_the_command_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(OptionError, match="KERAS_BACKEND=tensorflow fertools export"):
        export(tmp_path)

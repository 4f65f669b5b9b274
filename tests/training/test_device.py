"""On what a training runs: which backend, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fertools.errors import DependencyError, OptionError
from fertools.training.backend import backend


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


def test_the_backend_is_the_one_that_keras_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fertools.training.backend.find_spec", lambda name: name)
    assert backend() == "tensorflow"
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    assert backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "")  # as good as unset
    assert backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backend() == "jax"
    monkeypatch.delenv("KERAS_BACKEND")
    (tmp_path / "keras.json").write_text("[")
    assert backend() == "tensorflow"


@pytest.mark.parametrize("name", ["numpy", "openvino", "foo"])
def test_a_backend_that_cannot_train_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(
        OptionError, match=f"KERAS_BACKEND is {name}: choose one of tensorflow, jax"
    ):
        backend()


def test_a_backend_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr("fertools.training.backend.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="torch, which is not installed: pip install torch"):
        backend()


def test_the_command_says_it_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "foo")
    command = [sys.executable, "-m", "fertools", "train", str(tmp_path), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gpus", "jit", "text"),
    [
        ("tensorflow", 0, False, "training on CPU, float32, without XLA"),
        ("tensorflow", 1, True, "training on 1 GPU, float32, XLA"),
        (
            "tensorflow",
            2,
            False,
            "training on 2 GPUs, float32, without XLA, which does not go with several GPUs",
        ),
        ("jax", 0, True, "training on CPU with JAX, float32, XLA"),
        (
            "torch",
            2,
            False,
            "training on 1 of 2 GPUs (several need KERAS_BACKEND=tensorflow) with PyTorch, "
            "float32, without XLA",
        ),
    ],
)
def test_a_line_says_what_it_runs_on(name: str, gpus: int, jit: bool, text: str) -> None:
    from fertools.training.backend import import_tensorflow

    import_tensorflow()
    from fertools.training.backend import Device

    device = Device(name, gpus, "float32", jit)
    assert device.text() == text
    assert device.mirrored == (name == "tensorflow" and gpus == 2)

"""Other backends of Keras: the same pixels, and a training that continues where it was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fertools.training.run import Run
from tests.training.datasets import write_splits
from tests.training.test_fit import KILLED, figures

pytestmark = pytest.mark.slow

BACKENDS = [
    pytest.param(
        name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
    )
    for name in ("jax", "torch")
]
WHOLE = """
import sys, fertools
fertools.train(sys.argv[1], sys.argv[2], depth=8, width=4, batch=8, epochs=4, quiet=True)
"""
ALTERED = """
import sys
import numpy as np, keras
from fertools.training.augment import RANGES, Augment, mixup, mixup_shares
images = np.random.default_rng(0).integers(0, 256, (16, 48, 48, 1)).astype(np.uint8)
keys = np.arange(16, dtype=np.int32)
altered = Augment(RANGES["talk"], stretch=True, erase=True)(images, keys, training=True)
altered = mixup(altered, mixup_shares(keys))
np.save(sys.argv[1], keras.ops.convert_to_numpy(altered))
"""


def run(backend: str, code: str, *arguments: Path) -> int:
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=False).returncode


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_are_altered_alike(backend: str, tmp_path: Path) -> None:
    altered = {}
    for name in ("tensorflow", backend):
        assert run(name, ALTERED, tmp_path / name) == 0
        altered[name] = np.load(tmp_path / f"{name}.npy")
    assert altered[backend].std() > 20
    assert np.abs(altered[backend] - altered["tensorflow"]).max() < 0.05  # of 255


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_training_goes_on_with_the_same_losses(backend: str, tmp_path: Path) -> None:
    out = write_splits(tmp_path / "out", {"train": 26, "validation": 9})
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(backend, WHOLE, out, whole) == 0
    assert run(backend, KILLED, out, broken) == -9
    assert run(backend, WHOLE, out, broken) == 0
    assert len(figures(broken)) == 4
    for row, wanted in zip(figures(broken), figures(whole), strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)
    assert Run.read(broken).versions["backend"] == backend
    gray = np.full((1, 16, 16, 1), 80, np.float32)  # the weights are TensorFlow's to load as well
    assert Run.read(broken).model().predict_on_batch(gray).sum() == pytest.approx(1, abs=1e-5)

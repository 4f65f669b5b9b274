"""Training as a user meets it: resumed after a kill, stopped by NaN, refused in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fertools.errors import DatasetError, OptionError, OutputError
from fertools.shards import Manifest
from fertools.training import Run, train
from fertools.training.history import read_history
from tests.training.datasets import write_splits

SMALL: dict[str, Any] = {"depth": 8, "width": 4, "batch": 8, "epochs": 4, "quiet": True}

#: Runs as the child that is killed when it has written epoch 2's checkpoint, but not published it.
KILLED = """
import os, signal, sys
from pathlib import Path
import fertools
replace = Path.replace
def dying(self, target):
    if Path(target).name == "000002.weights.h5":
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = dying
fertools.train(sys.argv[1], sys.argv[2], depth=8, width=4, batch=8, epochs=4, quiet=True)
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_splits(tmp_path / "out", {"train": 26, "validation": 9})


def figures(run: Path) -> list[dict[str, float]]:
    """Give the history without what differs from run to run: the speed."""
    return [
        {name: value for name, value in row.items() if name != "images_per_second"}
        for row in read_history(run)
    ]


@pytest.mark.slow
def test_a_training_killed_while_saving_goes_on_with_the_same_losses(
    out: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(out, whole, **SMALL)
    killed = subprocess.run([sys.executable, "-c", KILLED, out, broken], check=False)
    assert killed.returncode == -9
    assert [file.name for file in (broken / "checkpoint").glob("0*")] == ["000001.weights.h5"]
    run = train(out, broken, **SMALL)
    assert len(figures(broken)) == 4
    for row, wanted in zip(figures(broken), figures(whole), strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)
    assert "4 of 4 epochs" in run.text()
    model = Run.read(broken).model()
    assert model.predict_on_batch(_gray()).sum() == pytest.approx(1, abs=1e-5)
    before = (broken / "history.csv").stat().st_mtime_ns
    train(out, broken, **SMALL)  # complete: nothing is done again
    assert (broken / "history.csv").stat().st_mtime_ns == before


def _gray() -> Any:
    import numpy as np

    return np.full((1, 16, 16, 1), 80, np.float32)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_and_keeps_good_weights(out: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    wild = SMALL | {"optimizer": "sgd", "learning_rate": 100.0, "label_smoothing": 0.0}
    wild |= {"model": "tests.training.test_fit:overflowing", "warmup": 0.0}
    with pytest.raises(OptionError, match="no number any more in epoch 1: try a smaller"):
        train(out, run, **wild)
    assert not list(run.glob("*.weights.h5")) and not read_history(run)


def overflowing(size: int, classes: int) -> Any:
    """Make a network whose logits are infinite: --model module:function."""
    import keras

    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.Flatten(),
            keras.layers.Rescaling(1e38),
            keras.layers.Dense(classes, kernel_initializer="ones"),
            keras.layers.Rescaling(1e38),
        ]
    )


@pytest.mark.slow
def test_damage_inside_a_shard_names_the_shard(out: Path, tmp_path: Path) -> None:
    (shard,) = Manifest.read(out).splits["train"].shards
    data = bytearray((out / shard.file).read_bytes())
    data[-20] ^= 1
    (out / shard.file).write_bytes(data)
    with pytest.raises(DatasetError, match=f"{shard.file}: record 25"):
        train(out, tmp_path / "run", **SMALL)


@pytest.mark.slow
def test_memory_that_does_not_suffice_names_the_batch_to_try(out: Path) -> None:
    from fertools.training.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from fertools.training.feed import Feed
    from fertools.training.fit import _in_words
    from fertools.training.recipe import TrainRecipe
    from fertools.training.source import Source

    feed = Feed(Source.open(out, "train"), None, TrainRecipe(batch=16), 0, cache=False)
    for fault in (
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),  # JAX
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),  # PyTorch
    ):
        with pytest.raises(OptionError, match="--batch 16: try --batch 8"), _in_words(feed):
            raise fault
    with pytest.raises(RuntimeError, match="another"), _in_words(feed):
        raise RuntimeError("another")


def test_a_run_of_other_options_or_of_another_dataset_is_not_gone_on_with(
    out: Path, tmp_path: Path
) -> None:
    from fertools.training.fit import _begin, _feed, _plan
    from fertools.training.recipe import TrainRecipe

    def plan(**options: Any) -> Run:
        feed = _feed(out, TrainRecipe(**options), 0, cache=False, allow_leak=False)
        return _plan(feed, tmp_path / "run")

    _begin(plan(epochs=4), resume=True)
    assert _begin(plan(epochs=4), resume=True) == plan(epochs=4)
    with pytest.raises(OutputError, match=r"begun with epochs 4 \(now 5\).*--no-resume"):
        _begin(plan(epochs=5), resume=True)
    (tmp_path / "run" / "best.weights.h5").write_bytes(b"old")
    _begin(plan(epochs=5), resume=False)
    assert not (tmp_path / "run" / "best.weights.h5").exists()
    assert Run.read(tmp_path / "run").recipe.epochs == 5
    shutil.rmtree(out)
    write_splits(out, {"train": 27, "validation": 9})
    with pytest.raises(OutputError, match="another dataset"):
        _begin(plan(epochs=5), resume=True)


def test_a_folder_with_something_else_in_it_is_left_alone(out: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not empty and no run"):
        train(out, tmp_path, **SMALL)

"""Training as a user meets it: resumed after a kill, prolonged, refused in one line."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.dataset.manifest import Manifest
from fertools.errors import DatasetError, DependencyError, OptionError, OutputError
from fertools.training.checkpoints import Row, read_history
from fertools.training.fit import train
from fertools.training.recipe import Recipe
from fertools.training.run import Run
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
        for row in read_history(run / "history.csv", "")
    ]


@pytest.mark.slow
def test_a_training_killed_while_saving_goes_on_with_the_same_losses(
    out: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(out, whole, **SMALL)
    killed = subprocess.run([sys.executable, "-c", KILLED, out, broken], check=False)
    assert killed.returncode == -9
    assert [file.name for file in (broken / "checkpoint").glob("0*.h5")] == ["000001.weights.h5"]
    run = train(out, broken, **SMALL)
    assert len(figures(broken)) == 4
    for row, wanted in zip(figures(broken), figures(whole), strict=True):
        assert row == pytest.approx(wanted, abs=1e-5)
    assert "4 of 4 epochs" in run.text()
    model = Run.read(broken).model()
    assert model.predict_on_batch(_gray()).sum() == pytest.approx(1, abs=1e-5)
    before = (broken / "history.csv").stat().st_mtime_ns
    assert_calibrated(run)
    record = json.loads((broken / "weights.json").read_bytes())
    del record["best"]["temperature"]  # as in a run of 0.1.0
    (broken / "weights.json").write_text(json.dumps(record))
    train(out, broken, **SMALL)  # complete but for the temperature: nothing else is done again
    assert_calibrated(run)
    assert (broken / "history.csv").stat().st_mtime_ns == before
    assert not list(broken.rglob("*.tmp")) and not list(broken.glob("saving-*"))


@pytest.mark.slow
def test_curves_are_there_while_a_training_goes_on_and_logs_where_they_are_asked_for(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fertools.training.checkpoints import Store

    seen = []
    commit = Store.commit

    def watching(store: Store, rows: list[Row], *given: Any) -> None:
        seen.append((store.folder / "curves.png").is_file())
        commit(store, rows, *given)

    monkeypatch.setattr(Store, "commit", watching)
    monkeypatch.setattr("fertools.training.curves._FIRST", 0.0)
    train(out, tmp_path / "run", **SMALL | {"epochs": 2}, tensorboard=True)
    assert seen == [False, True]
    assert {path.name for path in (tmp_path / "run" / "logs").iterdir()} == {"train", "validation"}


def test_logs_for_a_tensorboard_that_is_not_installed_are_refused_first(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fertools.training.backend.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"--tensorboard needs an extra: pip install"):
        train(out, tmp_path / "run", **SMALL, tensorboard=True)
    assert not (tmp_path / "run").exists()


def assert_calibrated(run: Run) -> None:
    model, weights = run.load_model()
    logits = run.load_network()[0].predict_on_batch(_gray())
    assert weights.temperature is not None
    scaled = np.exp(logits / weights.temperature)
    assert model.predict_on_batch(_gray()) == pytest.approx(scaled / scaled.sum(), abs=1e-6)
    assert run.store.is_calibrated()


def _gray() -> Any:
    return np.full((1, 16, 16, 1), 80, np.float32)


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_and_keeps_good_weights(out: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    wild = SMALL | {"optimizer": "sgd", "learning_rate": 100.0, "label_smoothing": 0.0}
    wild |= {"model": "tests.training.test_fit:overflowing", "warmup": 0.0}
    with pytest.raises(OptionError, match="not a number any more in epoch 1: try a smaller"):
        train(out, run, **wild)
    assert not list(run.rglob("*.weights.h5")) and not (run / "history.csv").exists()
    train(out, run, **SMALL | {"epochs": 1})  # other options: there was no epoch to lose
    assert Run.read(run).options.epochs == 1


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
    from fertools.training.backend import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from fertools.training.data import DatasetSplit
    from fertools.training.fit import TrainingData, _in_one_line

    data = TrainingData(DatasetSplit.open(out, "train"), None, Recipe(batch=16), 0, cache=False)
    folder = Path("run")
    for fault in (
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),  # JAX
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),  # PyTorch
    ):
        with (
            pytest.raises(OptionError, match="--batch 16: try --batch 8"),
            _in_one_line(data, folder),
        ):
            raise fault
    with pytest.raises(RuntimeError, match="another"), _in_one_line(data, folder):
        raise RuntimeError("another")
    for full in (
        OSError(errno.ENOSPC, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "run/logs; No space left on device"),
    ):
        with (
            pytest.raises(OutputError, match="run cannot be written: No space"),
            _in_one_line(data, folder),
        ):
            raise full


def plan_of(out: Path, run: Path, **options: Any) -> Run:
    from fertools.options import TrainOptions, TrainRunOptions
    from fertools.training.fit import _new_run, _training_data
    from fertools.training.run import begun_recipe

    run.mkdir(exist_ok=True)
    asked, begun = TrainOptions(**options), begun_recipe(run)
    return _new_run(_training_data(out, asked, TrainRunOptions(), begun), run)


def finish(run: Run, epochs: int) -> None:
    """Leave what a training of so many epochs leaves, with weights of a few letters."""
    rows: list[Row] = [{"epoch": epoch, "val_f1": 0.5} for epoch in range(1, epochs + 1)]
    for epoch in range(1, epochs + 1):
        run.store.commit(rows[:epoch], b"state", b"network")


def test_a_run_of_other_options_or_of_another_dataset_is_not_gone_on_with(
    out: Path, tmp_path: Path
) -> None:
    from fertools.training.run import choose_run

    run = tmp_path / "run"
    plan = plan_of(out, run, epochs=4)
    assert choose_run(plan, resume=True) == (plan, False)
    plan.write()
    # Nothing is finished, so nothing can be lost: T5's corrected command.
    other = plan_of(out, run, epochs=5, model="tests.training.test_fit:overflowing")
    assert choose_run(other, resume=True) == (other, False)
    finish(plan, 1)
    assert choose_run(plan, resume=True) == (plan, True)
    with pytest.raises(OutputError, match=r"begun with epochs 4 \(now 3\).*--no-resume"):
        choose_run(plan_of(out, run, epochs=3), resume=True)
    with pytest.raises(OutputError, match=r"begun with model none \(now tests\.training"):
        choose_run(plan_of(out, run, epochs=4, model=other.options.model), resume=True)
    assert choose_run(other, resume=False) == (other, False)
    shutil.rmtree(out)
    write_splits(out, {"train": 27, "validation": 9})
    with pytest.raises(OutputError, match="another dataset"):
        choose_run(plan_of(out, run, epochs=4), resume=True)


def test_more_epochs_prolong_a_training_that_is_finished(out: Path, tmp_path: Path) -> None:
    """T15: there was no way to."""
    from fertools.training.run import choose_run

    run = tmp_path / "run"
    plan, longer = plan_of(out, run, epochs=2), plan_of(out, run, epochs=3)
    plan.write()
    finish(plan, 1)
    with pytest.raises(OutputError, match=r"epochs 2 \(now 3\) and is not finished: finish it"):
        choose_run(longer, resume=True)
    finish(plan, 2)
    prolonged, begun = choose_run(longer, resume=True)
    assert begun and prolonged.earlier == (2,) and prolonged.options.epochs == 3
    prolonged.write()
    assert Run.read(run) == prolonged
    assert choose_run(longer, resume=True) == (prolonged, True)


def test_weights_without_a_checkpoint_are_not_written_over(out: Path, tmp_path: Path) -> None:
    """V5: without its checkpoint a run is not finished; it is somebody's all the same."""
    run = plan_of(out, tmp_path / "run", epochs=2)
    run.write()
    finish(run, 2)
    shutil.rmtree(run.folder / "checkpoint")
    with pytest.raises(OutputError, match=r"best\.weights\.h5 and no checkpoint.*--no-resume"):
        train(out, run.folder, epochs=2)
    assert run.weights("best").read_bytes() == b"network"


def test_a_folder_with_something_else_in_it_is_left_alone(out: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not empty and no run"):
        train(out, tmp_path, **SMALL)


def test_one_training_at_a_time_writes_a_run(out: Path, tmp_path: Path) -> None:
    """R1: a job that is queued again meets one that still runs."""
    run = tmp_path / "run"
    code = (
        "import sys, time; from pathlib import Path; from fertools.files import locked\n"
        "with locked(Path(sys.argv[1]), ''): print('locked', flush=True); time.sleep(600)"
    )
    run.mkdir()
    command = [sys.executable, "-c", code, str(run / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=r"another training is writing .*run: wait for it"):
            train(out, run, **SMALL)
        other.kill()
    from fertools.files import locked

    with locked(run / ".lock", "the lock outlived its process"):
        pass


@pytest.mark.parametrize("where", ["file", "file/below", "read-only"])
def test_a_run_that_cannot_be_written_is_one_line(
    where: str, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T5: it was a traceback."""
    (tmp_path / "file").write_text("mine")
    if where == "read-only":

        def refuse(path: Path, *given: Any, **named: Any) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError) as raised:
        train(out, tmp_path / where, **SMALL)
    assert "\n" not in str(raised.value) and where in str(raised.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "--seed -1: give a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "--seed 4294967296"),
        ({"seed": "1"}, "--seed '1': give a whole number"),
        ({"resume": "no"}, "--resume 'no': give True or False"),
        ({"quiet": 1}, "--quiet 1: give True or False"),
        ({"epochs": "many"}, "--epochs 'many'"),
    ],
)
def test_an_option_that_cannot_be_meant_leaves_nothing_behind(
    options: dict[str, Any], said: str, out: Path, tmp_path: Path
) -> None:
    """V16 and A9: a traceback from NumPy, after run.json was written."""
    with pytest.raises(OptionError, match=said):
        train(out, tmp_path / "run", **SMALL | options)
    assert not (tmp_path / "run").exists()
    with pytest.raises(OptionError, match="run 3: give a path"):
        train(out, 3)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_mistyped_model_leaves_no_run_behind(out: Path, tmp_path: Path) -> None:
    """T5: the corrected command was refused."""
    run = tmp_path / "run"
    for model in ("tests.training.test_fit:overflowin", "nowhere:build", ".x:y"):
        with pytest.raises(OptionError, match="cannot be imported"):
            train(out, run, **SMALL | {"model": model})
        assert [path.name for path in run.iterdir()] == [".lock"]
    train(out, run, **SMALL | {"epochs": 1})


@pytest.mark.slow
def test_what_is_deleted_comes_back_from_the_checkpoints(out: Path, tmp_path: Path) -> None:
    """R3: a ValueError out of the input pipeline."""
    run = tmp_path / "run"
    train(out, run, **SMALL)
    names = ("best.weights.h5", "last.weights.h5", "history.csv")
    before = {name: (run / name).read_bytes() for name in names}
    for name in names:
        (run / name).unlink()
    train(out, run, **SMALL)
    assert {name: (run / name).read_bytes() for name in names} == before


@pytest.mark.slow
def test_a_damaged_checkpoint_is_one_line_whose_cure_works(out: Path, tmp_path: Path) -> None:
    """R4: OSError out of h5py."""
    run = tmp_path / "run"
    train(out, run, **SMALL | {"epochs": 2})
    (run / "history.csv").unlink()
    checkpoint = Run.read(run).store.checkpoint(2)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"000002\.weights\.h5 does not fit") as raised:
        train(out, run, **SMALL | {"epochs": 3})
    assert "\n" not in str(raised.value)
    cure = "begin anew with --no-resume"
    if "continues after epoch 1" in str(raised.value):
        cure = "delete 000002.weights.h5"
        checkpoint.unlink()
    assert cure in str(raised.value)
    train(out, run, resume="delete" in cure, **SMALL | {"epochs": 3})
    assert len(figures(run)) == 3


@pytest.mark.slow
def test_a_prolonged_training_goes_on_with_its_weights_and_its_recipe(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T15."""
    run = tmp_path / "run"
    train(out, run, **SMALL | {"epochs": 2, "quiet": False})
    said = "photos: --init glorot_uniform --augment light --learning-rate 0.003\n"
    assert said in capsys.readouterr().err
    before = figures(run)
    prolonged = train(out, run, epochs=4)
    assert "chosen" not in capsys.readouterr().err
    assert prolonged.earlier == (2,)
    assert (prolonged.options.depth, prolonged.options.batch) == (8, 8)
    assert figures(run)[:2] == before and len(figures(run)) == 4
    assert "4 of 4 epochs" in prolonged.text()


#: Trains where no file may become larger than a number of bytes.
LIMITED = """
import resource, sys
import fertools.cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
fertools.cli.main()
"""


@pytest.mark.slow
def test_a_disk_that_refuses_is_one_line_and_the_same_command_goes_on(
    out: Path, tmp_path: Path
) -> None:
    """R4: HDF5, which met the disk itself, ended the process by a segmentation fault."""
    run = tmp_path / "run"
    words = ["train", out, run, "--depth=8", "--width=4", "--batch=8", "--epochs=2", "--quiet"]
    for limit in (20_000, 60_000):  # a checkpoint takes about 130 kB, the network 60 kB
        command = [sys.executable, "-c", LIMITED, str(limit), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("\n") == 1 and "000001.weights.h5" in done.stderr
        assert not list(run.rglob("*.weights.h5"))
    train(out, run, **SMALL | {"epochs": 2})
    assert len(figures(run)) == 2

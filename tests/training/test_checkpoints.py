"""What a run keeps of its epochs: kill points, what comes back, and what is never lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fertools.errors import DatasetError
from fertools.training.checkpoints import HISTORY, Row, Store, read_history
from tests.training.test_run import a_run

EPOCHS = 4

#: Macro-F1 on validation by epoch: the best is in the middle.
_F1 = {1: 0.2, 2: 0.8, 3: 0.5, 4: 0.6}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package catches it."""


def network_of(state: bytes) -> bytes:
    return state.replace(b"state", b"network")


def go_on(folder: Path, attempt: int) -> None:
    """Train as `fit` does, on a device where no two runs of an epoch give the same."""
    store = Store(folder)
    if store.finished and not store.is_current():
        store.complete(lambda epoch: network_of(store.checkpoint(epoch).read_bytes()))
    rows = store.rows()
    for epoch in range(store.finished + 1, EPOCHS + 1):
        rows.append({"epoch": epoch, "loss": attempt, "val_f1": _F1[epoch]})
        state = f"state of epoch {epoch}, attempt {attempt}".encode()
        store.commit(rows, state, network_of(state))


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Kill before the numbered step that changes a name on the disk, every one of them counted."""
    left = iter(range(step))

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *given: Any, **named: Any) -> Any:
            counts = real.__name__ == "replace" or not path.name.endswith(".tmp")
            if counts and next(left, None) is None:
                raise Killed
            return real(path, *given, **named)

        return call

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))


@pytest.mark.parametrize("step", range(27))
def test_every_kill_point_ends_in_networks_of_the_history(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5 and R5: what history says and what the weights are is one and the same attempt."""
    with monkeypatch.context() as patched:
        kill_at(patched, step)
        with suppress(Killed):
            go_on(tmp_path, 1)
            assert step == 26, "there are other steps than are numbered"
    assert (Store(tmp_path).finished == EPOCHS) == (step > 20)
    go_on(tmp_path, 2)
    store = Store(tmp_path)
    assert store.finished == EPOCHS and store.is_current()
    rows = read_history(tmp_path / HISTORY, "")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for which, epoch in (("last", 4), ("best", 2)):
        attempt = int(rows[epoch - 1]["loss"])
        wanted = f"network of epoch {epoch}, attempt {attempt}"
        assert store.weights(which).read_text() == wanted
        assert store.identify(which).epoch == epoch
    kept = sorted(file.name for file in (tmp_path / "checkpoint").iterdir())
    assert kept == [f"00000{n}.{end}" for n in (2, 4) for end in ("csv", "weights.h5")]


def test_an_epoch_counts_when_its_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5: killed in the last epoch, a training is not finished and says nothing of it."""
    from fertools.training.fit import _is_training_complete

    run = a_run(tmp_path, epochs=EPOCHS)
    run.write()
    replace = Path.replace

    def dying(path: Path, target: Path) -> Path:
        if target.name == "000004.weights.h5":
            raise Killed
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        with suppress(Killed):
            go_on(tmp_path, 1)
    assert not _is_training_complete(run)
    assert len(read_history(tmp_path / HISTORY, "")) == 3
    assert store_text(tmp_path) == {"last": 3, "best": 2}
    go_on(tmp_path, 2)
    assert _is_training_complete(run)


def store_text(folder: Path) -> dict[str, int]:
    tree = json.loads((folder / "weights.json").read_text())
    return {which: each["epoch"] for which, each in tree.items()}


@pytest.mark.parametrize("how", ["deleted", "changed"])
@pytest.mark.parametrize("name", ["best.weights.h5", "last.weights.h5", "history.csv"])
def test_what_is_deleted_or_changed_comes_back(name: str, how: str, tmp_path: Path) -> None:
    """R3: the checkpoints hold it."""
    go_on(tmp_path, 1)
    before = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if how == "changed":
        (tmp_path / name).write_bytes(before[:-1])
    assert not Store(tmp_path).is_current()
    go_on(tmp_path, 2)
    assert (tmp_path / name).read_bytes() == before
    assert Store(tmp_path).is_current()


def test_a_best_epoch_that_is_nowhere_any_more_is_one_line(tmp_path: Path) -> None:
    from fertools.training.checkpoints import read_file

    go_on(tmp_path, 1)
    store = Store(tmp_path)
    store.weights("best").unlink()
    store.checkpoint(2).unlink()

    def network(epoch: int) -> bytes:
        return read_file(store.checkpoint(epoch), store.cure(epoch))

    with pytest.raises(DatasetError, match=r"000002\.weights\.h5 is missing: put a whole copy"):
        store.complete(network)


def test_a_checkpoint_that_is_deleted_sets_the_training_back(tmp_path: Path) -> None:
    """The cure that the message for a damaged checkpoint names."""
    go_on(tmp_path, 1)
    store = Store(tmp_path)
    assert store.cure(4) == "delete 000004.weights.h5 and train continues after epoch 2"
    store.checkpoint(4).unlink()
    go_on(tmp_path, 2)
    rows: list[Row] = store.rows()
    assert [row["loss"] for row in rows] == [1, 1, 2, 2]
    assert store.weights("last").read_text() == "network of epoch 4, attempt 2"
    assert store.is_current()


def test_without_validation_the_last_epoch_is_the_best(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows: list[Row] = []
    for epoch in (1, 2):
        rows.append({"epoch": epoch, "loss": 1})
        store.commit(rows, b"state", f"network {epoch}".encode())
    assert store.weights("best").read_bytes() == b"network 2"
    assert [file.name for file in sorted((tmp_path / "checkpoint").iterdir())] == [
        "000002.csv",
        "000002.weights.h5",
    ]


def test_beginning_anew_leaves_no_figure_of_the_old_network(tmp_path: Path) -> None:
    """V6: only the count of looks at test stays."""
    run = a_run(tmp_path, epochs=EPOCHS)
    run.write()
    go_on(tmp_path, 1)
    for name in ("evaluation-test/metrics.json", "export-onnx/model.onnx", "logs/events"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("of the old network")
    (tmp_path / "curves.png").write_bytes(b"old")
    (tmp_path / "looks.csv").write_text("split,manifest,weights\ntest,a,b\n")
    Store(tmp_path).clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["looks.csv", "run.json"]


def test_leftovers_of_a_killed_training_are_removed(tmp_path: Path) -> None:
    go_on(tmp_path, 1)
    for folder in (tmp_path, tmp_path / "checkpoint"):
        (folder / ".best.weights.h5.1-abcd.tmp").write_bytes(b"half")
    Store(tmp_path).sweep()
    assert not list(tmp_path.rglob("*.tmp"))

"""The folder of a run: read back as it was written, or refused in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fertools.dataset.manifest import ClassName, ImageSpec
from fertools.errors import DatasetError, OptionError
from fertools.training.checkpoints import (
    Row,
    best_epoch,
    history_csv,
    mark_best,
    read_history,
)
from fertools.training.recipe import Recipe
from fertools.training.run import Run


def a_run(folder: Path, **options: Any) -> Run:
    return Run(
        folder=folder,
        classes=(ClassName("기쁨", "joy"), ClassName("중립", "neutral")),
        image=ImageSpec(32, "png"),
        options=Recipe(**options),
        faces={"size": 32, "margin": 0.0},
        dataset={"name": "faces", "manifest": "0" * 64, "shards": {"a": "1" * 64}},
        seed=3,
        versions={"keras": "3"},
    )


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", depth=14)
    run.write()
    assert Run.read(run.folder) == run
    assert Run.read(run.folder).options.depth == 14
    assert (run.folder / "run.json").read_text("utf-8") == run.to_json() + "\n"


def test_what_was_learned_is_said_in_words_and_is_no_input(tmp_path: Path) -> None:
    run = a_run(tmp_path, soft_labels="posterior")
    run.write()
    tree = json.loads((tmp_path / "run.json").read_bytes())
    assert "Dawid and Skene" in tree["targets"]
    del tree["targets"]  # as in a run of an older fertools
    tree["options"]["soft_labels"] = True
    (tmp_path / "run.json").write_text(json.dumps(tree), "utf-8")
    read = Run.read(tmp_path)
    assert read == a_run(tmp_path, soft_labels="votes")
    assert "share of the annotators' votes" in read.targets


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"format": 2}, "format"),
        ({"seed": "3"}, "seed"),
        ({"options": {"depth": 51}}, "--depth 51"),
        ({"options": {"exec": "x"}}, "no option exec"),
        ({"classes": [{"name": ""}]}, "english"),
        ({"image": {"size": 0, "format": "png"}}, "size 0"),
        ({"surprise": 1}, "surprise"),
        ({"earlier": ["30"]}, "earlier"),
    ],
)
def test_what_is_none_of_ours_is_refused(change: dict[str, Any], text: str, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.write()
    tree = json.loads((tmp_path / "run.json").read_bytes()) | change
    (tmp_path / "run.json").write_text(json.dumps(tree), "utf-8")
    with pytest.raises(DatasetError, match=text):
        Run.read(tmp_path)


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_damage_is_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(data)
    with pytest.raises(DatasetError, match="not a run that can be used"):
        Run.read(tmp_path)
    with pytest.raises(DatasetError, match="is not a run: give the folder"):
        Run.read(tmp_path / "nowhere")


def test_a_foreign_run_cannot_name_code_to_execute(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("raise SystemExit('executed')")
    run = a_run(tmp_path / "run", model="planted:build")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(OptionError, match="trust it in Python"):
            run.model()
    finally:
        sys.path.remove(str(tmp_path))


def test_the_best_epoch_is_that_of_the_highest_macro_f1_and_of_equals_the_lowest_loss() -> None:
    rows: list[Row] = []
    figures = [(0.5, 2.0), (0.75, 1.0), (0.75, 0.9), (0.75, 0.95), (0.7, 0.1)]
    for epoch, (f1, loss) in enumerate(figures, start=1):
        row = {"epoch": float(epoch), "val_f1": f1, "val_loss": loss}
        mark_best(row, rows)
        rows.append(row)
    assert [row["best"] for row in rows] == [1, 1, 1, 0, 0]
    assert best_epoch(rows) == rows[2]
    row = {"epoch": 1.0, "loss": 2.0}
    mark_best(row, [])
    assert "best" not in row  # there is no validation


def test_a_history_of_an_older_fertools_keeps_its_rule_and_its_columns() -> None:
    rows = [{"epoch": float(n), "val_f1": 0.75, "val_loss": 1 / n} for n in (1, 2)]
    assert best_epoch(rows) == rows[0]
    row = {"epoch": 3.0, "val_f1": 0.75, "val_loss": 0.1}
    mark_best(row, rows)
    assert "best" not in row


def test_the_best_epoch_of_an_older_fertools_is_the_first_of_equals(
    tmp_path: Path,
) -> None:
    rows = [
        {"epoch": 1.0, "loss": 2.0, "val_f1": 0.5},
        {"epoch": 2.0, "loss": 1.0, "val_f1": 0.75},
        {"epoch": 3.0, "loss": 0.5, "val_f1": 0.75},
    ]
    path = tmp_path / "history.csv"
    path.write_bytes(history_csv(rows))
    assert read_history(path, "") == rows
    assert best_epoch(rows) == rows[1]
    assert best_epoch([{"epoch": 1.0, "loss": 2.0}]) is None
    path.write_text("epoch,loss\n1,two\n")
    with pytest.raises(DatasetError, match=r"two.*: look after it"):
        read_history(path, "look after it")
    path.unlink()
    with pytest.raises(DatasetError, match="is missing: look after it"):
        read_history(path, "look after it")


@pytest.mark.parametrize(("rule", "doubted"), [("none", False), ("posterior", True)])
def test_a_loss_against_labels_that_are_not_learned_is_no_proof_of_overfitting(
    rule: str, doubted: bool, tmp_path: Path
) -> None:
    run = a_run(tmp_path, soft_labels=rule, epochs=9)
    rows = [
        {"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.0 + 0.1 * epoch, "val_f1": 0.5}
        | {"val_accuracy": 0.5}
        for epoch in range(1, 10)
    ]
    for epoch in range(1, 10):
        run.store.commit(rows[:epoch], b"state", b"network")
    assert "overfitting sets in after epoch 2" in run.text()
    assert ("where many labels are wrong, its loss rises" in run.text()) == doubted

"""The model card says what must not be done with a network, and what was measured."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fertools.inference.card import model_card
from fertools.inference.evaluate import evaluate
from fertools.training.checkpoints import WeightsId
from fertools.training.run import Run
from tests.training.fakes import example, fake_run, write_dataset

BEST, LAST = WeightsId("a" * 64, 3), WeightsId("b" * 64, 60)


def test_a_network_that_nobody_tested_says_so(tmp_path: Path) -> None:
    card = model_card(fake_run(tmp_path / "run"), "best", BEST)
    assert f"Weights: best, epoch 3, SHA-256 {BEST.sha256}." in card
    assert "Not evaluated on a test split" in card
    assert "Article 5(1)(f)" in card
    assert "Not calibrated: no temperature was fitted." in card
    assert '"none"' in card  # the training options
    assert "Learned: the photo's label, smoothed by label_smoothing." in card


def test_the_figures_are_those_of_the_test_and_of_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    women = [example(who, who % 3, sex="여", age=60) for who in range(30)]
    men = [example(who, 0, subject="m", sex="남", shown=1) for who in range(30, 40)]
    out = write_dataset(tmp_path / "out", [*women, *men])
    run = fake_run(tmp_path / "run", out)
    monkeypatch.setattr(Run, "read", lambda folder: run)
    for name in ("confusion_png", "reliability_png", "mistakes_png"):
        monkeypatch.setattr(f"fertools.inference.evaluate.{name}", lambda *_: b"")
    evaluate(run.folder, out)
    card = model_card(run, "best", BEST)
    assert "- accuracy 0.750 (" in card
    assert "On 40 test photos, with 95 % intervals over 31 people" in card
    assert re.search(r"남 male +1 +too few people", card)
    assert "Not evaluated" in model_card(run, "last", LAST)
    evaluate(run.folder, out)
    assert "Beware: this is evaluation 2 of test" in model_card(run, "best", BEST)


def test_figures_of_other_weights_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V6: evaluated at epoch 3 and trained on, or begun anew with another seed."""
    out = write_dataset(tmp_path / "out", [example(row, row % 3) for row in range(9)])
    run = fake_run(tmp_path / "run", out)
    monkeypatch.setattr(Run, "read", lambda folder: run)
    for name in ("confusion_png", "reliability_png", "mistakes_png"):
        monkeypatch.setattr(f"fertools.inference.evaluate.{name}", lambda *_: b"")
    evaluate(run.folder, out)
    card = model_card(run, "best", WeightsId("c" * 64, 7))
    assert "accuracy" not in card
    assert "was of other weights or another temperature (best, epoch 3)" in card
    warmer = model_card(run, "best", replace(BEST, temperature=1.5))
    assert "accuracy" not in warmer and "Not calibrated" not in warmer
    assert "divided by a temperature of 1.5, which was fitted on validation" in warmer


def test_a_prolonged_training_is_told(tmp_path: Path) -> None:
    card = model_card(fake_run(tmp_path / "run", earlier=(30, 60)), "best", BEST)
    assert "Prolonged after epochs 30, 60" in card


def test_a_card_shows_no_path_and_no_person(tmp_path: Path) -> None:
    run = fake_run(tmp_path / "run")
    assert str(tmp_path) not in model_card(run, "best", BEST)
    metrics = run.folder / "evaluation-test" / "metrics.json"
    metrics.parent.mkdir()
    metrics.write_text(json.dumps(["not what evaluate writes"]))
    assert "Not evaluated" in model_card(run, "best", BEST)

"""Curves while a training goes on, and the epoch after which it overfits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fertools.training import curves
from fertools.training.checkpoints import Row
from fertools.training.curves import CurvesFile, draw_curves, overfitting, overfitting_text


def history(validation: list[float], train: list[float] | None = None) -> list[Row]:
    """Give a history with these losses; train falls evenly where nothing else is said."""
    losses = train or list(np.linspace(1.0, 0.1, len(validation)))
    return [
        {"epoch": epoch, "loss": loss, "accuracy": 0.5, "val_loss": val} | {"val_f1": -val}
        | {"val_accuracy": 0.5}
        for epoch, (loss, val) in enumerate(zip(losses, validation, strict=True), start=1)
    ]  # fmt: skip


#: Falls to the eighth epoch, rises to the twentieth.
RISING = [*np.linspace(1.0, 0.4, 8), *np.linspace(0.45, 0.9, 12)]


def test_overfitting_sets_in_where_validation_is_lowest_and_train_falls_on() -> None:
    found = overfitting(history(RISING))
    assert found is not None and found.epoch == 8
    assert found.validation[0] == pytest.approx(np.mean(RISING[6:9]))
    assert found.validation[1] == pytest.approx(np.mean(RISING[-3:]))
    assert found.train[0] > found.train[1]
    assert overfitting_text(history(RISING)) == (
        "overfitting sets in after epoch 8: since then the loss has risen from 0.445 to 0.859 on "
        "validation and fallen from 0.668 to 0.147 on train"
    )


@pytest.mark.parametrize(
    "rows",
    [
        history(list(np.linspace(1.0, 0.4, 20))),
        history([1.0, 0.5, *[0.4, 0.41] * 9]),  # noise
        history(RISING, train=[*np.linspace(1.0, 0.4, 8), *np.linspace(0.5, 0.9, 12)]),  # diverges
    ],
)
def test_a_loss_that_falls_or_wavers_and_a_training_that_diverges_are_no_overfitting(
    rows: list[Row],
) -> None:
    assert overfitting(rows) is None
    assert overfitting_text(rows) == "no sign of overfitting: the loss on validation does not rise"


def test_one_bad_epoch_is_no_overfitting() -> None:
    assert overfitting(history([*np.linspace(1.0, 0.5, 19), 0.56])) is None


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert overfitting_text(history([0.4, 0.5, 0.6])) == ""
    without = [{"epoch": float(epoch), "loss": 1 / epoch} for epoch in range(1, 20)]
    assert overfitting_text(without) == ""


def test_the_span_of_overfitting_is_in_both_pictures(tmp_path: Path) -> None:
    def reddish() -> np.ndarray:
        image = cv2.imread(str(tmp_path / "curves.png"))
        assert image is not None
        blue, _, red = np.moveaxis(image.astype(int), 2, 0)
        return np.flatnonzero(((red - blue > 10) & (blue > 200)).sum(0) > 50)

    draw_curves(tmp_path, history(RISING))
    columns = reddish()
    assert columns.min() < 495 < columns.max()  # the middle of the 990 pixels
    draw_curves(tmp_path, history(list(np.linspace(1.0, 0.4, 20))))
    assert not len(reddish())


def test_curves_cannot_fail_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def broken(folder: Path, rows: list[Row]) -> None:
        calls.append(len(rows))
        raise RuntimeError("no font\nat all")

    monkeypatch.setattr(curves, "draw_curves", broken)
    monkeypatch.setattr(curves, "_FIRST", 0.0)
    file = CurvesFile(tmp_path)
    for epochs in (1, 2, 3):
        file.update(history([0.5] * epochs))
    assert calls == [1]
    assert not file.draw(history([0.5] * 3))
    path = tmp_path / "curves.png"
    assert capsys.readouterr().err == f"{path} cannot be drawn: no font\n" * 2


def test_curves_are_drawn_again_when_a_drawing_is_a_twentieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, drawn = 0.0, []

    def draw(folder: Path, rows: list[Row]) -> None:
        nonlocal now
        now += 0.5
        drawn.append(len(rows))

    monkeypatch.setattr(curves, "draw_curves", draw)
    monkeypatch.setattr("fertools.training.curves.time.monotonic", lambda: now)
    file = CurvesFile(tmp_path)
    for epoch in range(1, 45):
        now += 1
        file.update(history([0.5] * epoch))
    assert drawn == [20, 30, 40]

"""What each epoch gave: history.csv, and the picture of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fertools.errors import DatasetError
from fertools.shards import write_whole

HISTORY: Final = "history.csv"
CURVES: Final = "curves.png"

Row = dict[str, float]
"""An epoch's figures by name: epoch (from 1), loss, accuracy, f1, val_loss, … images_per_second."""


def read_history(run: Path) -> list[Row]:
    """Give the finished epochs of a run, none where it has not come that far."""
    path = run / HISTORY
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="ascii") as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, csv.Error) as fault:
        raise DatasetError(f"{path} is damaged: {fault}: delete it, or train anew") from fault


def write_history(run: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write all finished epochs, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
    write_whole(run / HISTORY, text.getvalue().encode("ascii"))


def best(rows: Sequence[Row]) -> Row | None:
    """Give the epoch with the highest macro-F1 on validation, the first of equals."""
    judged = [row for row in rows if "val_f1" in row]
    return max(judged, key=lambda row: row["val_f1"], default=None)


def draw_curves(run: Path, rows: Sequence[Row]) -> bool:
    """Draw accuracy and loss over the epochs as the talk did; False without matplotlib."""
    try:
        from matplotlib.figure import Figure  # not pyplot: nothing global, no window system
    except ImportError:
        return False
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in rows]
    chosen = best(rows)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[name] for row in rows], label="train")
        if chosen:
            axes.plot(epochs, [row[f"val_{name}"] for row in rows], label="validation")
            axes.axvline(chosen["epoch"], color="gray", linewidth=0.8, linestyle="--", label="best")
        axes.set(xlabel="epoch", title=name)
        axes.legend()
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    write_whole(run / CURVES, image.getvalue())
    return True

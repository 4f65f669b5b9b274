"""The figures of each epoch: history.csv, and a plot of it."""

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


def read_history(path: Path, cure: str) -> list[Row]:
    """Read a history; raise DatasetError with `cure` where it is missing or damaged."""
    try:
        with path.open(newline="", encoding="ascii") as file:
            return [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing: {cure}") from None
    except (OSError, ValueError, TypeError, csv.Error) as fault:
        raise DatasetError(f"{path} is damaged: {fault}: {cure}") from fault


def history_csv(rows: Sequence[Mapping[str, float]]) -> bytes:
    """Return the bytes of history.csv, a row an epoch."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), restval="nan", lineterminator="\n")
    writer.writeheader()
    for row in rows:  # floats, so that a history read back gives the same bytes
        writer.writerow(
            {name: float(value) for name, value in row.items()} | {"epoch": int(row["epoch"])}
        )
    return text.getvalue().encode("ascii")


def best(rows: Sequence[Row]) -> Row | None:
    """Return the epoch with the highest macro-F1 on validation, the first of equals."""
    judged = [row for row in rows if "val_f1" in row]
    return max(judged, key=lambda row: row["val_f1"], default=None)


def draw_curves(run: Path, rows: Sequence[Row]) -> None:
    """Draw accuracy and loss over the epochs as the talk did."""
    from matplotlib.figure import Figure  # not pyplot: nothing global, no window system

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

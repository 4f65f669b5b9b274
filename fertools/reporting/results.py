"""Draw what a training run and its evaluation measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite, nan
from typing import Any, Final
from xml.etree.ElementTree import Element

from fertools.console import name_pair
from fertools.reporting.charts import Bar, bars, lines, matrix
from fertools.reporting.network import Network
from fertools.training.checkpoints import Row, best_epoch
from fertools.training.curves import overfitting

#: Curves of a training: the title, and the names of the figures in history.csv.
_CURVES: Final = {
    "Accuracy by epoch": ("accuracy", "val_accuracy"),
    "Loss by epoch": ("loss", "val_loss"),
    "Macro-F1 by epoch": ("f1", "val_f1"),
}


def network_charts(network: Network) -> Iterator[Element]:
    """Yield the charts of the first evaluation (test before validation), then the curves."""
    for split, metrics in [*network.evaluations.items()][:1]:
        yield from _evaluation(split, metrics)
    yield from _curves(network.history)


def headline(metrics: dict[str, Any]) -> str:
    """Return accuracy and macro-F1 with their intervals as a sentence."""
    accuracy, f1 = (_estimate(metrics[name]) for name in ("accuracy", "macro_f1"))
    return (
        f"accuracy {accuracy}, macro-F1 {f1}, on {metrics['photos']:,} photos of "
        f"{metrics['people']:,} people; calibration error {metrics['calibration_error']:.3f}"
    )


def _estimate(figure: dict[str, float | None]) -> str:
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _evaluation(split: str, metrics: dict[str, Any]) -> Iterator[Element]:
    names = [name_pair(entry["name"], entry["english"]) for entry in metrics["classes"]]
    yield matrix(
        f"Confusion on {split}",
        "Rows: the class in the dataset. Columns: the predicted class.",
        metrics["confusion"],
        names,
    )
    rows = [
        Bar(name, (entry["f1"] or 0.0,), f"{entry['photos']:,} photos")
        for name, entry in zip(names, metrics["classes"], strict=True)
    ]
    yield bars(f"F1 of each class on {split}", "From 0 to 1.", rows, ["F1"], whole=1)
    bins = metrics["reliability"]
    if len(bins) > 1:
        yield lines(
            f"Calibration on {split}",
            "Predictions by confidence: the share that was right, and the mean confidence. The "
            "lines coincide if the calibration is perfect.",
            {
                "right": [each["accuracy"] for each in bins],
                "confidence": [each["confidence"] for each in bins],
            },
            [f"{each['low']:.2f}–{each['high']:.2f}" for each in bins],
            scale="confidence",
        )
    groups = [each for each in metrics["groups"] if each["accuracy"]]
    if groups:
        rows = [
            Bar(each["name"], (each["accuracy"]["value"],), f"{each['people']:,} people")
            for each in groups
        ]
        about = "Accuracy by sex and age, of groups with enough people."
        yield bars(f"Accuracy of groups on {split}", about, rows, ["accuracy"], whole=1)


def _curves(history: Sequence[Row]) -> Iterator[Element]:
    if len(history) < 2:
        return
    best, worse = best_epoch(history), overfitting(history)
    marks = [] if best is None else [f"dashed: epoch {best['epoch']:.0f}, the best on validation"]
    marks += [] if worse is None else ["shaded: overfitting"]
    about = f"During the training{'; ' * bool(marks)}{', '.join(marks)}."
    for title, names in _CURVES.items():
        series = {
            label: [row[name] for row in history]
            for label, name in zip(("train", "validation"), names, strict=True)
            if all(isfinite(row.get(name, nan)) for row in history)
        }
        if series:
            yield lines(
                title,
                about,
                series,
                [f"{row['epoch']:.0f}" for row in history],
                scale="epoch",
                marked=None if best is None else round(best["epoch"]) - 1,
                shaded=None if worse is None else worse.epoch - 1,
            )

"""The commands about training: each parses, calls the function of its name, and prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import fertools

_PATH = click.Path(path_type=Path)

_weights = click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Of the epoch that was best on validation, or of the last one.",
)


@click.command("evaluate")
@click.argument("run", type=_PATH)
@click.argument("out", type=_PATH)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Whom to ask; look at test once, when every choice has been made.",
)
@_weights
@click.option("--batch", default=128, show_default=True, help="Images at a time.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def evaluate(run: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Measure the network of RUN on people of the dataset OUT that it has not seen.

    Accuracy and macro-F1 with intervals, figures by class, sex and age, calibration. Writes
    metrics.json, confusion.png, reliability.png and mistakes.png into RUN/evaluation-SPLIT.
    """
    found = fertools.evaluate(run, out, **options)
    text = json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else found.text()
    click.echo(text)


@click.command("predict")
@click.argument("run", type=_PATH)
@click.argument("photos", type=_PATH, nargs=-1, required=True)
@_weights
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def predict(run: Path, photos: tuple[Path, ...], weights: str, as_json: bool) -> None:
    """Say what the network of RUN takes the faces in PHOTOS for, one line a photo.

    PHOTOS are files, folders or zips. They are looked at as the build looked at its own; a photo
    without a face says so.
    """
    from fertools.archive import printable  # a name may hold a line break or worse

    for said in fertools.predict(run, *photos, weights=weights):
        click.echo(_json_line(said.to_dict()) if as_json else printable(said.text()))


@click.command("export")
@click.argument("run", type=_PATH)
@click.option(
    "--to",
    type=click.Choice(["onnx", "savedmodel", "litert"]),
    default="onnx",
    show_default=True,
    help="What it is to run on.",
)
@_weights
def export(run: Path, to: str, weights: str) -> None:
    """Write the network of RUN for others to run, into RUN/export-TO.

    It is held against Keras, and comes with its preprocessing and a model card.
    """
    click.echo(fertools.export(run, to=to, weights=weights).text())


def _json_line(tree: dict[str, Any]) -> str:
    """Give JSON that can be printed: in plain Korean, or escaped where a name holds worse."""
    text = json.dumps(tree, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(tree)

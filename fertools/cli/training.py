"""Commands of the trainer: each parses, calls the function of its name, and prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import fertools
from fertools.cli.values import PATH

_weights = click.option(
    "--weights",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Of the best epoch on validation, or of the last one.",
)


@click.command("train")
@click.argument("out", type=PATH)
@click.argument("run", type=PATH)
@click.option(
    "--depth",
    type=click.Choice(["8", "14", "26", "50", "101", "152"]),
    default="50",
    show_default=True,
    help="Layers of the ResNet; 8 and 14 are for laptops.",
)
@click.option("--width", default=64, show_default=True, help="Channels of its first stage.")
@click.option(
    "--init",
    type=click.Choice(["he_normal", "glorot_uniform"]),
    default="he_normal",
    show_default=True,
    help="Kernel initialiser.",
)
@click.option("--zero-gamma", is_flag=True, help="Initialise every residual block as the identity.")
@click.option(
    "--head",
    type=click.Choice(["gap", "flatten"]),
    default="gap",
    show_default=True,
    help="Global average pooling, or the talk's flatten.",
)
@click.option("--head-units", default=0, show_default=True, help="A Dense layer before the last.")
@click.option("--model", default="", metavar="MODULE:FUNCTION", help="A network of your own.")
@click.option(
    "--augment",
    type=click.Choice(["talk", "light", "none"]),
    default="talk",
    show_default=True,
    help="Augmentation of training images: as in the talk, less and without noise, or none.",
)
@click.option(
    "--mix",
    type=click.Choice(["none", "mixup", "erasing"]),
    default="none",
    show_default=True,
    help="Mix images with each other, or erase a rectangle of them.",
)
@click.option(
    "--stretch",
    type=click.Choice(["always", "train", "never"]),
    default="always",
    show_default=True,
    help="Stretch each image's grays to 0..255; train is the talk's: not at test time.",
)
@click.option("--epochs", default=60, show_default=True, help="Passes over the training split.")
@click.option("--batch", default=64, show_default=True, help="Images a step.")
@click.option(
    "--optimizer",
    type=click.Choice(["adamw", "sgd"]),
    default="adamw",
    show_default=True,
    help="SGD is with Nesterov momentum 0.9.",
)
@click.option(
    "--learning-rate",
    default=0.0,
    help="Its maximum.  [default: 0.001 for adamw, 0.1 × batch / 256 for sgd]",
)
@click.option(
    "--weight-decay", default=-1.0, help="Decoupled.  [default: 0.05 for adamw, 0.0001 for sgd]"
)
@click.option(
    "--warmup",
    default=0.05,
    show_default=True,
    help="Share of the steps in which the learning rate rises.",
)
@click.option("--label-smoothing", default=0.1, show_default=True, help="0 for none.")
@click.option("--soft-labels", is_flag=True, help="Learn the annotators' votes, if there are any.")
@click.option("--balance", is_flag=True, help="Weigh rare classes more.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="auto is bfloat16 on a GPU, float32 elsewhere.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Of order, augmentation and first weights."
)
@click.option(
    "--resume/--no-resume", default=True, help="Go on with RUN, or begin it anew.  [default: on]"
)
@click.option("--cache", is_flag=True, help="Keep decoded images in memory.")
@click.option("--allow-leak", is_flag=True, help="Take a dataset whose splits share people.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(out: Path, run: Path, depth: str, **options: Any) -> None:
    """Train a network from the dataset in OUT and keep its weights and figures in RUN.

    A training that was interrupted goes on by the same command, and more --epochs prolong one that
    is finished. The best epoch is chosen by macro-F1 on validation; test is not looked at.
    """
    click.echo(fertools.train(out, run, depth=int(depth), **options).text())


@click.command("evaluate")
@click.argument("run", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Where to measure; look at test once, when every choice has been made.",
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
@click.argument("run", type=PATH)
@click.argument("photos", type=PATH, nargs=-1, required=True)
@_weights
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def predict(run: Path, photos: tuple[Path, ...], weights: str, as_json: bool) -> None:
    """Predict the expression of the faces in PHOTOS with the network of RUN, one line a photo.

    PHOTOS are files, folders or zips. Faces are found and cropped as in the build of the dataset;
    the line of a photo without a face says why.
    """
    from fertools.errors import printable

    for said in fertools.predict(run, *photos, weights=weights):
        click.echo(_json_line(said.to_dict()) if as_json else printable(said.text()))


@click.command("export")
@click.argument("run", type=PATH)
@click.option(
    "--to",
    type=click.Choice(["onnx", "savedmodel", "litert"]),
    default="onnx",
    show_default=True,
    help="The format to write.",
)
@_weights
def export(run: Path, to: str, weights: str) -> None:
    """Export the network of RUN into RUN/export-TO.

    Its probabilities are compared with Keras', and a description of its preprocessing and a model
    card are written beside it.
    """
    click.echo(fertools.export(run, to=to, weights=weights).text())


def _json_line(tree: dict[str, Any]) -> str:
    """Return JSON that can be printed: in plain Korean, or escaped where a name holds worse."""
    text = json.dumps(tree, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(tree)

"""Define the commands: each calls the function of its name and prints the result.

The options are the fields of the dataclasses that `command` names (fertools/options.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

import fertools
from fertools.cli.korean import korean_hints
from fertools.cli.options import command
from fertools.environment import spare_pandas
from fertools.errors import OptionError, printable
from fertools.options import (
    BuildOptions,
    CsvOptions,
    EvaluateOptions,
    ExportDatasetOptions,
    ExportOptions,
    JsonOptions,
    LabelsOptions,
    PartsOptions,
    PredictOptions,
    PreviewOptions,
    ReportOptions,
    RunOptions,
    SampleOptions,
    StatsOptions,
    SuspectsOptions,
    TrainOptions,
    TrainRunOptions,
    VerifyOptions,
)

#: Any path; the function of the command checks the path and replaces `~`.
_PATH = click.Path(path_type=Path)


@command("make-sample", SampleOptions)
@click.argument("out", type=_PATH)
def make_sample(out: Path, **options: Any) -> None:
    """Draw an AI-Hub style archive of people who do not exist into OUT, to try fertools with."""
    with click.progressbar(
        length=1, label="drawing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def progress(drawn: int, total: int) -> None:
            bar.length = total
            bar.update(drawn - bar.pos)

        sample = fertools.make_sample(out, progress=progress, **options)
    click.echo(str(sample))


@command("build-dataset", BuildOptions, RunOptions, PartsOptions)
@click.argument("src", type=_PATH)
@click.argument("out", type=_PATH)
def build_dataset(
    src: Path, out: Path, only_parts: str | None, partial: bool, **options: Any
) -> None:
    """Build a dataset of face crops in OUT from the archive in SRC.

    SRC holds folders, zips, zips in parts or any mixture, is read in place and never written to.
    A build that was interrupted is continued by the same command. An option that has no effect
    beside the others, such as --jpeg-quality without --image-format jpeg, is refused before the
    work.
    """
    PartsOptions(only_parts, partial)
    spare_pandas()
    if partial:
        _show(fertools.build_partial(src, out, **options).text())
    elif only_parts is None:
        _show(fertools.build_dataset(src, out, **options).text())
    else:
        _show(fertools.build_parts(src, out, only_parts, **options).text())


@command("presets", JsonOptions)
def presets(**options: Any) -> None:
    """List the data sets whose layouts `--preset` knows, and the files that each expects."""
    _print(fertools.presets(), as_json=options["json"])


@command("preview", PreviewOptions)
@click.argument("src", type=_PATH)
@click.argument("file", type=_PATH, default="preview.png", metavar="[FILE.png]")
def preview(src: Path, file: Path, **options: Any) -> None:
    """Draw a few photos of the archive in SRC with their faces and crops into FILE.png.

    The photos are chosen by a hash, equally many of each class, and processed as build-dataset does
    it with the same options: a check in seconds before a build of hours. A photo that would be
    dropped is shown with the reason. An older preview in FILE.png is replaced.
    """
    _show(fertools.preview(src, file, **options).text())


@command("stats", StatsOptions, JsonOptions, CsvOptions)
@click.argument("path", type=_PATH)
def stats(path: Path, **options: Any) -> None:
    """Count photos and people in an archive (by names alone, no pixels) or in a built dataset.

    --json prints everything, --csv one table. See docs/looking.md.
    """
    as_json, as_csv = options.pop("json"), options.pop("csv")
    if as_json and as_csv:
        raise OptionError("--json contradicts --csv: give one of them")
    counted = fertools.stats(path, **options)
    if as_csv:
        click.echo(counted.csv(), nl=False)
        for note in counted.notes:
            click.echo(f"note: {note}", err=True)
    else:
        _print(counted, as_json=as_json)


@command("report", ReportOptions)
@click.argument("out", type=_PATH)
@click.argument("file", type=_PATH, default="report.html")
def report(out: Path, file: Path, **options: Any) -> None:
    """Write the dataset in OUT as one HTML page, FILE (default report.html), for any browser.

    It has all figures as charts, a wall of crops to filter and sort, drops, doubtful labels,
    similar faces, and the leakage report. The page needs no network and contains photos: use
    --no-photos for a page to share.
    """
    click.echo(fertools.report(out, file, **options).text())


@command("verify", VerifyOptions)
@click.argument("out", type=_PATH)
def verify(out: Path, **options: Any) -> None:
    """Check that the dataset in OUT is what was built, to the last bit; exit code 1 if not."""
    result = fertools.verify(out, **options)
    click.echo(result.text())
    sys.exit(0 if result.ok else 1)


@command("labels", LabelsOptions, JsonOptions)
@click.argument("out", type=_PATH)
def labels(out: Path, **options: Any) -> None:
    """Measure how far the labels of the dataset in OUT can be trusted, from its annotators' votes.

    Prints the agreement of the votes with the names and with each other, an annotator's confusion
    matrix and ceilings for any classifier, with intervals over people. Writes the probability of
    each class for each photo into OUT/labels.parquet.
    """
    as_json = options.pop("json")
    _print(fertools.measure_labels(out, **options), as_json=as_json)


@command("clean")
@click.argument("out", type=_PATH)
def clean(out: Path) -> None:
    """Remove finished faces from OUT/.fertools that the last build of OUT does not need."""
    click.echo(fertools.clean(out).text())


@command("export-dataset", ExportDatasetOptions)
@click.argument("out", type=_PATH)
@click.argument("dest", type=_PATH)
def export_dataset(out: Path, dest: Path, **options: Any) -> None:
    """Write the dataset in OUT into DEST, in a format that other tools read.

    DEST is a new folder. It is complete when it has a SHA256SUMS; an export that was interrupted is
    continued by the same command. Nothing is uploaded: the terms of the photos hold for crops too.
    """
    _show(fertools.export_dataset(out, dest, **options).text())


@command("suspects", SuspectsOptions)
@click.argument("out", type=_PATH)
def suspects(out: Path, **options: Any) -> None:
    """List the labels of the dataset in OUT that are likely wrong, the worst first.

    Each photo of train and validation is judged by a network that has not seen its person, and by
    the annotators' votes where there are any; test is not read. Writes OUT/suspects.csv and prints
    the first 20 rows. A command that was interrupted continues with the folds that are missing.
    Needs the extra labels.
    """
    click.echo(fertools.suspects(out, **options).text())


@command("train", TrainOptions, TrainRunOptions)
@click.argument("out", type=_PATH)
@click.argument("run", type=_PATH)
def train(out: Path, run: Path, **options: Any) -> None:
    """Train a network from the dataset in OUT and keep its weights and figures in RUN.

    A training that was interrupted is continued by the same command, and more --epochs prolong one
    that is finished. The best epoch is chosen by macro-F1 on validation; test is not used.
    """
    click.echo(fertools.train(out, run, **options).text())


@command("evaluate", EvaluateOptions, JsonOptions)
@click.argument("run", type=_PATH)
@click.argument("out", type=_PATH)
def evaluate(run: Path, out: Path, **options: Any) -> None:
    """Measure the network of RUN on people of the dataset OUT that it has not seen.

    Accuracy and macro-F1 with intervals, figures by class, sex and age, calibration; where the
    dataset has votes, figures against the annotators and a ceiling. Writes metrics.json,
    predictions.parquet, confusion.png, reliability.png and mistakes.png into RUN/evaluation-SPLIT.
    """
    as_json = options.pop("json")
    _print(fertools.evaluate(run, out, **options), as_json=as_json)


@command("predict", PredictOptions, JsonOptions)
@click.argument("run", type=_PATH)
@click.argument("photos", type=_PATH, nargs=-1, required=True)
def predict(run: Path, photos: tuple[Path, ...], **options: Any) -> None:
    """Predict the expression of the faces in PHOTOS with the network of RUN, one line a photo.

    PHOTOS are files, folders or zips. Faces are found and cropped as in the build of the dataset;
    the line of a photo without a face says why. --json prints one JSON object a line.
    """
    as_json = options.pop("json")
    for prediction in fertools.predict(run, *photos, **options):
        line = _json_line(prediction.to_dict()) if as_json else printable(prediction.text())
        click.echo(line)


@command("export", ExportOptions)
@click.argument("run", type=_PATH)
def export(run: Path, **options: Any) -> None:
    """Export the network of RUN into RUN/export-TO.

    Its probabilities are compared with Keras', and a description of its preprocessing and a model
    card are written beside it.
    """
    click.echo(fertools.export(run, **options).text())


#: All commands in the order of use, which is the order in `fertools --help` and docs/cli.md.
ALL: Final = (
    make_sample,
    presets,
    preview,
    build_dataset,
    stats,
    report,
    verify,
    labels,
    clean,
    export_dataset,
    suspects,
    train,
    evaluate,
    predict,
    export,
)


def _print(result: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_dict(), ensure_ascii=False, indent=1))
    else:
        _show(result.text())


def _show(text: str) -> None:
    """Print a report; after it, on standard error, its warnings in Korean for a Korean user."""
    click.echo(text)
    for hint in korean_hints(text):
        click.echo(hint, err=True)


def _json_line(tree: dict[str, Any]) -> str:
    """Return printable JSON: with plain Korean, or all ASCII if a character is not printable."""
    text = json.dumps(tree, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(tree)

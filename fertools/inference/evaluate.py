"""Measure a run's network on a split, on people that it has not seen.

Evaluations of a split are counted in RUN/looks.csv, a line for each. A choice that is made by the
figures of test needs new people for an honest figure. So the count is kept apart from the figures,
and `train --no-resume` leaves it there.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Unpack

import numpy as np

from fertools.checking import check_function, user_path
from fertools.data import Split
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.dataset.shards import read_examples
from fertools.errors import OptionError
from fertools.files import make_folder, run_write_error, write_whole
from fertools.fonts import drawable
from fertools.inference.against_annotators import VoteFigures
from fertools.inference.metrics import Metrics
from fertools.inference.plots import Face, confusion_png, mistakes_png, reliability_png
from fertools.inference.predictions import Predictions, predict_split
from fertools.inference.predictions_file import PREDICTIONS, predictions_parquet
from fertools.keywords import EvaluateKeywords
from fertools.options import EvaluateOptions
from fertools.training.data import DatasetSplit
from fertools.training.run import Build, Run

LOOKS: Final = "looks.csv"

#: Faces in mistakes.png.
_MISTAKES: Final = 24


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, on what, and where it was written.

    folder    holds metrics.json, predictions.parquet and the pictures
    weights   "best" or "last"; `weights_epoch` is their epoch, None where it is unknown, and
              `weights_sha256` the SHA-256 of their file
    dataset   the dataset's name, and `manifest` the SHA-256 of its manifest
    looks     how often this split of this dataset has been evaluated in this run
    votes     figures against the annotators, None where the dataset does not have their votes apart
    notes     remarks on the pictures and on the votes
    """

    folder: Path
    split: str
    weights: str
    weights_epoch: int | None
    weights_sha256: str
    dataset: str
    manifest: str
    looks: int
    warnings: tuple[str, ...]
    metrics: Metrics
    votes: VoteFigures | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without paths."""
        tree = asdict(self)
        metrics = tree.pop("metrics")
        del tree["folder"], tree["notes"]
        return {**tree, **metrics}

    def text(self) -> str:
        epoch = "" if self.weights_epoch is None else f" (epoch {self.weights_epoch})"
        head = f"{self.weights} weights{epoch} on {self.split} of {self.dataset}"
        foot = (
            f"figures, predictions and pictures: {self.folder} "
            "(mistakes.png shows faces: keep it here)"
        )
        warnings = (f"warning: {warning}" for warning in self.warnings)
        blocks = [head, self.metrics.text(), "\n".join([foot, *self.notes]), *warnings]
        if self.votes:
            blocks = [*blocks[:2], self.votes.text(), *blocks[2:], self.votes.last_line()]
        return "\n\n".join(filter(None, blocks))


def evaluate(
    run: Path | str,
    out: Path | str,
    *,
    build: Build | None = None,
    **options: Unpack[EvaluateKeywords],
) -> Evaluation:
    """Measure a run's network on one split of a dataset; write figures, predictions and pictures.

    build     the function that makes the network, if it was one of your own (--model)
    options   the fields of EvaluateOptions: split="test", weights="best", batch=128

    Writes into RUN/evaluation-SPLIT. Raises OptionError where the dataset has other classes or
    another image size than the run, DatasetError for a run or a dataset that is damaged,
    OutputError where RUN cannot be written.
    """
    run, out = user_path(run, "run"), user_path(out, "out")
    chosen = EvaluateOptions.of(options)
    split, weights = chosen.split, chosen.weights
    check_function("build", build)
    trained, manifest = Run.read(run), Manifest.read(out)
    _check_dataset(trained, manifest, out, split)
    network, weights_id = trained.load_model(weights, build=build)
    predictions = predict_split(network, out, split, size=trained.image.size, batch=chosen.batch)
    digest = sha256((out / MANIFEST).read_bytes()).hexdigest()
    names = [entry.english for entry in trained.classes]
    drawn = drawable(names)
    mistakes = _mistakes(predictions, drawn, out, split)
    looks = count_look(trained.folder, split, digest, weights_id.sha256)
    evaluation = Evaluation(
        folder=trained.folder / f"evaluation-{split}",
        split=split,
        weights=weights,
        weights_epoch=weights_id.epoch,
        weights_sha256=weights_id.sha256,
        dataset=manifest.name,
        manifest=digest,
        looks=looks,
        warnings=(
            *_split_warnings(trained, DatasetSplit(out, split, manifest), digest),
            *_prediction_warnings(predictions, split, looks),
        ),
        metrics=Metrics.of(predictions, trained.classes, trained.seed, weights_id.temperature),
        votes=VoteFigures.of(predictions, trained.seed) if manifest.uploader else None,
        notes=(*_font_notes(names, drawn), *_vote_notes(manifest)),
    )
    table = predictions_parquet(predictions, manifest.splits[split].shards)
    _write(evaluation, drawn, mistakes, table)
    return evaluation


def _check_dataset(run: Run, manifest: Manifest, out: Path, split: str) -> None:
    """Raise OptionError, before the network is loaded, if the dataset does not fit the run."""
    if split not in manifest.splits:
        raise OptionError(f"{out} has no split {split!r}: take one of {', '.join(manifest.splits)}")
    names, own = ([entry.name for entry in each.classes] for each in (manifest, run))
    if names != own:
        raise OptionError(
            f"{out} has {len(names)} classes ({', '.join(names)}), {run.folder} learned "
            f"{len(own)} ({', '.join(own)}): build the dataset with the same --classes"
        )
    if manifest.image.size != run.image.size:
        raise OptionError(
            f"{out} has images of {manifest.image.size} pixels, {run.folder} learned "
            f"{run.image.size}: build the dataset with --size {run.image.size}"
        )


def _mistakes(predictions: Predictions, names: list[str], out: Path, split: str) -> list[Face]:
    """Return the most confident mistakes, the most confident first."""
    wrong = np.flatnonzero(predictions.predicted != predictions.labels)
    rows = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:_MISTAKES]
    # Read once more: keeping every crop until now would take a gigabyte for 50,000 of them.
    selected, examples = set(rows), enumerate(read_examples(out, split))
    images = {row: example.image for row, example in examples if row in selected}
    return [
        Face(
            images[row],
            names[predictions.labels[row]],
            names[predictions.predicted[row]],
            float(predictions.confidence[row]),
        )
        for row in rows
    ]


def count_look(run: Path, split: str, manifest: str, weights: str) -> int:
    """Add a look at a split of a dataset, and return how many there are by now.

    manifest   SHA-256 of the dataset's manifest
    weights    SHA-256 of the weights that were evaluated

    Lines are only ever appended, under a lock: concurrent evaluations all count.
    """
    path = run / LOOKS
    try:
        with path.open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):  # a power cut took its end
                file.write("\n")
            header = "" if lines else "split,manifest,weights\n"
            file.write(f"{header}{split},{manifest},{weights}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise run_write_error(path, fault) from fault
    return 1 + sum(line.startswith(f"{split},{manifest},") for line in lines)


def _split_warnings(run: Run, split: DatasetSplit, digest: str) -> Iterator[str]:
    """Yield why the figures look better than they are."""
    if split.name == Split.TRAIN:
        yield "these are the people it was trained on: the figures say nothing of others"
    if split.name == Split.VALIDATION:
        yield "the epoch was chosen on this split: expect less of new people"
    if split.leaks:
        yield "people of train are in this split too: the figures say nothing of new ones"
    if digest != run.dataset.get("manifest"):
        yield (
            "the run was trained on another dataset: these people may have been in its train split"
        )


def _prediction_warnings(predictions: Predictions, split: str, looks: int) -> Iterator[str]:
    """Yield what is unknown where photos carry no person, and that test was seen before."""
    if unknown := predictions.unknown:
        total = len(predictions.labels)
        some = f"{unknown:,} of {total:,} photos carry no person"
        yield (
            f"{some if unknown < total else 'no photo carries a person'}: whether people of train "
            "are in this split too is unknown, a leak cannot be excluded; each such photo counts "
            "as a person, so the intervals are too narrow"
        )
    if split == Split.TEST and looks > 1:
        yield (
            f"this is evaluation {looks} of test: a choice made by its figures needs new people "
            "for an honest one"
        )


def _font_notes(names: list[str], drawn: list[str]) -> tuple[str, ...]:
    """Return a line on class names that the pictures replace because no font has their letters."""
    pairs = zip(names, drawn, strict=True)
    replaced = ", ".join(f"{label} is {name}" for name, label in pairs if name != label)
    note = f"no installed font has all letters of the class names; in the pictures {replaced}"
    return (note,) if replaced else ()


def _vote_notes(manifest: Manifest) -> tuple[str, ...]:
    """Return a line on votes that cannot be used."""
    note = (
        f"no figures against the annotators: in {manifest.name}, of format {manifest.format}, the "
        "uploader's word is one of the votes; build it again for them"
    )
    return (note,) if manifest.votes and not manifest.uploader else ()


def _write(evaluation: Evaluation, names: list[str], mistakes: list[Face], table: bytes) -> None:
    folder, metrics = evaluation.folder, evaluation.metrics
    make_folder(folder)
    write_whole(folder / "confusion.png", confusion_png(metrics.confusion, names))
    write_whole(folder / "reliability.png", reliability_png(metrics.reliability))
    write_whole(folder / "mistakes.png", mistakes_png(mistakes))
    write_whole(folder / PREDICTIONS, table)
    text = json.dumps(evaluation.to_dict(), ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / "metrics.json", text.encode())

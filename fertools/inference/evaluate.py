"""evaluate(run, out): measure a run's network on a split, on people that it has not seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from fertools.checking import check_function, user_path
from fertools.data import Split
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.dataset.shards import read_examples
from fertools.errors import OptionError
from fertools.files import make_folder, write_whole
from fertools.inference.metrics import Metrics
from fertools.inference.plots import Face, confusion_png, drawable, mistakes_png, reliability_png
from fertools.inference.predictions import Predictions, predict_split
from fertools.keywords import EvaluateKeywords
from fertools.options import EvaluateOptions
from fertools.training.data import Source
from fertools.training.run import Run

if TYPE_CHECKING:
    from fertools.training.model import Build
import fcntl
import os
from typing import Final

from fertools.files import cannot_write

METRICS = "metrics.json"

#: Faces in mistakes.png.
_MISTAKES = 24


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, on what, and where it was written.

    folder    holds metrics.json, confusion.png, reliability.png and mistakes.png
    weights   "best" or "last"; `weights_epoch` is their epoch, None where nobody knows it, and
              `weights_sha256` the SHA-256 of their file
    dataset   the dataset's name, and `manifest` the SHA-256 of its manifest
    looks     how often this split of this dataset has been evaluated in this run
    notes     what is to be known about the pictures
    """

    folder: Path
    split: str
    weights: str
    weights_epoch: int | None
    weights_sha256: str
    dataset: str
    manifest: str
    looks: int
    metrics: Metrics
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without paths."""
        return {
            "split": self.split,
            "weights": self.weights,
            "weights_epoch": self.weights_epoch,
            "weights_sha256": self.weights_sha256,
            "dataset": self.dataset,
            "manifest": self.manifest,
            "looks": self.looks,
            "warnings": list(self.warnings),
            **self.metrics.to_dict(),
        }

    def text(self) -> str:
        """Return the figures for a person to read."""
        epoch = "" if self.weights_epoch is None else f" (epoch {self.weights_epoch})"
        head = f"{self.weights} weights{epoch} on {self.split} of {self.dataset}"
        foot = f"figures and pictures: {self.folder} (mistakes.png shows faces: keep it here)"
        warnings = (f"warning: {warning}" for warning in self.warnings)
        return "\n\n".join([head, self.metrics.text(), "\n".join([foot, *self.notes]), *warnings])


def evaluate(
    run: Path | str,
    out: Path | str,
    *,
    build: Build | None = None,
    **options: Unpack[EvaluateKeywords],
) -> Evaluation:
    """Measure a run's network on one split of a dataset, and write down what came out.

    build     the function that makes the network, if it was one of your own (--model)
    options   the fields of EvaluateOptions: split="test", weights="best", batch=128

    Writes into RUN/evaluation-SPLIT. Raises OptionError where the dataset has other classes or
    another image size than the run, DatasetError for a run or a dataset that is damaged,
    OutputError where RUN cannot be written.
    """
    run, out = user_path(run, "run"), user_path(out, "out")
    chosen = EvaluateOptions.of(options)
    split, weights, batch = chosen.split, chosen.weights, chosen.batch
    check_function("build", build)
    trained, manifest = Run.read(run), Manifest.read(out)
    _check_fit(trained, manifest, out, split)
    network, held = trained.loaded(weights, build=build)
    answers = predict_split(network, out, split, size=trained.image.size, batch=batch)
    digest = sha256((out / MANIFEST).read_bytes()).hexdigest()
    names = [entry.english for entry in trained.classes]
    drawn = drawable(names)
    worst = _worst(answers, drawn, out, split)
    looks = count_look(trained.folder, split, digest, held.sha256)
    doubts = _doubts(trained, manifest, out, split, digest)
    evaluation = Evaluation(
        folder=trained.folder / f"evaluation-{split}",
        split=split,
        weights=weights,
        weights_epoch=held.epoch,
        weights_sha256=held.sha256,
        dataset=manifest.name,
        manifest=digest,
        looks=looks,
        metrics=Metrics.of(answers, trained.classes, trained.seed),
        warnings=(*doubts, *_without_people(answers), *_repeated(split, looks)),
        notes=tuple(_replaced(names, drawn)),
    )
    _write(evaluation, drawn, worst)
    return evaluation


def _check_fit(run: Run, manifest: Manifest, out: Path, split: str) -> None:
    """Refuse, before the network is loaded, a dataset that the run cannot be asked about."""
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


def _doubts(run: Run, manifest: Manifest, out: Path, split: str, digest: str) -> list[str]:
    """Return what makes these figures look better than they are."""
    doubts = []
    if split == Split.TRAIN:
        doubts.append("these are the people it was trained on: the figures say nothing of others")
    elif split == Split.VALIDATION:
        doubts.append("the epoch was chosen on this split: expect less of new people")
    if Source(out, split, manifest).leaks:
        doubts.append("people of train are in this split too: the figures say nothing of new ones")
    if digest != run.dataset.get("manifest"):
        doubts.append(
            "the run was trained on another dataset: these people may have been in its train split"
        )
    return doubts


def _repeated(split: str, looks: int) -> list[str]:
    if split != Split.TEST or looks < 2:
        return []
    return [f"this is look {looks} at test: whoever chooses by it needs new people for the figure"]


def _without_people(answers: Predictions) -> list[str]:
    """Return what cannot be known where photos carry no person."""
    if not answers.unknown:
        return []
    many = "no photo carries a person"
    if (photos := len(answers.labels)) > answers.unknown:
        many = f"{answers.unknown:,} of {photos:,} photos carry no person"
    return [
        f"{many}: whether people of train are in this split too is unknown, a leak cannot be "
        "excluded; each such photo counts as a person, so the intervals are too narrow"
    ]


def _replaced(names: list[str], drawn: list[str]) -> list[str]:
    """Return a line on class names that the pictures replace for want of a font."""
    pairs = zip(names, drawn, strict=True)
    said = ", ".join(f"{short} is {name}" for name, short in pairs if name != short)
    return [f"no installed font has all letters of the class names; in the pictures {said}"] * (
        said != ""
    )


def _worst(answers: Predictions, names: list[str], out: Path, split: str) -> list[Face]:
    """Return the most confident mistakes, the worst first."""
    wrong = np.flatnonzero(answers.chosen != answers.labels)
    order = np.argsort(-answers.confidence[wrong], kind="stable")[:_MISTAKES]
    rows = wrong[order].tolist()
    asked = [row in set(rows) for row in range(len(answers.labels))]
    # Read once more: keeping every crop until now would take a gigabyte for 50,000 of them.
    images = [example.image for example in compress(read_examples(out, split), asked)]
    found = dict(zip(sorted(rows), images, strict=True))
    return [
        Face(
            found[row],
            names[answers.labels[row]],
            names[answers.chosen[row]],
            float(answers.confidence[row]),
        )
        for row in rows
    ]


def _write(evaluation: Evaluation, names: list[str], worst: list[Face]) -> None:
    """Write the pictures and, last, the numbers."""
    folder, metrics = evaluation.folder, evaluation.metrics
    make_folder(folder)
    write_whole(folder / "confusion.png", confusion_png(metrics.confusion, names))
    write_whole(folder / "reliability.png", reliability_png(metrics.reliability))
    write_whole(folder / "mistakes.png", mistakes_png(worst))
    text = json.dumps(evaluation.to_dict(), ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / METRICS, text.encode())


LOOKS: Final = "looks.csv"

_HEAD: Final = "split,manifest,weights\n"


def count_look(run: Path, split: str, manifest: str, weights: str) -> int:
    """Add a look at a split of a dataset, and return how many there are by now.

    manifest   SHA-256 of the dataset's manifest
    weights    SHA-256 of the weights that were evaluated

    Lines are only ever appended, under a lock: evaluations side by side all count.
    """
    path = run / LOOKS
    try:
        with path.open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith("\n"):  # a power cut took its end
                file.write("\n")
            file.write(("" if lines else _HEAD) + f"{split},{manifest},{weights}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    return 1 + sum(line.startswith(f"{split},{manifest},") for line in lines)

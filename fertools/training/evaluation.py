"""The truth about a run: evaluate(run, out) measures it on people that it has not seen."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fertools.data import Split
from fertools.errors import OptionError
from fertools.shards import MANIFEST, Manifest, read_examples, write_whole
from fertools.training.answers import Answers, ask
from fertools.training.metrics import Metrics
from fertools.training.plots import Face, confusion_png, mistakes_png, reliability_png
from fertools.training.run import Run
from fertools.training.source import Source

if TYPE_CHECKING:
    from fertools.training.network import Build

METRICS = "metrics.json"

#: Faces in mistakes.png.
_MISTAKES = 24


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, on what, and where it was written.

    folder    holds metrics.json, confusion.png, reliability.png and mistakes.png
    dataset   the dataset's name, and `manifest` the SHA-256 of its manifest
    looks     how often this split of this dataset has been evaluated into this folder
    """

    folder: Path
    split: str
    weights: str
    dataset: str
    manifest: str
    looks: int
    metrics: Metrics
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON; without paths."""
        told = {name: getattr(self, name) for name in ("split", "weights", "dataset", "manifest")}
        return {
            **told,
            "looks": self.looks,
            "warnings": list(self.warnings),
            **self.metrics.to_dict(),
        }

    def text(self) -> str:
        """Say it for a person."""
        head = f"{self.weights} weights on {self.split} of {self.dataset}"
        foot = f"figures and pictures: {self.folder} (mistakes.png shows faces: keep it here)"
        warnings = (f"warning: {warning}" for warning in self.warnings)
        return "\n\n".join([head, self.metrics.text(), foot, *warnings])


def evaluate(
    run: Path | str,
    out: Path | str,
    *,
    split: str = "test",
    weights: str = "best",
    batch: int = 128,
    build: Build | None = None,
) -> Evaluation:
    """Measure a run's network on one split of a dataset, and write down what came out.

    split     whom to ask; test is for the last look, after every choice has been made
    weights   "best" (the epoch chosen on validation) or "last"
    batch     images at a time
    build     the function that makes the network, if it was one of your own (--model)

    Writes into RUN/evaluation-SPLIT. Raises OptionError where the dataset has other classes or
    another image size than the run, DatasetError for a run or a dataset that is damaged.
    """
    trained, out = Run.read(Path(run)), Path(out)
    manifest = Manifest.read(out)
    _check_fit(trained, manifest, out, split)
    network = trained.model(weights, build=build)
    answers = ask(network, out, split, size=trained.image.size, batch=batch)
    folder = trained.folder / f"evaluation-{split}"
    digest = sha256((out / MANIFEST).read_bytes()).hexdigest()
    looks = _looks(folder, digest) + 1
    evaluation = Evaluation(
        folder=folder,
        split=split,
        weights=weights,
        dataset=manifest.name,
        manifest=digest,
        looks=looks,
        metrics=Metrics.of(answers, trained.classes, trained.seed),
        warnings=(*_doubts(trained, manifest, out, split, digest), *_repeated(split, looks)),
    )
    _write(evaluation, _worst(answers, trained, out, split))
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
    """Say what makes these figures look better than they are."""
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


def _looks(folder: Path, digest: str) -> int:
    """Count the earlier evaluations of the same dataset, as the last one noted it."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        before = json.loads((folder / METRICS).read_bytes())
        if before["manifest"] == digest:
            return int(before["looks"])
    return 0


def _worst(answers: Answers, run: Run, out: Path, split: str) -> list[Face]:
    """Give the most confident mistakes, the worst first."""
    wrong = np.flatnonzero(answers.chosen != answers.labels)
    order = np.argsort(-answers.confidence[wrong], kind="stable")[:_MISTAKES]
    rows = wrong[order].tolist()
    asked = [row in set(rows) for row in range(len(answers.labels))]
    # Read once more: keeping every crop until now would take a gigabyte for 50,000 of them.
    images = [example.image for example in compress(read_examples(out, split), asked)]
    names = [entry.english for entry in run.classes]
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


def _write(evaluation: Evaluation, worst: list[Face]) -> None:
    """Write the pictures and, last, the numbers."""
    folder, metrics = evaluation.folder, evaluation.metrics
    folder.mkdir(exist_ok=True)
    names = [entry.english for entry in metrics.classes]
    write_whole(folder / "confusion.png", confusion_png(metrics.confusion, names))
    write_whole(folder / "reliability.png", reliability_png(metrics.reliability))
    write_whole(folder / "mistakes.png", mistakes_png(worst))
    text = json.dumps(evaluation.to_dict(), ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / METRICS, text.encode())

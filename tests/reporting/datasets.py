"""A dataset of bright squares with everything that a report shows, and a run that judged it."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import numpy as np

import fertools
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.inference.metrics import Metrics
from fertools.inference.predictions import Predictions
from fertools.inference.predictions_file import PREDICTIONS, predictions_parquet
from tests.fakes import EMOTION_NAMES, BrightSpot, photo, photo_name, write_archive
from tests.labels.label_json import entry, label_file

#: What would run a script if it reached the page as markup: a file name, and a place in another.
EVIL = "<img src=x onerror=alert(1)>"


def write_dataset(folder: Path, people: int = 10) -> Path:
    """Write an archive and build a dataset: votes, drops, a script as a name, doubtful labels."""
    archive = write_archive(folder / "archive", people=people)
    home = next((archive / "1.Training").glob(f"*{EMOTION_NAMES[0]}*"))
    (home / f"{EVIL}.jpg").write_bytes(photo((20, 10, 20), seed=99))
    renamed = home / photo_name(0, EMOTION_NAMES[0], 0)
    evil = renamed.name.replace("도심 환경", EVIL).replace(
        "-008-", "-999-"
    )  # no known place's code
    renamed.rename(home / evil)
    (home / photo_name(3, EMOTION_NAMES[0], 7)).write_bytes(photo(None, seed=98))
    (home / "notes.txt").write_text("mine")
    entries = [
        entry(photo_name(who, emotion, shot), votes=_votes(who, emotion), uploader=emotion)
        for who in range(people)
        for emotion in EMOTION_NAMES[:3]
        for shot in range(2)
    ]
    labels = archive / "1.Training" / "[라벨]EMOIMG_TRAIN"
    labels.mkdir()
    (labels / "labels.json").write_bytes(label_file(*entries))
    fertools.build_dataset(
        archive, folder / "dataset", detector=BrightSpot(), size=32, quiet=True, jobs=1
    )
    return folder / "dataset"


def _votes(who: int, emotion: str) -> tuple[str, str, str]:
    """Return three annotators' words: all agree, or two, or none of them with the name."""
    first, second, third = EMOTION_NAMES[:3]
    return ((emotion,) * 3, (emotion, emotion, second), (first, third, third))[who % 3]


def write_run(out: Path, run: Path, split: str = "test") -> Path:
    """Write what train and evaluate leave in a run, with a network that is often wrong."""
    manifest = Manifest.read(out)
    examples = list(fertools.read_examples(out, split))
    labels = np.array([example.label for example in examples])
    shares = np.random.default_rng(0).dirichlet(np.ones(len(manifest.classes)), len(labels))
    texts = [[getattr(each, name) for each in examples] for name in ("subject", "sex", "key")]
    subjects, sexes, keys = map(np.array, texts)
    ages = np.array([example.age for example in examples])
    people = (subjects, sexes, ages, keys)
    nothing = (np.empty((len(labels), 0), np.int64), np.full(len(labels), -1))
    predictions = Predictions(shares.astype(np.float32), labels, *people, *nothing)
    folder = run / f"evaluation-{split}"
    folder.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    data = predictions_parquet(predictions, manifest.splits[split].shards)
    (folder / PREDICTIONS).write_bytes(data)
    digest = sha256((out / MANIFEST).read_bytes()).hexdigest()
    metrics = asdict(Metrics.of(predictions, manifest.classes, 0)) | {"manifest": digest}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    with (run / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("epoch", "loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"))
        for epoch in range(1, 9):
            train, rise = 2 / epoch, 1 + abs(epoch - 4) / 4
            writer.writerow((epoch, train, 1 - train / 3, 0.5, rise, 0.5, 0.6 - rise / 9))
    return run

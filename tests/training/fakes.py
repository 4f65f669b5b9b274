"""A dataset of plain squares, and a run whose network is a few lines of numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.data import Box
from fertools.dataset.example import Example
from fertools.dataset.manifest import (
    MANIFEST,
    ClassName,
    Counts,
    ImageSpec,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
)
from fertools.dataset.tfrecord import RecordWriter
from fertools.training.checkpoints import WeightsId
from fertools.training.recipe import Recipe
from fertools.training.run import Run

CLASSES = (
    ClassName("기쁨", "joy"),
    ClassName("당황", "embarrassment"),
    ClassName("중립", "neutral"),
)
SIZE = 16


def square(label: int, gray: int = 0) -> bytes:
    """Draw what `Brightness` takes for a class: a crop as bright as its label, PNG."""
    image = np.full((SIZE, SIZE), 80 * label + gray, np.uint8)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def example(row: int, label: int, *, shown: int | None = None, **fields: Any) -> Example:
    """Give an example whose crop shows its label, or another class."""
    values: dict[str, Any] = {"subject": f"p{row}", "sex": "", "age": -1} | fields
    image = square(label if shown is None else shown)
    return Example(image, label, f"k{row}", box=Box(0, 0, 9, 9), confidence=0.9, **values)


def write_dataset(
    out: Path, examples: Sequence[Example], split: str = "test", shards: int = 1, **other: Any
) -> Path:
    """Write a dataset of one split; the examples go to the shards in turn."""
    out.mkdir(parents=True, exist_ok=True)
    written = tuple(
        write_shard(out / f"faces-{split}.tfrecord-{k:05}-of-{shards:05}", examples[k::shards])
        for k in range(shards)
    )
    by_class = {entry.name: 0 for entry in CLASSES}
    for each in examples:
        by_class[CLASSES[each.label].name] += 1
    people = len({each.subject for each in examples})
    manifest = Manifest(
        fertools="0.1.0",
        name="faces",
        version="1.0.0",
        classes=CLASSES,
        image=ImageSpec(SIZE, "png"),
        counts=Counts(len(examples), len(examples), {}),
        splits={split: SplitContents(len(examples), people, by_class, written)},
        ledger=LedgerFile("ledger.parquet", len(examples), "0" * 64),
        options={"split_by": "subject"},
        libraries={},
        source="0" * 32,
    )
    (out / MANIFEST).write_text(replace(manifest, **other).to_json(), "utf-8")
    return out


def write_shard(path: Path, examples: Sequence[Example]) -> ShardFile:
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for each in examples:
            writer.write(each.to_bytes())
    data = path.read_bytes()
    return ShardFile(path.name, len(examples), len(data), sha256(data).hexdigest())


@dataclass
class Brightness:
    """Takes a crop for the class whose brightness it has, and is `sure` of it."""

    sure: float = 0.9
    seen: list[int] = field(default_factory=list)

    def predict_on_batch(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        assert images.dtype == np.float32
        self.seen.append(len(images))
        chosen = np.rint(images.mean((1, 2, 3)) / 80).clip(max=2).astype(int)
        rest = (1 - self.sure) / (len(CLASSES) - 1)
        return np.where(np.arange(len(CLASSES)) == chosen[:, None], self.sure, rest).astype(
            np.float32
        )


@dataclass(frozen=True)
class FakeRun(Run):
    """A run whose network is handed in, with the epoch and a stand-in for the SHA-256."""

    network: Any = None
    held: WeightsId = field(default_factory=lambda: WeightsId("a" * 64, 3))

    def load_model(self, weights: str = "best", *, build: Any = None) -> tuple[Any, WeightsId]:
        assert weights in ("best", "last")
        return self.network, self.held


def fake_run(folder: Path, out: Path | None = None, **other: Any) -> FakeRun:
    """Give a run that was trained on a dataset, or on another one."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = sha256((out / MANIFEST).read_bytes()).hexdigest() if out else "another"
    values: dict[str, Any] = {
        "folder": folder,
        "classes": CLASSES,
        "image": ImageSpec(SIZE, "png"),
        "options": Recipe(augment="none"),
        "faces": {"size": SIZE, "detector": "bright spot 1", "runtime": "opencv"},
        "dataset": {"name": "faces", "manifest": manifest},
        "seed": 0,
        "network": Brightness(),
    }
    return FakeRun(**values | other)


def normal(right: int, total: int) -> tuple[float, float]:
    """Give the textbook's 95 % interval of a share when every row counts by itself."""
    share = right / total
    half = 1.96 * math.sqrt(share * (1 - share) / total)
    return share - half, share + half

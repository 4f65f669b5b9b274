"""A whole small dataset, written with this room's own tools."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from fertools.data import Box, Split
from fertools.dataset.example import Example
from fertools.dataset.index import index_bytes, index_name
from fertools.dataset.manifest import (
    MANIFEST,
    ClassName,
    Counts,
    ImageSpec,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
    shard_name,
)
from fertools.dataset.sidecars import tfds_files
from fertools.dataset.tfrecord import RecordWriter
from fertools.files import whole_file, write_whole

CLASSES = (ClassName("기쁨", "joy"), ClassName("슬픔", "sadness"), ClassName("중립", "neutral"))


def example(number: int) -> Example:
    """Draw the example of a number: another picture, label and person for each."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 3 + np.uint8(number)
    return Example(
        image=cv2.imencode(".png", pixels)[1].tobytes(),
        label=number % len(CLASSES),
        key=f"{number:032x}",
        subject=f"{number // 4:032x}",
        sex="여" if number % 2 else "남",
        age=10 * (number % 6) or -1,
        box=Box(float(number), 2.0, number + 100.0, 120.0),
        confidence=0.75,
    )


def contents(out: Path, split: Split, numbers: range, shards: int) -> SplitContents:
    """Write one split and say what it holds."""
    files = []
    for shard in range(shards):
        name = shard_name("fer", split, shard, shards)
        with whole_file(out / name) as file:
            writer = RecordWriter(file)
            own = numbers[shard::shards]
            index = index_bytes(writer.write(example(n).to_bytes()).length for n in own)
        write_whole(out / index_name(name), index)
        digest = sha256(index).hexdigest()
        files.append(ShardFile(name, writer.records, writer.size, file.sha256, digest))
    labels = [number % len(CLASSES) for number in numbers]
    classes = {entry.name: labels.count(label) for label, entry in enumerate(CLASSES)}
    return SplitContents(len(numbers), len({n // 4 for n in numbers}), classes, tuple(files))


def manifest_of(splits: dict[str, SplitContents]) -> Manifest:
    """Describe splits, with two members that were dropped."""
    kept = sum(split.records for split in splits.values())
    return Manifest(
        fertools="0.1.0",
        name="fer",
        version="1.0.0",
        classes=CLASSES,
        image=ImageSpec(8, "png"),
        counts=Counts(kept + 2, kept, {"no_face": 2}),
        splits=splits,
        ledger=LedgerFile("ledger.parquet", kept + 2, "0" * 64),
        options={"split": "80/20/0", "size": 8, "rename": ["분노=짜증"]},
        libraries={"openvino": "2026.1", "numpy": "2.4"},
        source="c0ffee",
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Twelve examples to train with in two shards, five to validate in one, none to test."""
    out = tmp_path / "fer" / "1.0.0"
    out.mkdir(parents=True)
    manifest = manifest_of(
        {
            "train": contents(out, Split.TRAIN, range(12), 2),
            "validation": contents(out, Split.VALIDATION, range(12, 17), 1),
            "test": contents(out, Split.TEST, range(17, 17), 0),
        }
    )
    for name, data in tfds_files(manifest).items():
        write_whole(out / name, data)
    write_whole(out / MANIFEST, manifest.to_json().encode())
    return out

"""Read a dataset or an export of it with one tool, as its users do: the same rows from each.

`read` does so and pickles the rows, for a process of its own: importing all tools into one takes
gigabytes, and forked workers hang where TensorFlow has threads. The folder `home` holds the dataset
and its exports under the names of docs/exports.md: faces, exported (parquet), tars, folders.
"""

from __future__ import annotations

import csv
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import fertools
from fertools.data import Split
from fertools.dataset.manifest import Manifest

#: What ends the process of a tool that is not there or cannot be imported.
MISSING: Final = 77


@dataclass(frozen=True)
class Row:
    """What a tool made of an example; pixels are gray, size × size bytes."""

    key: str
    label: int
    votes: tuple[int, ...]
    pixels: bytes


def row(key: str | bytes, label: Any, votes: Iterable[Any], image: Any) -> Row:
    """Make a row; the image is an array or a picture of Pillow, gray or gray in three channels."""
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        assert (pixels == pixels[:, :, :1]).all()
        pixels = pixels[:, :, 0]
    assert pixels.dtype == np.uint8
    assert pixels.squeeze().ndim == 2
    name = key.decode() if isinstance(key, bytes) else str(key)
    return Row(name, int(label), tuple(int(vote) for vote in votes), pixels.squeeze().tobytes())


def _tf_data(home: Path, split: str) -> Iterator[Row]:
    import tensorflow as tf

    classes = len(Manifest.read(home / "faces").classes)
    kinds = {
        "image": tf.io.FixedLenFeature((), tf.string),
        "label": tf.io.FixedLenFeature((), tf.int64),
        "key": tf.io.FixedLenFeature((), tf.string),
        "votes": tf.io.FixedLenFeature((classes,), tf.int64),
    }
    shards = sorted(map(str, (home / "faces").glob(f"*-{split}.tfrecord-*")))
    for data in tf.data.TFRecordDataset(shards):
        one = tf.io.parse_single_example(data, kinds)
        image = tf.io.decode_png(one["image"])
        yield row(one["key"].numpy(), one["label"], one["votes"].numpy(), image)


def _tfds(home: Path, split: str) -> Iterator[Row]:
    import tensorflow_datasets as tfds

    examples = tfds.builder_from_directory(str(home / "faces")).as_dataset(split=split)
    for one in tfds.as_numpy(examples):
        yield row(one["key"], one["label"], one["votes"], one["image"])


def _open_dataset(home: Path, split: str) -> Iterator[Row]:
    return (
        row(one["key"], one["label"], one["votes"], one["image"])
        for one in fertools.open_dataset(home / "faces", split)
    )


def _torch(home: Path, split: str) -> Iterator[Row]:
    from torch.utils.data import DataLoader

    loader: Iterable[dict[str, Any]] = DataLoader(
        fertools.open_dataset(home / "faces", split),  # type: ignore[arg-type,unused-ignore]
        batch_size=8,
        num_workers=4,
    )
    for batch in loader:
        yield from map(row, batch["key"], batch["label"], batch["votes"], batch["image"].numpy())


def _grain(home: Path, split: str) -> Iterator[Row]:
    import grain

    for batch in grain.MapDataset.source(fertools.open_dataset(home / "faces", split)).batch(8):
        yield from map(row, batch["key"], batch["label"], batch["votes"], batch["image"])


def _datasets(home: Path, split: str) -> Iterator[Row]:
    import datasets

    cache = str(home / "cache")
    examples = datasets.load_dataset(str(home / "exported"), split=split, cache_dir=cache)
    names = examples.features["label"].names
    assert names == [entry.name for entry in Manifest.read(home / "faces").classes]
    for one in examples:
        yield row(one["key"], one["label"], one["votes"], one["image"])


def _webdataset(home: Path, split: str) -> Iterator[Row]:
    import webdataset

    shards = sorted(map(str, (home / "tars").glob(f"{split}-*.tar")))
    for one in webdataset.WebDataset(shards, shardshuffle=False).decode("pil"):
        about = one["json"]
        assert (one["__key__"], one["cls"]) == (about["key"], about["label"])
        yield row(one["__key__"], one["cls"], about["votes"], one["png"])


def _torchvision(home: Path, split: str) -> Iterator[Row]:
    from torchvision.datasets import ImageFolder

    folder = ImageFolder(str(home / "folders" / split))
    labels = {
        line["folder"]: int(line["label"]) for line in _table(home / "folders" / "classes.csv")
    }
    numbers = {
        line["folder"]: int(line[split])
        for line in _table(home / "folders" / "classes.csv")
        if line[split]
    }
    assert folder.class_to_idx == numbers
    folder.target_transform = [labels[name] for name in folder.classes].__getitem__
    votes = {
        line["key"]: [line[name] for name in line if name.startswith("votes_")]
        for line in _table(home / "folders" / split / "metadata.csv")
    }
    for (file, _), (image, label) in zip(folder.samples, folder, strict=True):
        key = Path(file).stem
        yield row(key, label, votes[key], image)


def _imagefolder(home: Path, split: str) -> Iterator[Row]:
    """Hugging Face's loader of folders, by their metadata.csv."""
    import datasets

    cache = str(home / "cache")
    examples = datasets.load_dataset(
        "imagefolder", data_dir=str(home / "folders"), split=split, cache_dir=cache
    )
    for one in examples:
        votes = [one[name] for name in examples.column_names if name.startswith("votes_")]
        yield row(one["key"], one["label"], votes, one["image"])


def _mlcroissant(home: Path, split: str) -> Iterator[Row]:
    import mlcroissant

    dataset = mlcroissant.Dataset(str(home / "exported" / "croissant.json"))
    for record in dataset.records("examples"):
        one = {name.removeprefix("examples/"): value for name, value in record.items()}
        if one["split"] == split.encode():
            yield row(one["key"], one["label"], one["votes"], one["image"])


def _table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


#: By tool: the function that reads a split with it.
READERS: Final[dict[str, Callable[[Path, str], Iterator[Row]]]] = {
    "tf.data": _tf_data,
    "tensorflow-datasets": _tfds,
    "open_dataset": _open_dataset,
    "torch DataLoader": _torch,
    "grain": _grain,
    "Hugging Face datasets": _datasets,
    "webdataset": _webdataset,
    "torchvision ImageFolder": _torchvision,
    "Hugging Face imagefolder": _imagefolder,
    "mlcroissant": _mlcroissant,
}


def read(tool: str, home: str, file: str) -> None:
    """Read all splits with a tool; leave their rows in a file."""
    try:
        rows = {str(split): [*READERS[tool](Path(home), split)] for split in Split}
    except ImportError as fault:
        sys.exit(missing(fault))
    except RuntimeError as fault:
        if "nms does not exist" not in str(fault):  # torchvision beside another torch than its own
            raise
        sys.exit(missing(fault))
    Path(file).write_bytes(pickle.dumps(rows))


def missing(fault: Exception) -> int:
    """Say why a tool cannot be imported, and return the exit code for that."""
    print(fault)
    return MISSING

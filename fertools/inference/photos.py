"""Read the photos of train and validation: their ledger rows and their crops, shrunk.

ledger.parquet ── rows of train and validation ──▶ Photos       a row a photo, in the order
shards         ── decode · shrink              ──▶ pixels.npy   of the shards
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.console import Progress
from fertools.data import Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import Manifest
from fertools.dataset.shards import read_examples
from fertools.errors import DatasetError
from fertools.files import whole_file
from fertools.inference.predictions import decode_crop

#: The splits that may be changed by what is found; test never is.
SPLITS: Final = (Split.TRAIN, Split.VALIDATION)

#: The columns of the ledger that say where an example is.
_PLACE: Final = ("split", "shard", "index")
_COLUMNS: Final = ("key", "subject", "label", "votes", *_PLACE)

_CURE: Final = "put a whole copy back, or build again"


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos of train and validation, in the order of their examples on disk.

    table    the ledger's rows: key, subject, label, votes, split, shard, index
    classes  the names of the classes, in the order of the labels
    """

    table: pa.Table
    classes: tuple[str, ...]

    @classmethod
    def read(cls, out: Path, manifest: Manifest) -> Photos:
        """Read the ledger of a dataset; raise DatasetError if it is missing or damaged."""
        path = manifest.ledger_in(out)
        try:
            table = pq.read_table(path, columns=[*_COLUMNS])
            table = table.filter(pc.is_in(table["split"], pa.array([*map(str, SPLITS)])))
        except (OSError, pa.ArrowException) as fault:
            raise DatasetError(f"{path} cannot be read: {fault}: {_CURE}") from fault
        table = table.sort_by([(name, "ascending") for name in _PLACE])  # train comes first
        return cls(table, tuple(entry.name for entry in manifest.classes))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labels(self) -> Ints:
        """Index into `classes`, int64, (photos,)."""
        return np.asarray(pc.index_in(self.table["label"], pa.array(self.classes)), np.int64)

    @property
    def votes(self) -> Ints:
        """How many annotators chose each class, int64, (photos, classes); 0 without a record."""
        none = [0] * len(self.classes)
        return np.array([own or none for own in self.table["votes"].to_pylist()], np.int64)

    @property
    def people(self) -> Ints:
        """A number for each person, int64, (photos,); a photo without one is its own person."""
        subjects = self.table["subject"].to_pylist()
        numbers: dict[str | int, int] = {}
        names: Iterator[str | int] = (name or row for row, name in enumerate(subjects))
        return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def write_pixels(
    out: Path, manifest: Manifest, photos: Photos, size: int, path: Path, *, quiet: bool
) -> None:
    """Write the photos' crops as an array in a file, uint8 (photos, size, size, 1), gray.

    np.load(path, mmap_mode="r") reads it: 2 GB for half a million crops of 64 pixels. Raises
    DatasetError where the shards are damaged, or are not those of the ledger.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(photos), size, size, 1)}
    with (
        whole_file(path) as file,
        Progress("read", len(photos), unit="photos", quiet=quiet) as progress,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for example in _examples(out, manifest, photos):
            file.write(_shrunk(decode_crop(example.image, manifest.image.size), size).tobytes())
            progress.add(1)


def _examples(out: Path, manifest: Manifest, photos: Photos) -> Iterator[Example]:
    """Yield the photos' examples, without augmented copies, which have no row."""
    rows = zip(*(photos.table[name].to_pylist() for name in _PLACE), photos.labels, strict=True)
    expected = next(rows, None)
    for *place, example in _places(out, manifest):
        if expected is not None and [*expected[:-1]] == place:
            if expected[-1] != example.label:
                break
            yield example
            expected = next(rows, None)
    if expected is not None:
        raise DatasetError(
            f"{out / manifest.ledger.file} is not the ledger of these shards: {_CURE}"
        )


def _places(out: Path, manifest: Manifest) -> Iterator[tuple[str, int, int, Example]]:
    for split in SPLITS:
        if split in manifest.splits:
            shards = enumerate(manifest.splits[split].shards)
            places = chain.from_iterable(
                ((str(split), number, index) for index in range(shard.records))
                for number, shard in shards
            )
            for place, example in zip(places, read_examples(out, split), strict=True):
                yield *place, example


def _shrunk(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if len(image) == size:
        return image
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

"""The formats of `export-dataset`: what writes each, and what opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fertools.dataset.example import Example
from fertools.dataset.manifest import CROISSANT, Manifest
from fertools.exports import folders, parquet, webdataset
from fertools.exports.destination import Sums
from fertools.exports.plan import Unit
from fertools.options import DatasetFormat


def _unchanged(_home: Path, files: Sums, _manifest: Manifest) -> Sums:
    return files


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    write    writes the files of a unit below a folder; returns their SHA-256
    opened   the Python expression that opens a {split}; {dest} is the folder
    files    what the files are, by their pattern
    join     turns the files of all units into those to publish
    """

    write: Callable[[Path, Unit, Iterable[Example], Manifest], Sums]
    opened: str
    files: dict[str, str]
    join: Callable[[Path, Sums, Manifest], Sums] = _unchanged


FORMATS: Final[dict[DatasetFormat, Format]] = {
    "parquet": Format(
        parquet.write,
        'datasets.load_dataset("{dest}", split="{split}")',
        {
            "data/SPLIT-K-of-N.parquet": "a row an example: image, label, provenance, votes",
            CROISSANT: "this card and the columns for machines: mlcroissant reads the records",
        },
    ),
    "webdataset": Format(
        webdataset.write,
        'webdataset.WebDataset(sorted(glob.glob("{dest}/{split}-*.tar")), shardshuffle=False)',
        {"SPLIT-K-of-N.tar": "of each example KEY.png or KEY.jpg, KEY.cls (the label), KEY.json"},
    ),
    "folders": Format(
        folders.write,
        'torchvision.datasets.ImageFolder("{dest}/{split}")',
        {
            "SPLIT/CLASS/KEY.png or KEY.jpg": "the crops",
            "SPLIT/metadata.csv": "a row an example, in the dataset's order: file_name, label, …",
            folders.CLASSES: "of each label its class, its folder, and ImageFolder's number",
        },
        folders.join,
    ),
}

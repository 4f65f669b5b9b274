"""Write a folder a class, as torchvision's ImageFolder, Keras and Hugging Face's imagefolder read.

    train/기쁨/KEY.png      or KEY.jpg: the file as it is in the shard
    train/metadata.csv      a row an example, in the order of the shards: file_name, label, class, …
    classes.csv             a row a label: its class, its folder, and ImageFolder's number of it

These tools number classes by the order of folder names, and only those that a split has: the number
is not always the label. classes.csv has both.

Files are not synced one by one, which costs more than writing them: `Destination` recognises what
was lost. Each unit writes its rows of metadata.csv beside; `join` puts them together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final

from fertools.data import Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import Manifest
from fertools.exports.destination import Sums
from fertools.exports.names import file_stem, folder_names, suffix
from fertools.exports.plan import Unit
from fertools.exports.table import provenance
from fertools.files import whole_file

CLASSES: Final = "classes.csv"
_METADATA: Final = "metadata.csv"
_ROWS: Final = "rows"


def write(home: Path, unit: Unit, examples: Iterable[Example], manifest: Manifest) -> Sums:
    """Write the images of a unit below `home`, and their rows of metadata.csv.

    A class without an example in a split has no folder there: ImageFolder refuses empty ones.
    """
    folders, sums, rows = folder_names(manifest.classes), {}, []
    made: dict[str, Path] = {}
    for example in examples:
        name = f"{file_stem(example.key)}.{suffix(manifest.image.format)}"
        folder = folders[example.label]
        if folder not in made:
            made[folder] = home / unit.split / folder
            made[folder].mkdir(parents=True, exist_ok=True)
        (made[folder] / name).write_bytes(example.image)
        sums[f"{unit.split}/{folder}/{name}"] = sha256(example.image).hexdigest()
        rows.append(_row(f"{folder}/{name}", example, manifest))
    part, data = f"{_ROWS}/{unit.name}.csv", _csv(rows)
    (home / _ROWS).mkdir(exist_ok=True)
    (home / part).write_bytes(data)
    return sums | {part: sha256(data).hexdigest()}


def join(home: Path, files: Sums, manifest: Manifest) -> Sums:
    """Write metadata.csv of each split from the rows of its units; return the files to publish."""
    parts = sorted(name for name in files if name.startswith(f"{_ROWS}/"))
    joined = {name: digest for name, digest in files.items() if not name.startswith(f"{_ROWS}/")}
    for split in manifest.filled_splits:
        name = f"{split}/{_METADATA}"
        (home / split).mkdir(exist_ok=True)  # an earlier run may have moved it
        with whole_file(home / name) as file:
            file.write(_csv([_head(manifest)]))
            for part in parts:
                if part.startswith(f"{_ROWS}/{split}-"):
                    file.write((home / part).read_bytes())
        joined[name] = file.sha256
    return joined


def classes_csv(manifest: Manifest) -> bytes:
    """Return the bytes of classes.csv; a class that a split has not has no number in it."""
    numbers = {split: _numbers(manifest, split) for split in manifest.filled_splits}
    rows: list[Sequence[Any]] = [("label", "class", "english", "folder", *numbers)]
    for label, (entry, folder) in enumerate(
        zip(manifest.classes, folder_names(manifest.classes), strict=True)
    ):
        own = (by_label.get(label, "") for by_label in numbers.values())
        rows.append((label, entry.name, entry.english, folder, *own))
    return _csv(rows)


def numbering(manifest: Manifest) -> str:
    """Return "" if ImageFolder's number of each class is its label in every split, else a line."""
    others = [
        str(split)
        for split in manifest.filled_splits
        if any(label != number for label, number in _numbers(manifest, split).items())
    ]
    if not others:
        return ""
    return (
        "ImageFolder numbers the classes that it finds in a split, by the names of their folders: "
        f"in {', '.join(others)} these numbers are not the labels; {CLASSES} has both"
    )


def _numbers(manifest: Manifest, split: Split) -> dict[int, int]:
    """Return by label ImageFolder's number of each class that a split has."""
    folders, counts = folder_names(manifest.classes), manifest.splits[split].classes
    labels = [label for label, entry in enumerate(manifest.classes) if counts.get(entry.name)]
    in_order = sorted(labels, key=folders.__getitem__)
    return {label: number for number, label in enumerate(in_order)}


def _head(manifest: Manifest) -> list[str]:
    votes = [f"votes_{label}" for label in range(len(manifest.classes))]
    several = {"box": ["x0", "y0", "x1", "y1"], "votes": votes}
    names = (several.get(feature.name, [feature.name]) for feature in manifest.features[2:])
    return ["file_name", "label", "class", *chain.from_iterable(names)]


def _row(name: str, example: Example, manifest: Manifest) -> list[Any]:
    values = provenance(example, manifest).values()
    lists = (value if isinstance(value, list) else [value] for value in values)
    return [name, *chain.from_iterable(lists)]


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()

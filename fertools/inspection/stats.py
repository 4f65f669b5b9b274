"""Count the people, classes and photos of an archive, by names alone, or of a built dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.archive.scan import scan
from fertools.checking import user_path
from fertools.columns import Words
from fertools.console import name_pair, table
from fertools.dataset.manifest import MANIFEST, WORK_DIR, Manifest
from fertools.dataset.report import DatasetReport
from fertools.errors import DatasetError, SourceError, printable
from fertools.options import LabelOptions
from fertools.pipeline.catalog import Catalog, count_outcomes
from fertools.pipeline.parts import KEPT

#: Files of a training's folder: its plots are not an archive of photos.
_RUN: Final = ("run.json", "history.csv")


def stats(path: Path | str) -> Census | DatasetReport:
    """Count what is in an archive, from names alone, or in a dataset, from its manifest.

    Raises SourceError if the path is neither, DatasetError for an incomplete dataset.
    """
    path = user_path(path)
    if (path / MANIFEST).is_file():
        manifest = Manifest.read(path)
        return DatasetReport(path, manifest, manifest.warnings)
    if all((path / name).is_file() for name in _RUN):
        raise SourceError(
            f"{path} is the folder of a training: give an archive or a dataset, or use the network "
            "with fertools evaluate or predict"
        )
    if (path / WORK_DIR).is_dir():
        raise DatasetError(
            f"{path} is not complete: run the same build-dataset command again, it goes on"
        )
    return _count(path)


def _count(path: Path) -> Census:
    found = scan(path)
    catalog = Catalog.of(found.members, LabelOptions())
    selected, names = catalog.selected, catalog.classes.names
    indices = catalog.class_index(selected)
    codes, subjects = catalog.labels.codes("subject")
    each = np.bincount(codes[selected][codes[selected] >= 0], minlength=len(subjects))
    each = np.sort(each[each > 0]) if each.any() else np.zeros(1, np.int64)
    dropped = count_outcomes(catalog.class_or_drop, catalog.drops)
    del dropped[KEPT]
    return Census(
        members=len(catalog.members),
        photos=len(selected),
        bytes=int(catalog.members.columns.numbers("size")[selected].sum()),
        classes=dict(zip(names, np.bincount(indices, minlength=len(names)).tolist(), strict=True)),
        english=dict(zip(names, catalog.classes.english, strict=True)),
        subjects=int((each > 0).sum()),
        photos_each=(int(each[0]), int(each[len(each) // 2]), int(each[-1])),
        unknown_people=int((codes[selected] < 0).sum()),
        sexes=_by(Words(*catalog.labels.codes("sex")).take(selected)),
        ages=_by(catalog.labels.numbers("age", fill=0)[selected].tolist()),
        dropped=dict(dropped.most_common()),
        warnings=(*found.faults, *found.warnings, *map(printable, catalog.warnings)),
    )


def _by(values: Iterable[str | int | None]) -> dict[str, int]:
    counted = Counter(str(value or "unknown") for value in values)
    return dict(sorted(counted.items()))


@dataclass(frozen=True, slots=True)
class Census:
    """The contents of an archive as far as names say.

    members    entries of every kind
    photos     those that a build processes; `bytes` is their size in all
    classes    photos by class, in the order of the labels; `english` names them
    subjects   people; `photos_each` is the fewest, the median and the most photos of one, and
               `unknown_people` counts the photos whose names carry no person
    sexes      photos by sex; `ages` by decade
    dropped    entries that will be no examples, by reason
    """

    members: int
    photos: int
    bytes: int
    classes: dict[str, int]
    english: dict[str, str]
    subjects: int
    photos_each: tuple[int, int, int]
    unknown_people: int
    sexes: dict[str, int]
    ages: dict[str, int]
    dropped: dict[str, int]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        fewest, median, most = self.photos_each
        total = max(self.photos, 1)
        rows = [
            (name_pair(name, self.english[name]), count, f"{100 * count / total:.1f} %")
            for name, count in self.classes.items()
        ]
        blocks = [
            f"{self.photos:,} photos of {self.members:,} entries, {self.bytes / 1e9:.2f} GB",
            table(("class", "photos", "share"), [*rows, ("all", self.photos, "")], foot=True),
        ]
        if self.subjects:
            each = f"{fewest} to {most} photos each, median {median}"
            blocks.append(f"{self.subjects:,} people, {each}")
            blocks.append(table(("sex", "photos"), list(self.sexes.items())))
            blocks.append(table(("age", "photos"), list(self.ages.items())))
        if self.unknown_people:
            blocks.append(
                f"{self.unknown_people:,} of {self.photos:,} photos carry no person in their "
                "names: a split takes each for a person of its own"
            )
        if self.dropped:
            blocks.append(table(("no example", "entries"), list(self.dropped.items())))
        return "\n\n".join(
            [*blocks, *(f"warning: {printable(warning)}" for warning in self.warnings)]
        )

"""Who and what is in an archive, by names alone, or in a built dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from fertools.archive import scan
from fertools.columns import Words, by_first
from fertools.errors import DatasetError, SourceError, printable
from fertools.labels import LabelRule
from fertools.paths import user_path
from fertools.pipeline.catalog import Catalog
from fertools.report import Census, DatasetReport
from fertools.shards import HOME, MANIFEST, Manifest

#: What `train` writes into its folder; the plots beside them are no archive of photos.
_RUN: Final = ("run.json", "history.csv")


def stats(path: Path | str) -> Census | DatasetReport:
    """Count what is in an archive, from names alone, or in a dataset, from its manifest.

    Raises SourceError where the path is neither, DatasetError for a dataset that is incomplete.
    """
    path = user_path(path)
    if (path / MANIFEST).is_file():
        manifest = Manifest.read(path)
        return DatasetReport(path, manifest, manifest.warnings)
    if all((path / name).is_file() for name in _RUN):
        raise SourceError(
            f"{path} is the folder of a training: give an archive or a dataset, or ask the network "
            "with fertools evaluate or predict"
        )
    if (path / HOME).is_dir():
        raise DatasetError(
            f"{path} is not complete: run the same build-dataset command again, it goes on"
        )
    return _count(path)


def _count(path: Path) -> Census:
    found = scan(path)
    catalog = Catalog.of(found.members, LabelRule())
    wanted, names = catalog.wanted, catalog.classes.names
    fates = catalog.fates[wanted]
    codes, subjects = catalog.labels.codes("subject")
    each = np.bincount(codes[wanted][codes[wanted] >= 0], minlength=len(subjects))
    each = np.sort(each[each > 0]) if each.any() else np.zeros(1, np.int64)
    return Census(
        members=len(catalog.members),
        photos=len(wanted),
        bytes=int(catalog.members.columns.numbers("size")[wanted].sum()),
        classes=dict(zip(names, np.bincount(fates, minlength=len(names)).tolist(), strict=True)),
        english=dict(zip(names, catalog.classes.english, strict=True)),
        subjects=int((each > 0).sum()),
        photos_each=(int(each[0]), int(each[len(each) // 2]), int(each[-1])),
        unknown_people=int((codes[wanted] < 0).sum()),
        sexes=_by(Words(*catalog.labels.codes("sex")).take(wanted)),
        ages=_by(catalog.labels.numbers("age", fill=0)[wanted].tolist()),
        dropped=_dropped(catalog),
        warnings=(*found.faults, *found.warnings, *map(printable, catalog.notes)),
    )


def _by(values: Iterable[str | int | None]) -> dict[str, int]:
    counted = Counter(str(value or "unknown") for value in values)
    return dict(sorted(counted.items()))


def _dropped(catalog: Catalog) -> dict[str, int]:
    """Count the reasons of what is not wanted, the most frequent first, then as they come."""
    dropped = catalog.fates[catalog.fates < 0]
    numbers, first = by_first(dropped)
    counts: Counter[str] = Counter()
    for code, count in zip(dropped[first].tolist(), np.bincount(numbers).tolist(), strict=True):
        counts[str(catalog.drops[-1 - code].reason)] += count
    return dict(counts.most_common())

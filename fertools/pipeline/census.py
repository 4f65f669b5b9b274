"""Who and what is in an archive, by names alone, or in a built dataset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from fertools.archive import printable, scan
from fertools.data import Drop, Label
from fertools.errors import DatasetError, SourceError
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
    rows = list(zip(catalog.members, catalog.labels, catalog.fates, strict=True))
    usable = [(label, fate) for _, label, fate in rows if not isinstance(fate, Drop)]
    labels = [label for label, _ in usable]
    names = catalog.classes.names
    people = Counter(label.subject for label in labels if label.subject)
    each = sorted(people.values()) or [0]
    return Census(
        members=len(rows),
        photos=len(usable),
        bytes=sum(member.size for member, _, fate in rows if not isinstance(fate, Drop)),
        classes=_ordered(Counter(names[fate] for _, fate in usable), names),
        english=dict(zip(names, catalog.classes.english, strict=True)),
        subjects=len(people),
        photos_each=(each[0], each[len(each) // 2], each[-1]),
        unknown_people=sum(not label.subject for label in labels),
        sexes=_by(labels, "sex"),
        ages=_by(labels, "age"),
        dropped=dict(
            Counter(str(f.reason) for _, _, f in rows if isinstance(f, Drop)).most_common()
        ),
        warnings=(*found.warnings, *map(printable, catalog.notes)),
    )


def _by(labels: list[Label], field: str) -> dict[str, int]:
    counted = Counter(str(getattr(label, field) or "unknown") for label in labels)
    return dict(sorted(counted.items()))


def _ordered(counts: Counter[str], names: tuple[str, ...]) -> dict[str, int]:
    return {name: counts[name] for name in names}

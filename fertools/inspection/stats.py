"""Count the people, classes and photos of an archive, by names alone, or of a built dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Unpack

from fertools.checking import user_path
from fertools.dataset.manifest import MANIFEST, WORK_DIR
from fertools.errors import DatasetError, OptionError, SourceError
from fertools.inspection.archive_stats import Census, count_archive
from fertools.inspection.dataset_stats import DatasetStats, count_dataset
from fertools.inspection.repair import Repair, find_repairs
from fertools.keywords import StatsKeywords
from fertools.options import SourceOptions, StatsOptions

#: Files of a training's folder: its plots are not an archive of photos.
_RUN: Final = ("run.json", "history.csv")


def stats(path: Path | str, **options: Unpack[StatsKeywords]) -> Census | DatasetStats | Repair:
    """Count what is in an archive, from names alone, or in a dataset, from manifest and ledger.

    options   the fields of StatsOptions: by="class,sex", preset="fer2013"; repair=True lists the
              downloads to repeat

    Raises SourceError if the path is neither, DatasetError for an incomplete dataset, and
    OptionError for a field that does not exist.
    """
    checked = StatsOptions.of(options)
    if checked.repair:
        return find_repairs(user_path(path), Path(checked.expect) if checked.expect else None)
    return _count(user_path(path), checked)


def _count(path: Path, options: StatsOptions) -> Census | DatasetStats:
    if (path / MANIFEST).is_file():
        if options.source != SourceOptions():
            raise OptionError(f"{path} is a dataset: its manifest says which --preset it has")
        return count_dataset(path, options.by)
    if all((path / name).is_file() for name in _RUN):
        raise SourceError(
            f"{path} is the folder of a training: give an archive or a dataset, or use the network "
            "with fertools evaluate or predict"
        )
    if (path / WORK_DIR).is_dir():
        raise DatasetError(
            f"{path} is not complete: run the same build-dataset command again, it continues"
        )
    return count_archive(path, options.by, options.source)

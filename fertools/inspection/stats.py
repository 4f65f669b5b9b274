"""Count the people, classes and photos of an archive, by names alone, or of a built dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, Unpack

from fertools.checking import user_path
from fertools.dataset.manifest import MANIFEST, WORK_DIR
from fertools.errors import DatasetError, OptionError, SourceError, printable
from fertools.fonts import font_warning
from fertools.inspection.counts.archive import Census, count_archive
from fertools.inspection.counts.counting import parse_fields
from fertools.inspection.counts.dataset import FIELDS, DatasetStats, count_dataset
from fertools.inspection.counts.plot import ENDINGS, check_fields, draw_bars
from fertools.inspection.pictures import check_picture
from fertools.inspection.repair import Repair, find_repairs, seen_files
from fertools.keywords import StatsKeywords
from fertools.options import SourceOptions, StatsOptions
from fertools.pipeline.build_dir import SEEN
from fertools.pipeline.instalments.partial import SeenReport
from fertools.pipeline.instalments.seen import SeenStore

#: Files of a training's folder: its plots are not an archive of photos.
_RUN: Final = ("run.json", "history.csv")


def stats(
    path: Path | str, **options: Unpack[StatsKeywords]
) -> Census | DatasetStats | Repair | SeenReport:
    """Count what is in an archive, from names alone, or in a dataset, from manifest and ledger.

    options   the fields of StatsOptions: by="class,sex", preset="fer2013", plot="bars.png";
              repair=True lists the downloads to repeat

    Raises SourceError if the path is neither, DatasetError for an incomplete dataset, OptionError
    for a field that does not exist, and OutputError if the plot cannot be written.
    """
    checked, path = StatsOptions.of(options), user_path(path)
    expect = Path(checked.expect) if checked.expect else None
    if checked.repair:
        return find_repairs(path, expect)
    in_instalments = SeenStore(path / WORK_DIR / SEEN).exists
    if expect and not in_instalments:
        raise OptionError("--expect has no effect without --repair: give both")
    if in_instalments and (expect or not (path / MANIFEST).is_file()):
        return seen_files(path, expect)
    if checked.plot is None:
        return _count(path, checked)
    return _plotted(path, checked, Path(checked.plot))


def _plotted(path: Path, options: StatsOptions, file: Path) -> Census | DatasetStats:
    """Count, and draw the counts into a file; what can be wrong with it is checked first."""
    is_dataset = (path / MANIFEST).is_file()
    check_picture(file, ENDINGS, None if is_dataset else path)
    check_fields(parse_fields(options.by, FIELDS))
    counted = _count(path, options)
    draw_bars(counted.by or counted.class_split, counted.english_names, file)
    missing = font_warning([*map(printable, counted.english_names)])
    notes = (*counted.notes, *missing, f"bars drawn into {printable(str(file))}")
    return replace(counted, notes=notes)


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

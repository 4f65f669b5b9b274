"""Export a dataset: plan the units, run them in workers, and make the folder whole.

manifest ──plan──▶ units ──workers──▶ .export/files ──finish──▶ DEST, SHA256SUMS last
                     └── finished by an earlier run: kept
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final, Unpack

import fertools
from fertools.checking import user_path
from fertools.console import Progress
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.errors import printable
from fertools.exports.card import card_files
from fertools.exports.destination import EXPORT, Destination, Sums
from fertools.exports.folders import numbering
from fertools.exports.formats import FORMATS
from fertools.exports.plan import Unit, plan_units
from fertools.exports.task import ExportTask
from fertools.files import sha256_of, write_whole
from fertools.keywords import ExportDatasetKeywords
from fertools.options import DatasetFormat, ExportDatasetOptions
from fertools.workers.tasks import cores, end_workers, run_tasks

_KEPT_NAMES: Final = (
    "keys and subjects are plain file names and subject ids, because --keep-names was given: do "
    "not give this export away"
)


@dataclass(frozen=True, slots=True)
class DatasetExport:
    """A dataset that was exported.

    files      all files of the folder but SHA256SUMS
    examples   by split
    warnings   what the user must know before the export is passed on
    """

    folder: Path
    to: DatasetFormat
    files: tuple[str, ...]
    examples: dict[str, int]
    warnings: tuple[str, ...] = ()

    def text(self) -> str:
        counts = ", ".join(f"{split} {count:,}" for split, count in self.examples.items())
        dest, split = printable(str(self.folder)), next(iter(self.examples), "train")
        head = f"{dest}: {sum(self.examples.values()):,} examples ({counts}), {self.to}"
        lines = [head, f"open it: {FORMATS[self.to].opened.format(dest=dest, split=split)}"]
        return "\n".join([*lines, *(f"warning: {line}" for line in self.warnings)])


def export_dataset(
    out: Path | str, dest: Path | str, **options: Unpack[ExportDatasetKeywords]
) -> DatasetExport:
    """Write a dataset into a folder in the format of other tools, in the order on disk.

    dest      a new folder, or that of the same export, which is continued
    options   the fields of ExportDatasetOptions: to="parquet", shard_size="500MB", jobs=None,
              quiet=False

    Images are copied byte for byte. Equal datasets, options and versions give equal bytes. A folder
    without SHA256SUMS is not complete: the same call continues. Raises DatasetError for a damaged
    dataset, OutputError if the folder holds something else, was changed, or cannot be written.
    """
    out, chosen = user_path(out, "out").absolute(), ExportDatasetOptions.of(options)
    manifest, digest = Manifest.read(out), sha256_of(out / MANIFEST)
    destination = Destination(user_path(dest, "dest").absolute(), _about(manifest, digest, chosen))
    units = plan_units(manifest, chosen.unit_bytes)
    if destination.complete:
        files = destination.check_complete()
    else:
        with destination.open():
            files = _export(out, destination, units, chosen)
            files = FORMATS[chosen.to].join(destination.files, files, manifest)
            files |= _write_cards(destination, manifest, chosen.to, files)
            destination.finish(files)
    examples = {str(name): split.records for name, split in manifest.filled_splits.items()}
    warnings = tuple(_warnings(manifest, chosen.to))
    return DatasetExport(destination.folder, chosen.to, tuple(sorted(files)), examples, warnings)


def _warnings(manifest: Manifest, to: DatasetFormat) -> Iterator[str]:
    if manifest.options.get("keep_names"):
        yield _KEPT_NAMES
    if to == "folders" and (line := numbering(manifest)):
        yield line


def _about(manifest: Manifest, digest: str, options: ExportDatasetOptions) -> dict[str, str | int]:
    """Return what the bytes of an export depend on."""
    return {
        "dataset": manifest.name,
        "manifest": digest,
        "to": options.to,
        "shard_size": options.unit_bytes,
        "fertools": fertools.__version__,
        "pyarrow": version("pyarrow"),
    }


def _export(
    out: Path, destination: Destination, units: list[Unit], options: ExportDatasetOptions
) -> Sums:
    """Export the units that are not finished, and return the files of all."""
    found = {unit: destination.finished(unit.name) for unit in units}
    files = {name: digest for sums in found.values() for name, digest in (sums or {}).items()}
    tasks = [
        ExportTask(out, destination, options.to, unit) for unit, sums in found.items() if not sums
    ]
    total = sum(map(len, units))
    done = total - sum(len(task.unit) for task in tasks)
    with Progress("export", total, unit="examples", quiet=options.quiet, done=done) as progress:
        for unit, sums in _run(tasks, options.jobs or cores()):
            files |= sums
            progress.add(len(unit))
    return files


def _run(tasks: list[ExportTask], jobs: int) -> Iterator[tuple[Unit, Sums]]:
    try:
        yield from run_tasks(tasks, jobs)
    finally:
        end_workers()


def _write_cards(
    destination: Destination, manifest: Manifest, to: DatasetFormat, files: Sums
) -> Sums:
    """Write the files that describe the export, and return them."""
    sizes = {name: destination.size(name) for name in files}
    cards = card_files(manifest, to, files, sizes) | {EXPORT: destination.about_bytes}
    for name, data in cards.items():
        write_whole(destination.files / name, data)
    return {name: sha256(data).hexdigest() for name, data in cards.items()}

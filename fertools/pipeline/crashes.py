"""Extract the faces of a build's parts in worker processes, and isolate photos that crash them.

    a worker dies ─▶ logs that end with a photo in flight ─▶ each such photo again, alone
         ▲                                                     │ survives: fine   dies: a row
         └────────────── remaining parts, in a new pool ◀──────┘

Each is tried twice, because a worker may die of something else: the system had no memory left, or a
user killed it. So a photo is recorded only after it has crashed a process of its own.

A photo that crashes, raises an error or cannot be read costs itself only. So many of them that the
detector, the machine or the disk must be the cause stop the build.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from fertools.archive.identity import file_signatures, first_mismatch
from fertools.archive.members import Members
from fertools.checking import split_keywords, user_path
from fertools.columns import Ints
from fertools.console import Progress
from fertools.data import Reason
from fertools.dataset.manifest import check_archive
from fertools.environment import library_versions, pixel_versions
from fertools.errors import FertoolsError, OptionError, SourceError, printable
from fertools.faces.detectors import Detector, check_detector
from fertools.faces.detectors.base import resolve_runtime
from fertools.options import BuildOptions, RunOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.plan import Boxes, PartsPlan, cut_into_parts, part_fingerprint
from fertools.pipeline.process_part import PartResult, PartTask, cached_detector
from fertools.workers.dask import on_cluster
from fertools.workers.inflight import InFlightLog
from fertools.workers.tasks import cores, end_workers, run_isolated, run_tasks

#: Photos that may be unreadable, and be most of a run's, before it is stopped half-way.
_MOST_UNREAD: Final = 256

#: Photos of one run that may crash before the detector or the machine is suspected.
_TOLERATED: Final = 8

#: Photos that may raise an error, while fewer succeed, before a run is stopped half-way.
_HOPELESS: Final = 64


@dataclass(frozen=True)
class Request:
    """The arguments of a build, checked; `detector` is one that was given as a Python object."""

    source: Path
    build_dir: BuildDir
    options: BuildOptions
    run: RunOptions
    detector: Detector | None

    @classmethod
    def of(
        cls,
        src: Path | str,
        out: Path | str,
        options: Mapping[str, Any],
        detector: Detector | str | None,
    ) -> Request:
        """Check options and paths. Raises OptionError, SourceError, OutputError."""
        if isinstance(detector, str):
            options, detector = {**options, "detector": detector}, None
        checked, run = split_keywords(options, BuildOptions, RunOptions)
        detector = None if detector is None else check_detector(detector)
        if detector and not checked.faces.detect:
            raise OptionError("detector= has no effect with --no-detect: leave one of them out")
        source, build_dir = user_path(src), BuildDir(user_path(out))
        if run.dask:  # the working folder of a cluster's node is another one
            source, build_dir = source.absolute(), BuildDir(build_dir.out.absolute())
        check_archive(source)
        build_dir.check(source)
        return cls(source, build_dir, checked, run, detector)

    @cached_property
    def detector_name(self) -> str:
        return (self.detector or cached_detector(self.options.faces)).name

    @cached_property
    def libraries(self) -> dict[str, str]:
        """The versions that decide about any byte, and the detector's name."""
        return library_versions() | {"network": self.detector_name}

    @cached_property
    def resolved_faces(self) -> dict[str, Any]:
        """The face options without `auto`."""
        faces = self.options.faces
        return asdict(faces) | {
            "detector": self.detector.name if self.detector else faces.detector,
            "runtime": resolve_runtime(faces.runtime),
        }


@dataclass(frozen=True)
class Extraction:
    """Which photos are processed, and how.

    members    of the archive; `rows` are those to process, int64
    boxes      the annotators' boxes by key, if they are the crops'
    scanned    when the listing of the archive began, ns since the epoch
    part_size  members of a part; None for one that depends on their number
    gone       paths of zips and files that were seen by an earlier run and are not there any more
    """

    request: Request
    members: Members
    rows: Ints
    boxes: Boxes
    scanned: int
    part_size: int | None = None
    gone: frozenset[bytes] = field(default=frozenset(), repr=False)

    def plan(self) -> PartsPlan:
        """Divide the photos into parts."""
        parts = cut_into_parts(self.members, self.rows, self.part_size)
        request, boxes = self.request, self.boxes
        basis = f"{request.options.faces.fingerprint} {request.detector_name} {pixel_versions()}"
        folder = request.build_dir.parts
        files = [PartFiles(folder, part_fingerprint(basis, part, boxes)) for part in parts]
        return PartsPlan(request.build_dir.plan, parts, boxes, basis, files, self.scanned)

    def process(self, plan: PartsPlan, numbers: Sequence[int], name: str = "") -> list[str]:
        """Process the parts that are not done; return warnings. Raises as `extract_parts`.

        name   of the part range, "" for all parts
        """

        request = self.request

        def task(number: int) -> PartTask:
            return PartTask(
                request.source,
                plan.path,
                number,
                plan.files[number],
                plan.basis,
                request.options.faces,
                request.detector,
                request.run.photo_seconds,
            )

        unread = extract_parts(plan, numbers, task, request.build_dir, request.run, name=name)
        return [unread_line(unread)] if unread else []

    def gone_parts(self, plan: PartsPlan, numbers: Sequence[int]) -> list[int]:
        """Return the parts that are not done and can no longer be made."""
        if not self.gone:
            return []
        undone = (number for number in numbers if not plan.is_current(number))
        return [
            number
            for number in undone
            if any(member.path in self.gone for member in plan.members[number])
        ]

    def process_present(
        self, plan: PartsPlan, numbers: Sequence[int], name: str = ""
    ) -> tuple[list[str], list[str]]:
        """Process all parts that can be made; return warnings, and what cannot be made.

        A part with photos that could not be read, which was accepted, counts as done.
        """
        gone = self.gone_parts(plan, numbers)
        accept = self.request.run.accept_unreadable
        lost = [number for number in gone if not (accept and plan.files[number].written.exists())]
        without = frozenset(gone)
        warnings = self.process(plan, [n for n in numbers if n not in without], name)
        containers = dict.fromkeys(plan.members[number][0].container for number in lost)
        return warnings, [
            f"{printable(container or 'photos in SRC')}: it is gone, and not all of its faces were "
            "found"
            for container in containers
        ]


@contextmanager
def workers(request: Request, members: Members) -> Iterator[None]:
    """Use this machine's cores or the cluster in the block, and end the workers after it.

    members   what is there of the archive: the nodes of a cluster must see the same
    """
    try:
        signatures = partial(file_signatures, request.source, members)
        home = request.build_dir.home
        with on_cluster(request.run.dask, request.source, home, signatures, first_mismatch):
            yield
    finally:
        end_workers()


def unread_line(files: int) -> str:
    """Return a line about files that could not be read."""
    return f"{files:,} file{'s' * (files > 1)} of the archive could not be read"


def extract_parts(
    plan: PartsPlan,
    numbers: Sequence[int],
    task: Callable[[int], PartTask],
    build_dir: BuildDir,
    run: RunOptions,
    *,
    name: str = "",
) -> int:
    """Process those parts that are not done; return how many photos could not be read.

    task   returns the task of a part by its number
    name   of the part range, "" for all parts

    Raises SourceError for photos that could not be read, unless that is accepted: after all others
    were processed and saved, or earlier if most could not be read, since that is the disk.
    """
    left = [i for i in numbers if not plan.is_current(i)]
    tasks = [task(number) for number in left]
    total = int(plan.members.sizes[[*numbers]].sum())
    done = read = total - int(plan.members.sizes[left].sum())
    unread: list[tuple[str, str]] = []
    with Progress("faces", total, unit="photos", quiet=run.quiet, done=done) as progress:
        for result in process_parts(tasks, run.jobs or cores(), before=done):
            progress.add(result.outcomes.total(), result.outcomes)
            unread += result.unread
            read += result.outcomes.total()
            if len(unread) > max(_MOST_UNREAD, read) and not run.accept_unreadable:
                raise _unread_error(
                    unread,
                    build_dir.write_unread(unread, name),
                    "that is the disk, not the photos: check it, and give the same command",
                )
    if run.dask:
        # NFS may report other nodes' parts as missing until the folder is listed.
        next(build_dir.parts.iterdir(), None)
    if unread and not run.accept_unreadable:
        raise _unread_error(
            unread,
            build_dir.write_unread(unread, name),
            "everything else is done and saved; the same command tries them again, "
            "--accept-unreadable continues without them (and --overwrite, for photos that were "
            "removed or replaced)",
        )
    build_dir.remove_unread(name)
    return len(unread)


def _unread_error(unread: list[tuple[str, str]], path: Path, advice: str) -> SourceError:
    (key, why), more = unread[0], len(unread) - 1
    rest = f" and {more:,} more, listed in {path}" if more else ""
    return SourceError(
        f"{len(unread):,} photo{'s' if more else ''} could not be read: {key} ({why}){rest}: "
        f"{advice}"
    )


def process_parts(tasks: Sequence[PartTask], jobs: int, *, before: int = 0) -> Iterator[PartResult]:
    """Make the parts, and yield the result of each.

    before  photos that earlier runs have processed without an error

    A photo that crashes, hangs or exhausts its process gets a row, and all others are processed.
    Parts of which every photo raises an error are deferred to the end: a few are caused by the
    photos, many by the detector. With one job, a detector given as a Python object runs in this
    process.

    Raises FertoolsError if most photos raise an error; nothing of that is kept.
    """
    isolator = CrashIsolator(tasks)
    isolator()  # a photo may have ended the build before this one
    isolate = jobs > 1 or all(task.detector is None for task in tasks)
    run = partial(run_tasks, jobs=jobs, isolate=isolate, after_death=isolator)
    deferred: list[PartResult] = []
    fine, crashed = before, 0
    for result in run(tasks):
        isolator.count_finished()
        if result.crashed:
            deferred.append(result)
            crashed += result.outcomes.total()
            if crashed > max(_HOPELESS, fine):
                raise _detector_error(crashed, result)
            continue
        fine += result.outcomes.total() - result.outcomes[Reason.CRASHED]
        yield result
    if deferred and (not fine or crashed > max(_TOLERATED, fine / 2)):
        raise _detector_error(crashed, deferred[0])
    numbers = {result.number for result in deferred}
    yield from run([replace(task, trust_crashes=True) for task in tasks if task.number in numbers])


def _detector_error(crashed: int, result: PartResult) -> FertoolsError:
    return FertoolsError(
        f"{crashed} photos, and every one of some parts, raise an error ({result.crashed}): "
        "the detector is the cause, not the photos; the same command continues"
    )


class CrashIsolator:
    """Finds the photo that crashed a worker, by processing the suspects again.

    A call returns whether one was found. It raises FertoolsError if there are so many that the
    cause must be something else.
    """

    def __init__(self, tasks: Sequence[PartTask]) -> None:
        self._tasks = {task.files.log.name: task for task in tasks}
        self._folders = {task.files.folder for task in tasks}
        self._finished = 0
        self._crashed = 0

    def __call__(self) -> bool:
        """Process the suspects, and write the result into their in-flight logs."""
        before = self._crashed
        suspects = [
            (task, number)
            for task in self._tasks_with_log()
            if (number := InFlightLog(task.files.log).last_started()) is not None
        ]
        retries = [partial(task.try_photo, number) for task, number in suspects]
        for suspect, seconds in zip(suspects, run_isolated(retries), strict=True):
            self._resolve(*suspect, seconds)
        return self._crashed > before

    def count_finished(self) -> None:
        self._finished += 1

    def _tasks_with_log(self) -> list[PartTask]:
        # The folder is listed once, instead of a test for each of thousands of parts.
        names = sorted(name for folder in self._folders for name in os.listdir(folder))  # noqa: PTH208
        return [self._tasks[name] for name in names if name in self._tasks]

    def _resolve(self, task: PartTask, number: int, seconds: float | None) -> None:
        """Record the result; `seconds` is the time after which the process died, None if not."""
        reason = None
        if seconds is not None:
            slow = seconds >= task.photo_seconds
            reason = Reason.TIMED_OUT if slow else Reason.CRASHED
            self._crashed += 1
        log = InFlightLog(task.files.log)
        log.resolve(number, reason)
        log.close()
        if self._crashed > max(_TOLERATED, self._finished / 2):
            raise FertoolsError(
                f"{self._crashed} photos have crashed their process, about one in every part: "
                "the photos are not the cause; check the machine's memory, or try another --runtime"
            )

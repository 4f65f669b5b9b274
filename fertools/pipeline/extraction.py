"""Extract the faces of the photos to process, part by part, on this machine or a cluster.

    members to process ──plan──▶ parts ──those that are not done──▶ processed in workers

A photo that cannot be read costs itself only. So many of them that the disk must be the cause stop
the build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from fertools.archive.identity import file_signatures, first_mismatch
from fertools.archive.members import Members
from fertools.columns import Ints
from fertools.console import Progress
from fertools.environment import pixel_versions
from fertools.errors import SourceError, printable
from fertools.options import RunOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.crashes import process_parts
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.plan import Boxes, PartsPlan, cut_into_parts, part_fingerprint
from fertools.pipeline.process_part import PartTask
from fertools.pipeline.request import Request
from fertools.workers.dask import on_cluster
from fertools.workers.tasks import cores, end_workers, forget_worker_warnings

#: Photos that may be unreadable, and be most of a run's, before it is stopped half-way.
_MOST_UNREAD: Final = 256


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
    forget_worker_warnings()
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

"""Process a build's parts in workers, and isolate photos that crash, hang or exhaust one.

    a worker dies ─▶ logs that end with a photo in flight ─▶ each such photo again, alone
         ▲                                                     │ survives: fine   dies: a row
         └────────────── remaining parts, in a new pool ◀──────┘

Each is tried twice, because a worker may die of something else: the system had no memory left, or a
user killed it. So a photo is recorded only after it has crashed a process of its own.

A photo that crashes or raises an error costs itself only. So many of them that the detector or the
machine must be the cause stop the build.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from fertools.data import Reason
from fertools.errors import FertoolsError
from fertools.pipeline.process_part import PartResult, PartTask
from fertools.workers.inflight import InFlightLog
from fertools.workers.tasks import run_isolated, run_tasks

#: Photos of one run that may crash before the detector or the machine is suspected.
_TOLERATED: Final = 8

#: Photos that may raise an error, while fewer succeed, before a run is stopped half-way.
_HOPELESS: Final = 64


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

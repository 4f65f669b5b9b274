"""Isolate photos that crash, hang or exhaust a worker, and record them in their part.

    a worker dies ─▶ whose in-flight logs broke off? ─▶ each such photo again, alone ─┬▶ lives: fine
         ▲                                                                            └▶ dies: a row
         └──────────────────── what is left, in a new pool ◀───────────────────────────┘

Twice, because a worker may die of something else: of the system's want of memory, or by hand. So
a photo is recorded only after a death that no other photo was near.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from fertools.data import Reason
from fertools.errors import FertoolsError
from fertools.pipeline.process_part import PartResult, PartTask, make_part
from fertools.workers.inflight import InFlightLog
from fertools.workers.run import run_isolated, run_tasks

#: Photos of one run that may crash before the detector or the machine is suspected instead.
_TOLERATED: Final = 8

#: Photos that may crash, and nothing else come out, before a run is stopped half-way.
_HOPELESS: Final = 64


@dataclass(frozen=True, slots=True)
class SinglePhotoRetry:
    """One photo of a part, processed alone to see whether its process survives."""

    task: PartTask
    number: int

    def __call__(self) -> None:
        """Process it."""
        self.task.try_one(self.number)


class CrashIsolator:
    """Finds, after a worker died, the photo that ended it, by processing the suspects again.

    Calling it returns whether one was found; raises FertoolsError where there are so many
    that something else must be wrong.
    """

    def __init__(self, tasks: Sequence[PartTask]) -> None:
        self._tasks = {task.files.diary.name: task for task in tasks}
        self._folders = {task.files.folder for task in tasks}
        self._finished = 0
        self._culprits = 0

    def __call__(self) -> bool:
        """Process the suspects, and write the result into their in-flight logs."""
        before = self._culprits
        suspects = [(task, task.last_started()) for task in self._open()]
        trials = [SinglePhotoRetry(task, number) for task, number in suspects if number is not None]
        for trial, died in zip(trials, run_isolated(trials), strict=True):
            self._settle(trial, died)
        return self._culprits > before

    def finished(self) -> None:
        """Count a part that was finished."""
        self._finished += 1

    def _open(self) -> list[PartTask]:
        """Return the tasks that have an in-flight log: one look into the folder finds them."""
        names = sorted(name for folder in self._folders for name in os.listdir(folder))  # noqa: PTH208
        return [self._tasks[name] for name in names if name in self._tasks]

    def _settle(self, trial: SinglePhotoRetry, died: float | None) -> None:
        reason = None
        if died is not None:
            slow = died >= trial.task.photo_seconds
            reason = Reason.TIMED_OUT if slow else Reason.CRASHED
            self._culprits += 1
        diary = InFlightLog(trial.task.files.diary)
        diary.resolve(trial.number, reason)
        diary.close()
        if self._culprits > max(_TOLERATED, self._finished / 2):
            raise FertoolsError(
                f"{self._culprits} photos have killed the process that looked at them, about one "
                "in every part: that is not the photos; check the machine's memory, or try "
                "another --runtime"
            )


def process_parts(tasks: Sequence[PartTask], jobs: int, *, before: int = 0) -> Iterator[PartResult]:
    """Make the parts, and yield what became of each.

    before  photos that earlier runs have processed without an error

    A photo that kills, hangs or bloats the process that looks at it gets a row and costs nothing
    else. Parts of which every photo raises an error are put off to the end: a few of them are
    the photos' fault, many the detector's. A detector handed in from Python runs where it was
    made if there is one job.

    Raises FertoolsError where most photos raise an error; nothing of that is kept.
    """
    inquest = CrashIsolator(tasks)
    inquest()  # a build that was ended may have been ended by a photo
    apart = jobs > 1 or all(task.detector is None for task in tasks)
    run = partial(run_tasks, jobs=jobs, isolate=apart, after_death=inquest)
    put_off: list[PartResult] = []
    fine, crashed = before, 0
    for result in run([partial(make_part, task) for task in tasks]):
        inquest.finished()
        if result.crashed:
            put_off.append(result)
            crashed += result.outcomes.total()
            if crashed > max(_HOPELESS, fine):
                raise _not_the_photos(crashed, result)
            continue
        fine += result.outcomes.total() - result.outcomes[Reason.CRASHED]
        yield result
    if put_off and (not fine or crashed > max(_TOLERATED, fine / 2)):
        raise _not_the_photos(crashed, put_off[0])
    numbers = {result.number for result in put_off}
    again = [replace(task, trust_crashes=True) for task in tasks if task.number in numbers]
    yield from run([partial(make_part, task) for task in again])


def _not_the_photos(crashed: int, result: PartResult) -> FertoolsError:
    return FertoolsError(
        f"{crashed} photos, and every one of some parts, raise an error ({result.crashed}): "
        "that is not the photos but what looks at them; the same command goes on"
    )

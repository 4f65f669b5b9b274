"""Photos that kill whoever looks at them: found out, tried alone, given a row.

    a worker dies ─▶ whose diaries broke off? ─▶ each such photo once more, alone ─┬▶ lives: fine
         ▲                                                                         └▶ dies: a row
         └──────────────────── what is left, in a new pool ◀────────────────────────┘

Twice, because a worker may die of something else: of the system's want of memory, or by hand. So
a photo is blamed for a death that nobody else was near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fertools.data import Reason
from fertools.errors import FertoolsError
from fertools.pipeline.diary import Diary
from fertools.pipeline.engine import run_tasks, try_alone
from fertools.pipeline.parts import PartTask

#: Photos of one run that may kill before anybody asks whether it is the photos.
_TOLERATED: Final = 8


@dataclass(frozen=True, slots=True)
class Trial:
    """One photo of a part, looked at for no other reason than to see who outlives it."""

    task: PartTask
    number: int

    def __call__(self) -> None:
        """Look at it."""
        self.task.try_one(self.number)


class Inquest:
    """Asks, after a death, which photos were being looked at, and tries those again.

    Calling it gives whether a culprit was found; raises FertoolsError where there are so many
    that something else must be wrong.
    """

    def __init__(self, tasks: Sequence[PartTask]) -> None:
        self._tasks = tasks
        self._culprits = 0

    def __call__(self) -> bool:
        """Try the suspects, and write into their diaries what came of it."""
        before = self._culprits
        suspects = [(task, task.suspect()) for task in self._tasks if not task.files.done]
        trials = [Trial(task, number) for task, number in suspects if number is not None]
        for trial, died in zip(trials, try_alone(trials), strict=True):
            self._settle(trial, died)
        return self._culprits > before

    def _settle(self, trial: Trial, died: float | None) -> None:
        reason = None
        if died is not None:
            slow = died >= trial.task.photo_seconds
            reason = Reason.TIMED_OUT if slow else Reason.CRASHED
            self._culprits += 1
        diary = Diary(trial.task.files.diary)
        diary.settle(trial.number, reason)
        diary.close()
        finished = sum(task.files.done for task in self._tasks)
        if self._culprits > max(_TOLERATED, finished / 2):
            raise FertoolsError(
                f"{self._culprits} photos have killed the process that looked at them, about one "
                "in every part: that is not the photos; check the machine's memory, or try "
                "another --runtime"
            )


def look_at(tasks: Sequence[PartTask], jobs: int) -> Iterator[Counter[str]]:
    """Make the parts, and yield how many members of each met which outcome.

    A photo that kills, hangs or bloats the process that looks at it gets a row and costs nobody
    else anything. A detector handed in from Python runs where it was made if there is one job.
    """
    inquest = Inquest(tasks)
    inquest()  # a build that was ended may have been ended by a photo
    apart = jobs > 1 or all(task.detector is None for task in tasks)
    yield from run_tasks(tasks, jobs, apart=apart, after_death=inquest)

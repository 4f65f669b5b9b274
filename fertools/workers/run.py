"""Run tasks in worker processes or on a dask cluster, and replace workers that die.

A task is a small picklable callable without arguments. Results come in any order: no task depends
on another and no byte depends on the order.

    run_tasks ──▶ pool of workers ──▶ results
        ▲               │ a worker dies (killed, crashed, out of memory): the pool is broken
        └── what is left, in a new pool, after `after_death` has looked for the cause

A dead worker costs a new pool and the tasks that were running. Files that are whole or absent make
that safe: a task that was ended in the middle left nothing, and a task that runs twice writes the
same bytes. A dask cluster (see cluster.py) runs a dead worker's task again by itself; only a task
whose workers have died four times in a row is reported here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import Final, TypeVar

from fertools.environment import environment_kept
from fertools.errors import FertoolsError
from fertools.workers import dask as cluster
from fertools.workers.pool import Pool, WorkersUnavailable
from fertools.workers.worker import WorkersDied, run_task

T = TypeVar("T")

#: Pools that may break one after another without a finished task or a cause found.
_FRUITLESS: Final = 5

_NOTHING_DONE: Final = (
    f"worker processes have died {_FRUITLESS} times without getting anything done, perhaps for "
    "want of memory: try fewer of them; the same command goes on"
)

#: The pool between two stages of a build: starting workers again would take a second.
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)

#: Why runs of this process had to do without workers.
_obstacles: Final[set[str]] = set()


def worker_warnings() -> list[str]:
    """Return a line if runs of this process had to do without workers."""
    return [
        f"no worker process can be started ({why}): one process did the work, and a photo that "
        "crashes it ends the build; make /dev/shm writable"
        for why in sorted(_obstacles)
    ]


def cores() -> int:
    """Return how many cores this process may use: affinity and container limits included."""
    with environment_kept():
        import joblib
    return int(joblib.cpu_count())


def run_tasks(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    *,
    isolate: bool = False,
    after_death: Callable[[], bool] | None = None,
) -> Iterator[T]:
    """Yield each task's result as it comes, from `jobs` processes with one thread each.

    One job, or one task, runs in this process, one task after another; with `isolate` in a worker,
    which may die without ending this process. On a cluster its workers are the processes,
    whatever `jobs` is. `after_death` is called when a worker has died, before the remaining tasks
    are run in a new pool; it returns whether it found the cause. When the caller stops early, is
    interrupted, or a task raises, the workers are ended at once; those of a cluster finish the
    task that they are running. Otherwise they stay for the next call, until `end_workers`. Where
    the system has no semaphores for workers (/dev/shm), the tasks run here.

    Raises what a task raises, and FertoolsError when workers die again and again and no task is
    finished.
    """
    left = dict(enumerate(tasks))
    fruitless = 0
    while left:
        before = len(left)
        try:
            for number, result in _run(dict(left), jobs, isolate):
                del left[number]
                yield result
        except WorkersDied as death:
            found = after_death is not None and after_death()
            fruitless = 0 if found or len(left) < before else fruitless + 1
            if fruitless == _FRUITLESS:
                raise FertoolsError(_NOTHING_DONE) from death


def run_isolated(tasks: Iterable[Callable[[], object]]) -> Iterator[float | None]:
    """Run tasks one at a time in a process of their own, and report which of them killed it.

    Yields, for each task, the seconds after which its process was dead, or None if the process
    survived, whatever the task returned or raised. Raises FertoolsError if no process starts.
    """
    try:
        for task in tasks:
            yield _seconds_to_death(task)
    finally:
        end_workers()


def end_workers() -> None:
    """End the worker processes that the last `run_tasks` left, if there are any."""
    pool = _pool.get()
    if pool is not None:
        _pool.set(None)
        pool.end()


def _run(tasks: Mapping[int, Callable[[], T]], jobs: int, isolate: bool) -> Iterator[tuple[int, T]]:
    if (connected := cluster.connected()) is not None:
        yield from connected.run(tasks)
        return
    size = min(jobs, len(tasks))
    try:
        pool = _pool_of(size) if isolate or size > 1 else None
    except WorkersUnavailable as fault:
        _obstacles.add(str(fault.__cause__))
        pool = None
    if pool is None:
        for number, task in tasks.items():
            yield number, run_task(task)
        return
    try:
        yield from pool.run(tasks)
    except BaseException:
        end_workers()
        raise


def _seconds_to_death(task: Callable[[], object]) -> float | None:
    for _ in range(_FRUITLESS):
        try:
            pool = _pool_of(1)
            began = time.monotonic()
            result = pool.submit(task)
        except WorkersDied:  # before the task was there
            end_workers()
            continue
        if not isinstance(result.exception(), BrokenProcessPool):
            return None
        end_workers()
        return time.monotonic() - began
    raise FertoolsError(_NOTHING_DONE)


def _pool_of(size: int) -> Pool:
    """Return the pool of the stage before if it is large enough, or a new one."""
    pool = _pool.get()
    if pool is None or pool.size < size:
        end_workers()
        pool = Pool(size)
        _pool.set(pool)
    return pool

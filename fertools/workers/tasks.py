"""Run tasks in worker processes or on a dask cluster, and replace workers that die.

A task is a small picklable callable without arguments. Results arrive in any order: no task depends
on another, and no byte of the output depends on the order.

    run_tasks ──▶ pool of workers ──▶ results
        ▲               │ a worker dies (killed, crashed, out of memory): the pool is broken
        └── tasks without a result, in a new pool, after `after_death` has looked for the cause

What happens when a worker dies:

1. The whole pool ends. Results that have arrived are kept.
2. `after_death` is called. A build uses it to find the items that were being processed (see
   inflight.py), and runs each alone with `run_isolated` to see whether it kills its process.
3. The tasks without a result run in a new pool. Those that were running start again.
4. After 5 broken pools in a row without a finished task or a cause, FertoolsError is raised.

So a death costs a new pool and the tasks that were running. That is safe because files are whole or
absent: an interrupted task leaves nothing, and a task that runs twice writes the same bytes.

A dask cluster (see dask.py) runs the task of a dead worker again by itself. Steps 2 to 4 follow
only if four workers in a row have died of one task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import Final, TypeVar

from fertools.environment import environment_kept
from fertools.errors import FertoolsError
from fertools.workers import dask
from fertools.workers.pool import Pool, WorkersUnavailable
from fertools.workers.worker import WorkersDied, run_task

T = TypeVar("T")

#: Pools that may break one after another without a finished task or a cause found.
_MAX_FRUITLESS: Final = 5

_NOTHING_DONE: Final = (
    f"worker processes have died {_MAX_FRUITLESS} times without finishing a task, perhaps "
    "because memory ran out: try fewer of them; the same command goes on"
)

#: The pool between two stages of a build: starting workers again would take a second.
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)

#: Reasons for which runs of this process could not start workers.
_unavailable: Final[set[str]] = set()


def run_tasks(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    *,
    isolate: bool = False,
    after_death: Callable[[], bool] | None = None,
) -> Iterator[T]:
    """Yield the results of tasks as they arrive, from `jobs` processes with one thread each.

    jobs         number of workers; on a cluster its workers are used, whatever `jobs` is
    isolate      use a worker also for one job or one task, which otherwise run in this process: a
                 worker may die without ending this process
    after_death  called when a worker has died, before the remaining tasks run in a new pool;
                 returns whether it found the cause

    If the system has no semaphores for workers (/dev/shm), the tasks run in this process.

    If the caller stops early, is interrupted, or a task raises, the workers are ended at once;
    those of a cluster finish their running task. Otherwise they stay for the next call, until
    `end_workers`.

    Raises what a task raises, and FertoolsError when workers die repeatedly and no task is
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
            cause_found = after_death is not None and after_death()
            fruitless = 0 if cause_found or len(left) < before else fruitless + 1
            if fruitless == _MAX_FRUITLESS:
                raise FertoolsError(_NOTHING_DONE) from death


def run_isolated(tasks: Iterable[Callable[[], object]]) -> Iterator[float | None]:
    """Run each task in a worker that runs nothing else, and yield whether it killed the worker.

    Yields, for each task, the seconds after which its worker was dead, or None if the worker
    survived, whatever the task returned or raised. Raises FertoolsError if no worker starts.
    """
    try:
        for task in tasks:
            yield _seconds_to_death(task)
    finally:
        end_workers()


def end_workers() -> None:
    """End the workers that the last `run_tasks` left, if there are any."""
    if (pool := _pool.get()) is not None:
        _pool.set(None)
        pool.end()


def worker_warnings() -> list[str]:
    """Return a line for each reason for which this process could not start workers."""
    return [
        f"no worker process can be started ({why}): one process did the work, and what crashes it "
        "ends the run; make /dev/shm writable"
        for why in sorted(_unavailable)
    ]


def cores() -> int:
    """Return how many cores this process may use, affinity and container limits included."""
    with environment_kept():
        import joblib
    return int(joblib.cpu_count())


def _run(tasks: Mapping[int, Callable[[], T]], jobs: int, isolate: bool) -> Iterator[tuple[int, T]]:
    if (cluster := dask.connected.get()) is not None:
        yield from cluster.run(tasks)
        return
    size = min(jobs, len(tasks))
    try:
        pool = _pool_of(size) if isolate or size > 1 else None
    except WorkersUnavailable as fault:
        _unavailable.add(str(fault.__cause__))
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
    for _ in range(_MAX_FRUITLESS):
        try:
            pool = _pool_of(1)
            began = time.monotonic()
            result = pool.submit(task)
        except WorkersDied:  # before it got the task
            end_workers()
            continue
        if not isinstance(result.exception(), BrokenProcessPool):
            return None
        end_workers()
        return time.monotonic() - began
    raise FertoolsError(_NOTHING_DONE)


def _pool_of(size: int) -> Pool:
    """Return the pool of the last call if it is large enough, else a new one."""
    pool = _pool.get()
    if pool is None or pool.size < size:
        end_workers()
        pool = Pool(size)
        _pool.set(pool)
    return pool

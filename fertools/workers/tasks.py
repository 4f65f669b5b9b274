"""Run tasks in worker processes or on a dask cluster, and replace workers that die.

A task is a small picklable callable without arguments. Results arrive in any order: no task depends
on another, and no byte of the output depends on the order.

    run_tasks ──▶ pool of workers ──▶ results
        ▲               │ a worker dies (killed, crashed, out of memory): the pool is broken
        └── tasks without a result, in a new pool, after `after_death` has looked for the cause

What happens when a worker dies:

1. The whole pool ends. Results that have arrived are kept.
2. `after_death` is called. A build uses it (pipeline/crashes.py) to find the items that were being
   processed (inflight.py). Each runs alone with `run_isolated`, to see whether it kills its
   process.
3. The tasks without a result run in a new pool. Those that were running start again.
4. A pool that finished no task, and whose cause of death was not found, has failed. The fifth
   failed pool in a row raises FertoolsError.

So a death costs a new pool and the tasks that were running. A task may run twice, because files are
whole or absent: an interrupted task leaves no file, and a repeated one writes the same bytes.

A dask cluster (see dask.py) repeats the task of a dead worker without these steps. Steps 2 to 4
follow only if four workers in a row have died while they ran one task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextvars import ContextVar
from typing import Final, TypeVar

from fertools.environment import restore_environment
from fertools.errors import FertoolsError
from fertools.workers import dask
from fertools.workers.pool import Pool, WorkersUnavailable
from fertools.workers.worker import WorkersDied, run_task

T = TypeVar("T")

#: So many failed pools in a row end the run: no task finished, no cause found.
_MAX_FAILED_POOLS: Final = 5

_TOO_MANY_DEATHS: Final = (
    f"worker processes have died {_MAX_FAILED_POOLS} times without finishing a task, perhaps "
    "because memory ran out: try fewer of them; the same command continues"
)

#: The pool, kept between two stages of a build: starting workers again would take a second.
_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)

#: Reasons for which workers could not be started since `forget_worker_warnings`.
_start_errors: Final[set[str]] = set()


def run_tasks(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    *,
    isolate: bool = False,
    after_death: Callable[[], bool] | None = None,
) -> Iterator[T]:
    """Yield the results of tasks as they arrive, from `jobs` processes with one thread each.

    jobs         number of workers; on a cluster its workers are used, whatever `jobs` is
    isolate      with one job or one task, use a worker process too instead of this process, so that
                 a crash does not end this process
    after_death  called when a worker has died, before the remaining tasks run in a new pool;
                 returns whether it found the cause

    If the system has no semaphores for workers (/dev/shm), the tasks run in this process.

    If the caller stops early, is interrupted, or a task raises, the workers are ended at once;
    workers of a cluster finish their running task first. In all other cases the workers stay for
    the next call, until `end_workers`.

    Raises the exception of a task, and FertoolsError at the fifth failed pool in a row (step 4).
    """
    remaining = dict(enumerate(tasks))
    failed_pools = 0
    while remaining:
        previous_count = len(remaining)
        try:
            for number, result in _run_once(dict(remaining), jobs, isolate):
                del remaining[number]
                yield result
        except WorkersDied as death:
            cause_found = after_death is not None and after_death()
            failed_pools = 0 if cause_found or len(remaining) < previous_count else failed_pools + 1
            if failed_pools == _MAX_FAILED_POOLS:
                raise FertoolsError(_TOO_MANY_DEATHS) from death


def run_isolated(tasks: Iterable[Callable[[], object]]) -> Iterator[float | None]:
    """Run each task alone in a worker; yield the seconds until the worker died, or None.

    None: the worker survived; it does not matter what the task returned or raised. Raises
    FertoolsError if no worker starts.
    """
    try:
        for task in tasks:
            yield _seconds_to_death(task)
    finally:
        end_workers()


def end_workers() -> None:
    """End the workers that the last `run_tasks` did not end."""
    if (pool := _pool.get()) is not None:
        _pool.set(None)
        pool.end()


def worker_warnings() -> list[str]:
    """Return a line for each reason for which no worker could be started in this build."""
    return [
        f"no worker process can be started ({why}): all work ran in one process; a crash "
        "ends the run; make /dev/shm writable"
        for why in sorted(_start_errors)
    ]


def forget_worker_warnings() -> None:
    """Begin a build: what kept an earlier one in this process from workers is not its concern."""
    _start_errors.clear()


def cores() -> int:
    """Return how many cores this process may use, affinity and container limits included."""
    with restore_environment():
        import joblib
    return int(joblib.cpu_count())


def _run_once(
    tasks: Mapping[int, Callable[[], T]], jobs: int, isolate: bool
) -> Iterator[tuple[int, T]]:
    if (cluster := dask.connected_cluster.get()) is not None:
        yield from cluster.run(tasks)
        return
    size = min(jobs, len(tasks))
    try:
        pool = _pool_for_size(size) if isolate or size > 1 else None
    except WorkersUnavailable as fault:
        _start_errors.add(str(fault.__cause__))
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
    for _ in range(_MAX_FAILED_POOLS):
        try:
            pool = _pool_for_size(1)
            start = time.monotonic()
            result = pool.submit(task)
        except WorkersDied:  # before the worker got the task
            end_workers()
            continue
        if not isinstance(result.exception(), BrokenProcessPool):
            return None
        end_workers()
        return time.monotonic() - start
    raise FertoolsError(_TOO_MANY_DEATHS)


def _pool_for_size(size: int) -> Pool:
    """Return the pool of the last call if it is large enough, else a new one."""
    pool = _pool.get()
    if pool is None or pool.size < size:
        end_workers()
        pool = Pool(size)
        _pool.set(pool)
    return pool

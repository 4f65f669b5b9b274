"""Runs tasks on joblib, whatever engine joblib was told to use, and outlives its workers.

A task is a small picklable callable without arguments; results come as they are finished, in any
order, because no task depends on another and no byte depends on the order.

    run_tasks ──▶ pool of workers ──▶ results
        ▲               │ one dies (killed, crashed, out of memory): the pool is broken
        └── what is left, in a new pool, after asking `after_death` who may have done it

Dead workers cost a new pool and the tasks that were running, no more. Whole files make that safe:
a task that was ended half-way left nothing, and one that is run twice writes the same bytes.
On a dask cluster (see cluster.py) dask itself runs a dead worker's task again; only a task whose
workers have died four times in a row counts as a broken pool.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, TypeVar

import joblib

from fertools.errors import FertoolsError
from fertools.pipeline import cluster
from fertools.pipeline.watchdog import attended

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

#: Pools that may break one after another without a task finished or a culprit found.
_FRUITLESS: Final = 5

#: Ctrl-C and an ended session reach the whole process group: only the parent answers them.
_FOR_THE_PARENT = ("SIGINT", "SIGTERM", "SIGHUP")

_apart = False


def cores() -> int:
    """Count the cores that this process may use: affinity and container limits included."""
    return int(joblib.cpu_count())


def run_tasks(
    tasks: Sequence[Callable[[], T]],
    jobs: int,
    *,
    apart: bool = False,
    after_death: Callable[[], bool] | None = None,
) -> Iterator[T]:
    """Yield each task's result as it comes, from `jobs` processes with one thread each.

    With one job the tasks run here, one after another, or with `apart` in one process of their
    own, which may die without taking this one along. On a cluster its workers are the processes,
    whatever `jobs` says. `after_death` is called when a pool has broken, before what is left is
    run in a new one; it says whether it found a culprit. When the caller stops early or is
    interrupted, the workers are ended at once; those of a cluster finish the task they are at.

    Raises FertoolsError where pools break again and again and nothing gets done.
    """
    left = dict(enumerate(tasks))
    fruitless = 0
    while left:
        before = len(left)
        try:
            with attended():
                for number, result in _run(dict(left), jobs, apart):
                    del left[number]
                    yield result
        except _deaths() as death:
            found = after_death is not None and after_death()
            fruitless = 0 if found or len(left) < before else fruitless + 1
            if fruitless == _FRUITLESS:
                raise FertoolsError(
                    f"worker processes have died {_FRUITLESS} times without getting anything "
                    "done, perhaps for want of memory: try fewer of them; the same command goes on"
                ) from death


def try_alone(tasks: Iterable[Callable[[], object]]) -> Iterator[float | None]:
    """Run tasks one at a time in a process of their own, and say which of them killed it.

    Yields, for each task, the seconds after which its process was dead, or None for one that
    outlived it, whatever it returned or raised.
    """
    pool = None
    try:
        for task in tasks:
            pool = pool or _pool_of_one()
            began = time.monotonic()
            if isinstance(pool.submit(task).exception(), BrokenProcessPool):
                pool = None
            yield time.monotonic() - began if pool is None else None
    finally:
        if pool is not None:
            pool.shutdown(wait=False, kill_workers=True)


def is_apart() -> bool:
    """Say whether this process is a worker that may die without harm to the build."""
    return _apart


def prepare(parent: int) -> None:
    """Make this process a worker: deaf to Ctrl-C, quiet in death, and gone when its parent is.

    A worker whose parent was killed would otherwise live on for 45 s and race with the next run.
    """
    import faulthandler

    global _apart  # noqa: PLW0603  # it is the process that is a worker, not an object in it
    _apart = True
    for name in _FOR_THE_PARENT:
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # A crash becomes a ledger row: neither a traceback on the terminal nor a core file.
    faulthandler.enable(os.open(os.devnull, os.O_WRONLY))
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        _die_with(parent)


def _run(tasks: Mapping[int, Callable[[], T]], jobs: int, apart: bool) -> Iterator[tuple[int, T]]:
    terms = cluster.terms()
    if jobs == 1 and apart and not terms:
        yield from _run_beside(tasks)
        return
    # No backend is named: who calls us inside joblib.parallel_config chooses the engine.
    parallel = joblib.Parallel(
        n_jobs=min(jobs, max(1, len(tasks))), return_as="generator_unordered", **_as_workers()
    )
    try:
        with _undisturbed():
            results = parallel(
                joblib.delayed(_work)(number, task, terms) for number, task in tasks.items()
            )
        yield from results
    except BaseException:
        end_workers()
        raise


def _run_beside(tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
    pool = _pool_of_one()
    try:
        for number, task in tasks.items():
            yield pool.submit(_work, number, task).result()
    finally:
        pool.shutdown(wait=False, kill_workers=True)


def _work(number: int, task: Callable[[], T], terms: cluster.Terms | None = None) -> tuple[int, T]:
    import cv2

    if terms:
        _join(terms)
    cv2.setNumThreads(1)
    # What it would say of damaged photos stands in the ledger.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return number, task()


def _join(terms: cluster.Terms) -> None:
    """Make this process, which is dask's, a worker; raise FertoolsError if it must not be one."""
    global _apart  # noqa: PLW0603  # as above
    if why := cluster.objection(terms):
        raise FertoolsError(f"a worker on {platform.node()} {why}; the same command goes on")
    _apart = True


def _deaths() -> tuple[type[Exception], ...]:
    """Give what says that workers have died; of dask only where somebody has loaded it."""
    dask = sys.modules.get("distributed")
    return (BrokenProcessPool, dask.KilledWorker) if dask else (BrokenProcessPool,)


def _nothing() -> None:
    """Be the first task of a process, so that it has started."""


def _as_workers() -> dict[str, Any]:
    """Give what makes joblib's own processes workers; another engine's are not ours to change."""
    from joblib.parallel import get_active_backend

    if cluster.terms():
        # All at once: joblib would else count workers now, and those who come later would idle.
        return {"pre_dispatch": "all", "batch_size": 1}
    engine = type(get_active_backend()[0]).__name__
    return {"initializer": prepare, "initargs": (os.getpid(),)} if engine == "LokyBackend" else {}


def _pool_of_one() -> Any:
    """Start a process that takes tasks one at a time, and wait until it does."""
    # loky's, as joblib's own: it sends detectors that were defined in a script, too.
    from joblib.externals import loky

    pool = None
    try:
        with _undisturbed():
            pool = loky.ProcessPoolExecutor(1, initializer=prepare, initargs=(os.getpid(),))
            started = pool.submit(_nothing)
        started.result()
    except BaseException:
        # A pool that nobody ends keeps this process from ending: Python waits for its threads.
        if pool is not None:
            pool.shutdown(wait=False, kill_workers=True)
        raise
    return pool


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put off Ctrl-C and its like until the pool is made; its processes never hear of them.

    A process inherits which signals are blocked. Without this a worker that is just importing
    answers Ctrl-C with a traceback, and so does what loky leaves half-made here.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    numbers = {getattr(signal, name) for name in _FOR_THE_PARENT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    # First the trackers, which must outlive a SIGHUP, too; once started they have unblocked
    # SIGINT and SIGTERM, whatever was before: so block again.
    resource_tracker.ensure_running()
    loky_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _die_with(parent: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone before the call: then nobody would send the signal.
    if os.getppid() != parent:
        os._exit(1)


def end_workers() -> None:
    """End joblib's processes, if there are any.

    They are not left to the interpreter's end, which waits for them: a worker that is killed
    while it waits for a task takes the queue's lock along, and another then waits for ever.
    """
    from joblib.externals.loky import reusable_executor

    executor = reusable_executor._executor
    if executor is not None:
        with contextlib.suppress(Exception):
            executor.shutdown(wait=False, kill_workers=True)

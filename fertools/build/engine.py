"""Runs tasks on joblib, whatever engine joblib was told to use, and ends when told to.

A task is a small picklable callable without arguments; results come as they are finished, in any
order, because no task depends on another and no byte depends on the order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import joblib

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def cores() -> int:
    """Count the cores that this process may use: affinity and container limits included."""
    return int(joblib.cpu_count())


def run_tasks(tasks: Sequence[Callable[[], T]], jobs: int) -> Iterator[T]:
    """Yield each task's result as it comes, from `jobs` processes with one thread each.

    With one job the tasks run here, one after another. When the caller stops early or is
    interrupted, the workers are ended at once; whole files stay, and half ones never existed.
    """
    # No backend is named: who calls us inside joblib.parallel_config chooses the engine.
    parallel = joblib.Parallel(
        n_jobs=min(jobs, max(1, len(tasks))), return_as="generator_unordered"
    )
    results = parallel(joblib.delayed(_work)(task, os.getpid()) for task in tasks)
    try:
        yield from results
    except BaseException:
        _end_workers()
        raise


def _work(task: Callable[[], T], parent: int) -> T:
    prepare(parent)
    return task()


def prepare(parent: int) -> None:
    """Make this process a worker: one thread, deaf to Ctrl-C, gone when its parent is.

    Ctrl-C reaches the whole process group; only the parent answers it. A worker whose parent was
    killed would otherwise live on for 45 s and race with the next run.
    """
    import cv2

    cv2.setNumThreads(1)
    if os.getpid() == parent:
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _die_with_parent()


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have gone between the fork and the call: then nobody would send the signal.
    if os.getppid() == 1:
        os._exit(1)


def _end_workers() -> None:
    from joblib.externals.loky import reusable_executor

    executor = reusable_executor._executor
    if executor is not None:
        with contextlib.suppress(Exception):
            executor.shutdown(wait=False, kill_workers=True)

"""What a process does to be a worker, and how it runs a task.

It lies outside `pipeline` because a process that starts imports this module first: bound to its
parent before it imports anything heavy, it cannot outlive a parent that is killed meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

#: Ctrl-C and the end of a session reach the whole process group; only the main process acts.
MAIN_PROCESS_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

_apart = False


class WorkersDied(Exception):
    """Worker processes have died; the tasks without a result can be run again."""


def in_worker() -> bool:
    """Return whether this process is a worker, which may die without ending the build."""
    return _apart


def mark_as_worker() -> None:
    """Mark this process as a worker."""
    global _apart  # noqa: PLW0603  # the process is the worker, not an object in it
    _apart = True


def init_worker(parent: int) -> None:
    """Initialise a worker: ignore SIGINT, SIGTERM and SIGHUP, no core dumps, exit with the parent.

    Without the last, a worker whose parent was killed goes on for 45 s beside the next run.
    """
    import faulthandler

    mark_as_worker()
    if threading.current_thread() is threading.main_thread():
        for number in MAIN_PROCESS_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    # A crash becomes a ledger row: neither a traceback on the terminal nor a core file.
    faulthandler.enable(os.open(os.devnull, os.O_WRONLY))
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        _exit_with(parent)


def run_task(task: Callable[[], T]) -> T:
    """Return the result of a task, run with one OpenCV thread and without OpenCV's log.

    Both settings belong to the process, which may be the caller's or dask's: they are restored.
    """
    with _opencv_settings():
        return task()


@contextmanager
def _opencv_settings() -> Iterator[None]:
    import cv2

    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    cv2.setNumThreads(1)
    # What OpenCV would print about damaged photos is in the ledger.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)


def _exit_with(parent: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # If the parent ended before that call, no signal will come.
    if os.getppid() != parent:
        os._exit(1)


#: Bytes that one worker may allocate while it looks at a photo: 200 megapixels, turned and cut
#: in 3 bytes a pixel, take a quarter of it.
_MEMORY: Final = 8 << 30


@contextmanager
def resource_limits(seconds: float) -> Iterator[None]:
    """Let a photo take so many seconds, and memory with measure, if this process is a worker.

    When the time is over the kernel ends the process (SIGALRM, left at its default): that works
    on a decoder which hangs in C and never gives Python a turn, and costs 12 µs a photo, where
    faulthandler's watchdog, a thread each time, costs 130.
    """
    if not (in_worker() and sys.platform == "linux"):
        yield
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, before)

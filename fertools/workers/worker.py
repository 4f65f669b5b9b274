"""Initialise a worker process, run one task in it, and limit the resources of an item.

A worker that starts imports this module first. So this module imports nothing heavy: the worker is
bound to its parent before its long imports, and cannot outlive a parent that is killed meanwhile.
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

#: Signals of Ctrl-C and of the end of a session reach the whole process group; workers ignore them.
MAIN_PROCESS_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Bytes that a worker may allocate for one item: a photo of 200 megapixels, turned and cropped in 3
#: bytes a pixel, takes a quarter of it.
_MEMORY: Final = 8 << 30

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

_is_worker = False


class WorkersDied(Exception):
    """Worker processes have died; the tasks without a result can be run again."""


def in_worker() -> bool:
    """Return whether this process is a worker, which may die without ending the run."""
    return _is_worker


def mark_as_worker() -> None:
    """Mark this process as a worker."""
    global _is_worker  # noqa: PLW0603  # it is a property of the process
    _is_worker = True


def init_worker(parent: int) -> None:
    """Initialise a worker: ignore SIGINT, SIGTERM and SIGHUP, no core dumps, exit with the parent.

    `parent` is a process id. Otherwise a worker whose parent is killed would go on for 45 s beside
    the next run.
    """
    import faulthandler

    mark_as_worker()
    if threading.current_thread() is threading.main_thread():
        for number in MAIN_PROCESS_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    # The main process reports a crash: no traceback on the terminal and no core file.
    faulthandler.enable(os.open(os.devnull, os.O_WRONLY))
    if sys.platform == "linux":
        import ctypes
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # If the parent ended before that call, no signal will come.
        if os.getppid() != parent:
            os._exit(1)


def run_task(task: Callable[[], T]) -> T:
    """Return the result of a task, run with one OpenCV thread and without OpenCV's log.

    Both settings are global to the process, which may be the caller's or dask's, so they are
    restored.
    """
    import cv2

    threads, level = cv2.getNumThreads(), cv2.utils.logging.getLogLevel()
    cv2.setNumThreads(1)
    # Tasks report damaged items themselves.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return task()
    finally:
        cv2.setNumThreads(threads)
        cv2.utils.logging.setLogLevel(level)


@contextmanager
def resource_limits(seconds: float) -> Iterator[None]:
    """Limit the time and the memory that the block may use, if this process is a worker.

    After `seconds` the kernel ends the process (SIGALRM with its default action). This also ends
    C code that hangs and never returns to Python. It costs 12 µs an item; faulthandler's watchdog,
    which starts a thread each time, costs 130. Allocations beyond 8 GiB fail.
    """
    if not (in_worker() and sys.platform == "linux"):
        yield
        return
    import resource

    before = _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, before)

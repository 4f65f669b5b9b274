"""Initialise a worker process, run one task in it, and limit the resources of an item.

A worker imports this module first, so this module imports nothing heavy. `init_worker` then binds
the worker to its parent before the long imports: a worker does not outlive a parent that is killed
during these imports.
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

#: Ctrl-C and the end of a session send these to the whole process group; workers ignore them.
MAIN_PROCESS_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Bytes that a worker may allocate for one item. A photo of 200 megapixels, turned and cropped in 3
#: bytes a pixel, takes a quarter of this limit.
_MEMORY_LIMIT: Final = 8 << 30

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h

_is_worker = False


class WorkersDied(Exception):
    """Raised when workers have died; the tasks without a result can be run again."""


def in_worker() -> bool:
    """Return whether this process is a worker, which may die without ending the run."""
    return _is_worker


def mark_as_worker() -> None:
    """Mark this process as a worker."""
    global _is_worker  # noqa: PLW0603  # the mark belongs to the process
    _is_worker = True


def init_worker(parent: int) -> None:
    """Make a worker ignore SIGINT, SIGTERM and SIGHUP, write no core file, and end with its parent.

    It does not load pandas by itself either (see `spare_pandas`).

    `parent` is the parent's process id. Without this, a worker whose parent is killed runs for up
    to 45 s more, beside the next run.
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
        # If the parent ended before that call, the kernel sends no signal.
        if os.getppid() != parent:
            os._exit(1)
    from fertools.environment import spare_pandas

    spare_pandas()


def run_task(task: Callable[[], T]) -> T:
    """Run a task with one OpenCV thread and without OpenCV's log, and return its result.

    Both settings apply to the whole process, which may belong to the caller or to dask, so they are
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

    After `seconds` the kernel ends the process (SIGALRM with its default action), even if C code
    hangs and never returns to Python. Allocations beyond 8 GiB fail. The timer costs 12 µs an item;
    faulthandler's watchdog, which starts a thread each time, costs 130 µs.
    """
    if not (in_worker() and sys.platform == "linux"):
        yield
        return
    import resource

    previous_limits = _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = _MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(_MEMORY_LIMIT, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, previous_limits)

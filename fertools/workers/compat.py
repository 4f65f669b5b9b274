"""Everything here relies on details that loky and multiprocessing do not document.

A test in tests/workers/test_compat.py covers each, so that a new version which changes one fails
there and not in a build.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Collection
from multiprocessing import resource_tracker
from typing import Any

from loky.backend import resource_tracker as loky_resource_tracker

#: The thread that feeds a pool's queue: multiprocessing's name for it, which loky keeps.
_FEEDER = "QueueFeederThread"


def start_resource_trackers() -> None:
    """Start the two processes that every loky pool needs, if they are not running.

    They remove named semaphores after a crash and run until this process ends: neither package
    has a public way to stop them, and other code in this process may be using them.
    """
    resource_tracker.ensure_running()
    loky_resource_tracker.ensure_running()


class RecordingContext:
    """A multiprocessing context for a loky pool that records which processes it starts.

    loky documents that its pool takes a context, but not which of a context's methods it calls.
    """

    def __init__(self) -> None:
        self._context: Any = multiprocessing.get_context("loky")
        self._processes: list[Any] = []

    def Process(self, *args: Any, **options: Any) -> Any:  # noqa: N802  # a context's own name
        """Return a process of the pool, not started yet."""
        process = self._context.Process(*args, **options)
        self._processes.append(process)
        return process

    def pids(self) -> list[int]:
        """Return the process ids of all workers that were started, also of dead ones."""
        return [process.pid for process in self._processes if process.pid is not None]

    def forget(self) -> None:
        """Release the processes, and with them their semaphores."""
        self._processes.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def join_feeders(before: Collection[threading.Thread], seconds: float = 5) -> None:
    """Wait for the queue threads that were not among the threads `before` a pool was made.

    Such a thread is a daemon and may hold the last reference to the queue's semaphores. If the
    interpreter ends while the thread is removing them, the resource tracker reports "leaked
    semlock objects": about once in a hundred builds on a busy machine.
    """
    for thread in threading.enumerate():
        if thread.name == _FEEDER and thread not in before:
            thread.join(seconds)

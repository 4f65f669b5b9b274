"""Wrap the details of loky and multiprocessing that are used but not documented.

tests/workers/test_compat.py has a test for each detail, so that a new version of a package that
changes a detail fails in a test, not in a build.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Collection
from multiprocessing import resource_tracker
from typing import Any

from loky.backend import resource_tracker as loky_resource_tracker

#: The name of the thread that feeds the queue of a pool, in multiprocessing and in loky.
_FEEDER_THREAD = "QueueFeederThread"


def start_resource_trackers() -> None:
    """Start the two processes that every loky pool needs, if they are not running.

    The trackers remove named semaphores after a crash. They run until this process ends: neither
    package has a public function to stop them, and other code in this process may use them.
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

    def Process(self, *args: Any, **options: Any) -> Any:  # noqa: N802  # the method name of a context
        process = self._context.Process(*args, **options)
        self._processes.append(process)
        return process

    def pids(self) -> list[int]:
        """Return the process ids of all workers that were started, including dead workers."""
        return [process.pid for process in self._processes if process.pid is not None]

    def release_processes(self) -> None:
        """Drop the references to the processes, which frees their semaphores."""
        self._processes.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def join_feeder_threads(older: Collection[threading.Thread], seconds: float = 5) -> None:
    """Wait up to `seconds` for each feeder thread that is not in `older`.

    `older` are the threads that ran before the pool was made. A feeder thread is a daemon and may
    hold the last reference to the queue's semaphores. If the interpreter ends while the thread is
    removing them, the resource tracker reports "leaked semlock objects": about once in a hundred
    builds on a busy machine.
    """
    for thread in threading.enumerate():
        if thread.name == _FEEDER_THREAD and thread not in older:
            thread.join(seconds)

"""A pool of worker processes for one run, and a watchdog that kills stopped workers.

The pool is loky's, because loky also sends objects that were defined in a script or a notebook,
such as detectors. Other pools in this process, such as joblib's, are neither used nor ended.

The watchdog kills workers that a signal has stopped (SIGSTOP). A stopped process is not dead: no
event reports it, its timers expire only when it continues, and the run would wait for it forever.
When it is killed, its task is run again, as after any death. The watchdog counts checks, not
seconds: Ctrl-Z stops the whole process group, including this process, and the time until `fg` must
not count.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import loky

from fertools.errors import FertoolsError
from fertools.workers.compat import RecordingContext, join_feeder_threads, start_resource_trackers
from fertools.workers.worker import MAIN_PROCESS_SIGNALS, WorkersDied, init_worker, run_task

T = TypeVar("T")


#: Seconds between two checks of the watchdog.
_INTERVAL: Final = 5.0

#: Checks in a row that must find a worker stopped before it is killed.
_MAX_STOPPED_CHECKS: Final = 6


class WorkersUnavailable(FertoolsError):
    """Raised when this system cannot run worker processes."""


class Pool:
    """Worker processes, started by the constructor; `end` must be called in every case.

    Raises WorkersDied if a worker dies before its first task, WorkersUnavailable if the system has
    no semaphores for workers.

    Without `end`, the interpreter may wait for the workers forever when it exits: a worker that is
    killed while it waits for a task keeps the lock of the queue, and the other workers wait for
    that lock.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._older_threads = set(threading.enumerate())
        self._context = RecordingContext()
        self._exit_stack = ExitStack()
        self._executor: Any = None
        try:
            with _signals_blocked():
                self._executor = _start_executor(size, self._context)
                started = self._executor.submit(_ping)
            self._exit_stack.enter_context(watchdog(self._context.pids))
            started.result()
        except BrokenProcessPool as death:
            self.end()
            raise WorkersDied from death
        except BaseException:
            self.end()
            raise

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Start a task and return its future, which raises BrokenProcessPool if a worker dies.

        Raises WorkersDied if a worker has already died.
        """
        try:
            result: Future[T] = self._executor.submit(run_task, task)
        except BrokenProcessPool as death:
            raise WorkersDied from death
        return result

    def run(self, tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Yield the number and the result of each task as it finishes. Raises WorkersDied."""
        waiting = iter(tasks.items())
        running: dict[Future[T], int] = {}
        try:
            while True:
                for number, task in islice(waiting, 2 * self.size - len(running)):
                    running[self.submit(task)] = number
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                # Futures with a result first: a failed future raises and ends the loop.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield running.pop(future), future.result()
        except BrokenProcessPool as death:
            raise WorkersDied from death

    def end(self) -> None:
        """Kill the workers and wait until they have ended."""
        self._exit_stack.close()
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None
        self._context.release_processes()
        join_feeder_threads(self._older_threads)


def _start_executor(size: int, context: RecordingContext) -> Any:
    try:
        return loky.ProcessPoolExecutor(
            size, context=context, initializer=init_worker, initargs=(os.getpid(),)
        )
    except (OSError, NotImplementedError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else fault
        raise WorkersUnavailable(
            f"no worker process can be started ({why}): make /dev/shm writable; "
            "the same command goes on"
        ) from fault


def _ping() -> None:
    """Do nothing. The result of this first task of a pool shows that a worker runs."""


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP in this thread, and in processes started in the block.

    Processes inherit the set of blocked signals. Without the block, Ctrl-C would make a worker that
    is still importing print a traceback, and would interrupt this process with a pool half made.
    """
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
    try:
        # The trackers must survive a SIGHUP too. Starting one unblocks SIGINT and SIGTERM.
        start_resource_trackers()
        signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


@contextmanager
def watchdog(get_pids: Callable[[], Iterable[int]], pause: float = _INTERVAL) -> Iterator[None]:
    """Check for stopped workers every `pause` seconds during the block, and kill them.

    `get_pids` returns the process ids of the workers: other children of this process, such as those
    of a notebook, must not be killed.
    """
    if sys.platform != "linux":
        yield
        return
    end_event = threading.Event()
    thread = threading.Thread(
        target=_kill_stopped, args=(end_event, get_pids, pause), name="watchdog", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        end_event.set()
        thread.join()


def _kill_stopped(
    end_event: threading.Event, get_pids: Callable[[], Iterable[int]], pause: float
) -> None:
    # A signal that the main thread has blocked must not be delivered to this thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    stopped: dict[int, int] = {}  # process id: checks in a row that found it stopped
    while not end_event.wait(pause):
        stopped = {pid: stopped.get(pid, 0) + 1 for pid in get_pids() if _is_stopped(pid)}
        for pid, checks in stopped.items():
            if checks >= _MAX_STOPPED_CHECKS:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped this child process (proc(5), state T)."""
    with suppress(OSError, ValueError):
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        # With another parent, it is another process that got the id of a dead worker.
        return state == "T" and int(parent) == os.getpid()
    return False

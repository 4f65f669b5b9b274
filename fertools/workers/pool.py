"""A pool of worker processes for one run, and a watchdog that kills stopped workers.

The pool is loky's, because loky also sends objects that were defined in a script or a notebook,
such as detectors. Other pools in this process, such as joblib's, are neither used nor ended.

The watchdog kills workers that a signal has stopped (SIGSTOP). A stopped process is not dead: no
event reports it, its timers expire only when it continues, and the run would wait for it forever.
When it is killed, its task is run again, as after any death. The watchdog counts checks, not
seconds: Ctrl-Z stops the whole process group, this process included, and the time until `fg` must
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
from fertools.workers.compat import RecordingContext, join_feeders, start_resource_trackers
from fertools.workers.worker import MAIN_PROCESS_SIGNALS, WorkersDied, init_worker, run_task

T = TypeVar("T")


#: Seconds between two checks of the watchdog.
_PAUSE: Final = 5.0

#: Checks in a row that must find a worker stopped before it is killed.
_CHECKS: Final = 6


class WorkersUnavailable(FertoolsError):
    """This system cannot run worker processes."""


class Pool:
    """Worker processes, started by the constructor; `end` must be called in every case.

    Raises WorkersDied if a worker dies before its first task, WorkersUnavailable if the system has
    no semaphores for workers.

    Workers that are not ended may keep the interpreter, which waits for them, from ending: a worker
    that is killed while it waits for a task keeps the lock of the queue, and the others wait for
    it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads = set(threading.enumerate())
        self._context = RecordingContext()
        self._open = ExitStack()
        self._executor: Any = None
        try:
            with _signals_blocked():
                self._executor = _executor(size, self._context)
                started = self._executor.submit(_ping)
            self._open.enter_context(watchdog(self._context.pids))
            started.result()
        except BrokenProcessPool as death:
            self.end()
            raise WorkersDied from death
        except BaseException:
            self.end()
            raise

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Start a task; if a worker dies, the future raises BrokenProcessPool.

        Raises WorkersDied if a worker has died before.
        """
        try:
            result: Future[T] = self._executor.submit(run_task, task)
        except BrokenProcessPool as death:
            raise WorkersDied from death
        return result

    def run(self, tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Yield the number and the result of each task as it is finished; raises WorkersDied."""
        waiting = iter(tasks.items())
        running: dict[Future[T], int] = {}
        try:
            while True:
                for number, task in islice(waiting, 2 * self.size - len(running)):
                    running[self.submit(task)] = number
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                # Results first: they must not be lost when a worker dies.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield running.pop(future), future.result()
        except BrokenProcessPool as death:
            raise WorkersDied from death

    def end(self) -> None:
        """Kill the workers and wait until they have ended."""
        self._open.close()
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None
        self._context.forget()
        join_feeders(self._threads)


def _executor(size: int, context: RecordingContext) -> Any:
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
    """Do nothing: the first task of a pool, whose result shows that a worker runs."""


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP in this thread, and in processes started in the block.

    Processes inherit the set of blocked signals. Without this, Ctrl-C would make a worker that is
    still importing print a traceback, and an exception in this process would leave half a pool.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
    try:
        # The trackers must survive a SIGHUP too. Starting one unblocks SIGINT and SIGTERM.
        start_resource_trackers()
        signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def watchdog(workers: Callable[[], Iterable[int]], pause: float = _PAUSE) -> Iterator[None]:
    """Check for stopped workers every `pause` seconds during the block, and kill them.

    `workers` returns the process ids of the workers: other children of this process, such as those
    of a notebook, must not be killed.
    """
    if sys.platform != "linux":
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(
        target=_kill_stopped, args=(ended, workers, pause), name="watchdog", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _kill_stopped(
    ended: threading.Event, workers: Callable[[], Iterable[int]], pause: float
) -> None:
    # A signal that the main thread has blocked must not be delivered to this thread.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    stopped: dict[int, int] = {}
    while not ended.wait(pause):
        stopped = {pid: stopped.get(pid, 0) + 1 for pid in workers() if _is_stopped(pid)}
        for pid, checks in stopped.items():
            if checks >= _CHECKS:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped this child process (proc(5), state T)."""
    with suppress(OSError, ValueError):
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        # A process with another parent has the reused process id of a dead worker.
        return state == "T" and int(parent) == os.getpid()
    return False

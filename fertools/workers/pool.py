"""A pool of worker processes that belongs to this build alone.

loky's, because it also sends detectors that were defined in a script or a notebook. Other pools
in this process, such as joblib's, are neither used nor ended.
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


class WorkersUnavailable(FertoolsError):
    """This system cannot run worker processes."""


class Pool:
    """Worker processes, started at once; `end` must be called, whatever happens.

    Raises WorkersDied if one of them dies before its first task, NoWorkers where the system has
    no semaphores for them.

    Left to the end of the interpreter, which waits for them, they may never end: a worker that
    is killed while it waits for a task takes the queue's lock with it, and the others wait for it.
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
                started = self._executor.submit(_started)
            self._open.enter_context(watchdog(self._context.pids))
            started.result()
        except BrokenProcessPool as death:
            self.end()
            raise WorkersDied from death
        except BaseException:
            self.end()
            raise

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Run a task; if a worker dies, its result raises BrokenProcessPool.

        Raises WorkersDied if one has died before.
        """
        try:
            result: Future[T] = self._executor.submit(run_task, task)
        except BrokenProcessPool as death:
            raise WorkersDied from death
        return result

    def run(self, tasks: Mapping[int, Callable[[], T]]) -> Iterator[tuple[int, T]]:
        """Yield each task's number and result as it comes; raises WorkersDied."""
        waiting = iter(tasks.items())
        running: dict[Future[T], int] = {}
        try:
            while True:
                for number, task in islice(waiting, 2 * self.size - len(running)):
                    running[self.submit(task)] = number
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                # When a worker dies, results that have come are not to be lost.
                for future in sorted(done, key=lambda future: future.exception() is not None):
                    yield running.pop(future), future.result()
        except BrokenProcessPool as death:
            raise WorkersDied from death

    def end(self) -> None:
        """End the processes at once and wait until they are gone."""
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


def _started() -> None:
    """Do nothing; the first task of a pool."""


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP in this thread, and in what starts inside the block.

    Processes inherit which signals are blocked. Otherwise a worker that is still importing would
    answer Ctrl-C with a traceback, and an exception here would leave a pool half made.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
    try:
        # They must outlive a SIGHUP as well. Starting one unblocks SIGINT and SIGTERM.
        start_resource_trackers()
        signal.pthread_sigmask(signal.SIG_BLOCK, MAIN_PROCESS_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


#: Seconds between two looks.
_PAUSE: Final = 5.0

#: So many looks in a row must find a worker stopped.
_LOOKS: Final = 6


@contextmanager
def watchdog(workers: Callable[[], Iterable[int]], pause: float = _PAUSE) -> Iterator[None]:
    """Kill each worker that is found stopped again and again while the block lasts.

    `workers` returns the process ids to look at: other children of this process are not ours.
    """
    if sys.platform != "linux":
        yield
        return
    over = threading.Event()
    guard = threading.Thread(
        target=_attend, args=(over, workers, pause), name="watchdog", daemon=True
    )
    guard.start()
    try:
        yield
    finally:
        over.set()
        guard.join()


def _attend(over: threading.Event, workers: Callable[[], Iterable[int]], pause: float) -> None:
    # A signal that the main thread has blocked must not arrive through this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    looks: dict[int, int] = {}
    while not over.wait(pause):
        looks = {pid: looks.get(pid, 0) + 1 for pid in workers() if _is_stopped(pid)}
        for pid in looks:
            if looks[pid] >= _LOOKS:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped this child (proc(5), state T)."""
    with suppress(OSError, ValueError):
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        # A process of another parent has got the number of a worker that is dead.
        return state == "T" and int(parent) == os.getpid()
    return False

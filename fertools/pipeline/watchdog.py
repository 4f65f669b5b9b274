"""Kills worker processes that a signal has stopped (SIGSTOP).

A stopped process is not dead: nobody is told, its own timers ring only when it goes on, and a
build would wait for it for ever. Killed, it costs one more try, as any dead worker does.

Looks are counted, not seconds: Ctrl-Z stops the whole group, this process with it, and the time
that passes until `fg` must not count.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: Seconds between two looks.
_PAUSE: Final = 5.0

#: So many looks in a row must find a worker stopped.
_LOOKS: Final = 6


@contextmanager
def attended(workers: Callable[[], Iterable[int]], pause: float = _PAUSE) -> Iterator[None]:
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

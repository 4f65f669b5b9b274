"""Ends worker processes that stand still because somebody stopped them (SIGSTOP).

A stopped process is not dead: nobody is told, its own timers ring only when it goes on, and a
build would wait for it for ever. Killed, it costs one more try, as any dead worker does.

Looks are counted, not seconds: who presses Ctrl-Z stops the whole group, this process with it, and
the time that passes until `fg` is nobody's fault.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

#: Seconds between two looks, each of which costs 10 ms where a thousand processes live.
_PAUSE: Final = 5.0

#: So many looks in a row must find a worker stopped.
_LOOKS: Final = 6


@contextmanager
def attended(pause: float = _PAUSE) -> Iterator[None]:
    """Kill each child process that is found stopped again and again while the block lasts."""
    if sys.platform != "linux":
        yield
        return
    over = threading.Event()
    guard = threading.Thread(target=_attend, args=(over, pause), name="watchdog", daemon=True)
    guard.start()
    try:
        yield
    finally:
        over.set()
        guard.join()


def _attend(over: threading.Event, pause: float) -> None:
    # A signal that the main thread puts off must not come in through this one.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    looks: dict[int, int] = {}
    while not over.wait(pause):
        looks = {child: looks.get(child, 0) + 1 for child in _stopped_children()}
        for child in looks:
            if looks[child] >= _LOOKS:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _stopped_children() -> Iterator[int]:
    """Yield the children of this process that a signal has stopped (proc(5), state T)."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "T" and int(parent) == os.getpid():
                yield int(folder.name)

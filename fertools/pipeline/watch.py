"""A limit for one photo: so many seconds, and memory with measure."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fertools.worker import is_apart

#: Bytes that one worker may allocate while it looks at a photo: 200 megapixels, turned and cut
#: in 3 bytes a pixel, take a quarter of it.
_MEMORY: Final = 8 << 30


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """Let a photo take so many seconds, and memory with measure, if this process is a worker.

    When the time is over the kernel ends the process (SIGALRM, left at its default): that works
    on a decoder which hangs in C and never gives Python a turn, and costs 12 µs a photo, where
    faulthandler's watchdog, a thread each time, costs 130.
    """
    if not (is_apart() and sys.platform == "linux"):
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

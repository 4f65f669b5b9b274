"""Log which item a worker is processing, so that a crash can be traced to the item.

One log per task, with one line per event; items are numbered within the task:

    17 looking 5a8c41f2   written before item 17 is processed; the last such line is the suspect
    17 fine …             item 17 was run again alone and the worker survived: another cause
    17 crashed …          item 17 was run again alone and the worker died: `crashed` is its outcome
    17 timed_out …        the same, with the outcome `timed_out`

The third word is the CRC-32 of the first two, so that a damaged line is ignored and cannot name
another item. The log is beside the task's output and is removed when the output is finished. A line
costs 1 µs and is not synced to the disk: the log must survive a dead process, not a power failure.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fertools.data import Reason
from fertools.errors import OutputError

_STARTED: Final = "looking"
_HARMLESS: Final = "fine"
_FATAL: Final = (Reason.CRASHED, Reason.TIMED_OUT)


@dataclass(slots=True)
class InFlightLog:
    """The in-flight log of one task; a missing file counts as empty, damaged lines are ignored.

    `start` and `resolve` raise OutputError if the log cannot be written.
    """

    path: Path
    _handle: int = field(default=-1, init=False)

    def start(self, number: int) -> None:
        """Record that the processing of an item starts."""
        self._append(number, _STARTED)

    def resolve(self, number: int, reason: Reason | None) -> None:
        """Record how the worker of a suspect that ran alone died, or None if it survived."""
        self._append(number, str(reason or _HARMLESS))

    def last_started(self) -> int | None:
        """Return the suspect: the item of the last line if that line has no result yet, or None."""
        lines = self._lines()
        return lines[-1][0] if lines and lines[-1][1] == _STARTED else None

    def fatal_items(self) -> dict[int, Reason]:
        """Return the items that kill their worker, each with `crashed` or `timed_out`."""
        return {number: Reason(word) for number, word in self._lines() if word in _FATAL}

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def remove(self) -> None:
        """Remove the log, because the task is finished."""
        self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _append(self, number: int, word: str) -> None:
        try:
            if self._handle < 0:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._handle = os.open(self.path, flags, 0o666)
            text = f"{number} {word}"
            os.write(self._handle, f"{text} {_checksum(text)}\n".encode())
        except OSError as fault:
            raise OutputError(
                f"{self.path} could not be written, {fault.strerror}: "
                "solve that, and the same command goes on where it was"
            ) from fault

    def _lines(self) -> list[tuple[int, str]]:
        try:
            text = self.path.read_text("ascii", errors="replace")
        except OSError:
            return []
        entries = []
        for line in text.splitlines():
            entry, _, checksum = line.rpartition(" ")
            number, _, word = entry.partition(" ")
            if checksum == _checksum(entry) and number.isdecimal():
                entries.append((int(number), word))
        return entries


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"

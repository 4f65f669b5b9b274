"""The in-flight log of a part: which photo a worker was processing when it died.

    17 looking 5a8c41f2   written before the photo is decoded; the last such line is the suspect
    17 fine …             tried once more, alone, without harm: the worker died of something else
    17 crashed …          tried once more, alone, and died again: its row, whoever makes the part
    17 timed_out …

The third word is the CRC-32 of the first two: a damaged line must not accuse another photo. The
file lies beside its part and is removed when that is finished. A line costs 1 µs: it is left to
the system to bring to the disk, for it has to outlive the process, not the machine.
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
_FINE: Final = "fine"
_VERDICTS: Final = (Reason.CRASHED, Reason.TIMED_OUT)


@dataclass(slots=True)
class InFlightLog:
    """One part's in-flight log; a missing file and damaged lines say nothing."""

    path: Path
    _handle: int = field(default=-1, init=False)

    def start(self, number: int) -> None:
        """Record that the part's photo of this number is processed from now on."""
        self._note(number, _STARTED)

    def resolve(self, number: int, verdict: Reason | None) -> None:
        """Record what a suspect was found to be: a reason, or None where it did no harm."""
        self._note(number, str(verdict or _FINE))

    def last_started(self) -> int | None:
        """Return the photo that was being processed when the log broke off."""
        lines = self._lines()
        return lines[-1][0] if lines and lines[-1][1] == _STARTED else None

    def resolved(self) -> dict[int, Reason]:
        """Return the photos that are known to end a worker, and how."""
        return {number: Reason(word) for number, word in self._lines() if word in _VERDICTS}

    def close(self) -> None:
        """Close the file, which stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def remove(self) -> None:
        """Remove the log: the part is finished."""
        self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _note(self, number: int, word: str) -> None:
        try:
            if self._handle < 0:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._handle = os.open(self.path, flags, 0o666)
            text = f"{number} {word}"
            os.write(self._handle, f"{text} {_checksum(text)}\n".encode())
        except OSError as fault:
            raise OutputError(
                f"{self.path} could not be written, {fault.strerror}: "
                "mend that, and the same command goes on where it was"
            ) from fault

    def _lines(self) -> list[tuple[int, str]]:
        try:
            text = self.path.read_text("ascii", errors="replace")
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            said, _, checksum = line.rpartition(" ")
            number, _, word = said.partition(" ")
            if checksum == _checksum(said) and number.isdecimal():
                found.append((int(number), word))
        return found


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"

"""What a worker was looking at: a line a photo, so that one who died tells what of.

    17 looking     written before the photo is decoded; the last such line is the suspect
    17 fine        tried once more, alone, and outlived: the worker died of something else
    17 crashed     tried once more, alone, and died again: its row, whoever makes the part
    17 timed_out

It lies beside the part that it belongs to and goes when that is finished. A line costs 1 µs: it
is left to the system to bring to the disk, for it has to outlive the process, not the machine.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fertools.data import Reason
from fertools.errors import OutputError

_LOOKING: Final = "looking"
_FINE: Final = "fine"
_VERDICTS: Final = (Reason.CRASHED, Reason.TIMED_OUT)


@dataclass(slots=True)
class Diary:
    """One part's diary; a file that is absent, or lines that make no sense, say nothing."""

    path: Path
    _handle: int = field(default=-1, init=False)

    def look(self, number: int) -> None:
        """Note that the part's photo of this number is looked at from now on."""
        self._note(number, _LOOKING)

    def settle(self, number: int, verdict: Reason | None) -> None:
        """Note what a suspect was found to be: a reason, or None for innocent."""
        self._note(number, str(verdict or _FINE))

    def suspect(self) -> int | None:
        """Give the photo that was being looked at when the diary broke off."""
        lines = self._lines()
        return lines[-1][0] if lines and lines[-1][1] == _LOOKING else None

    def verdicts(self) -> dict[int, Reason]:
        """Give the photos that are known to kill, and how."""
        return {number: Reason(word) for number, word in self._lines() if word in _VERDICTS}

    def close(self) -> None:
        """Let go of the file, which stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def end(self) -> None:
        """Throw the diary away: the part is finished."""
        self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _note(self, number: int, word: str) -> None:
        try:
            if self._handle < 0:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._handle = os.open(self.path, flags, 0o666)
            os.write(self._handle, f"{number} {word}\n".encode())
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
        words = [line.split() for line in text.splitlines()]
        return [(int(line[0]), line[1]) for line in words if len(line) == 2 and line[0].isdecimal()]

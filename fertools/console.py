"""What a person sees while a build runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from fertools.errors import printable

#: Seconds between two plain lines: a log of hours stays readable.
_PAUSE = 10.0


class Progress:
    """Shows how a stage goes on standard error: photos/s, time left, kept and dropped.

    `done` counts what an earlier run had finished, which must not flatter the rate.
    """

    def __init__(self, stage: str, total: int, *, unit: str, quiet: bool, done: int = 0) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self._done = self._before = done
        self._counts: Counter[str] = Counter()
        self._began = self._told = time.monotonic()
        self._bar = None
        self._lines = not quiet and not sys.stderr.isatty()
        if not quiet and not self._lines:
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                initial=done,
                desc=stage,
                unit=f" {unit}",
                leave=False,
                bar_format=_bar_format(_columns()),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._lines and self._total and error is None:
            self._tell()

    def add(self, number: int, counts: Counter[str] | None = None) -> None:
        """Count what has been finished since the last call."""
        self._done += number
        self._counts += counts or Counter()
        if self._bar is not None:
            self._bar.set_postfix_str(self._kept(), refresh=False)
            self._bar.update(number)
        elif self._lines and time.monotonic() - self._told >= _PAUSE:
            self._tell()

    def _kept(self) -> str:
        if not self._counts:
            return ""
        kept = self._counts["kept"]
        return f"kept {kept}, dropped {self._counts.total() - kept}"

    def _tell(self) -> None:
        self._told = time.monotonic()
        rate = (self._done - self._before) / max(self._told - self._began, 1e-3)
        left = (self._total - self._done) / rate if rate else 0.0
        words = [f"{self._stage}: {self._done} of {self._total} {self._unit}", f"{rate:.1f}/s"]
        if self._done < self._total:
            words.append(f"{clock(left)} left")
        if self._counts:
            words.append(self._kept())
        print(", ".join(words), file=sys.stderr, flush=True)


def _columns() -> int:
    """Return how wide the terminal behind standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # a stream that is no terminal, or has no file
        return 80


def _bar_format(columns: int) -> str | None:
    """Return what of the bar fits: tqdm itself cuts off the end, which says the time left.

    The widths are those of half a million photos: 95 columns for tqdm's own line, 68, and 34.
    """
    if columns >= 100:
        return None
    line = "{desc}: {n_fmt}/{total_fmt}, {remaining} left"
    return "{percentage:3.0f}% " + line + "{postfix}" if columns >= 70 else line


def clock(seconds: float) -> str:
    """Write seconds as hours, minutes and seconds.

    >>> clock(3725)
    '1:02:05'
    """
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], foot: bool = False) -> str:
    """Set rows as text: the first column to the left, the others to the right.

    Numbers get thin thousands, control characters are escaped; with `foot` the last row stands
    under a rule of its own.
    """
    cells = [[_cell(name) for name in head], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    rule = "  ".join("─" * width for width in widths)
    lines = [_line(row, widths) for row in cells]
    lines.insert(1, rule)
    if foot:
        lines.insert(-1, rule)
    return "\n".join(lines)


def columns(text: str) -> int:
    """Count the terminal columns that a text takes: a Hangul syllable takes two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    gaps = [" " * (width - columns(text)) for text, width in zip(row, widths, strict=True)]
    first, *rest = zip(row, gaps, strict=True)
    return "  ".join([first[0] + first[1], *(gap + text for text, gap in rest)]).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def named(name: str, english: str) -> str:
    """Return a class's name, escaped, with the English one beside it where that is another."""
    return printable(name if name == english else f"{name} {english}")

"""Show progress on standard error, and lay out tables in plain text.

The columns of tables are aligned with Korean text too. Names come from an archive and may contain
any character. Characters that move the cursor or change colours are escaped in this module, where a
value becomes a cell, so that no caller can forget it.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final, Self

from fertools.errors import printable

#: Terminal columns of a table at most, and of a cell that was shortened at least.
TABLE_WIDTH: Final = 80
MIN_CELL: Final = 8


class Progress:
    """A display of progress on standard error: a bar on a terminal, lines elsewhere.

    `done` units were finished by an earlier run; they do not count for the rate. `pause` is the
    time between two lines in seconds: the log of a run of hours must stay readable.
    """

    def __init__(
        self, stage: str, total: int, *, unit: str, quiet: bool, done: int = 0, pause: float = 10.0
    ) -> None:
        self.total, self.done = total, done
        self._stage, self._unit, self._quiet, self._pause = stage, unit, quiet, pause
        self._outcomes: Counter[str] = Counter()
        self._last_line = time.monotonic()
        self._bar = None
        self.start_clock()
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                initial=done,
                desc=stage,
                unit=f" {unit}",
                leave=False,
                bar_format=_bar_format(_terminal_width()),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if self._bar is None and self.total and error is None:
            self.print(self._progress_line())

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def start_clock(self) -> None:
        """Compute the rate from the units that are done after this call."""
        self._start_time, self._done_at_start = time.monotonic(), self.done

    @property
    def rate(self) -> float:
        """Units per second."""
        return (self.done - self._done_at_start) / max(time.monotonic() - self._start_time, 1e-3)

    @property
    def time_left_text(self) -> str:
        """The remaining time at the current rate, as "h:mm:ss"."""
        return _clock_text((self.total - self.done) / rate if (rate := self.rate) else 0.0)

    @property
    def line_due(self) -> bool:
        """Whether progress is printed as lines, and the next line is due."""
        waited = time.monotonic() - self._last_line
        return self._bar is None and not self._quiet and waited >= self._pause

    def add(self, number: int, outcomes: Counter[str] | None = None) -> None:
        """Count `number` more units as done, with their outcomes; print a line if one is due."""
        self._outcomes += outcomes or Counter()
        self.add_silently(number)
        if self.line_due:
            self.print(self._progress_line())

    def add_silently(self, number: int) -> None:
        """Count `number` more units as done and update the bar; never print a line."""
        self.done += number
        if self._bar is not None:
            self._bar.set_postfix_str(self._outcomes_text(), refresh=False)
            self._bar.update(number)

    def print(self, line: str) -> None:
        """Print a line, above the bar if there is one; print nothing if quiet."""
        self._last_line = time.monotonic()
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        elif not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def _outcomes_text(self) -> str:
        if not self._outcomes:
            return ""
        kept = self._outcomes["kept"]
        return f"kept {kept}, dropped {self._outcomes.total() - kept}"

    def _progress_line(self) -> str:
        words = [f"{self._stage}: {self.done} of {self.total} {self._unit}", f"{self.rate:.1f}/s"]
        if self.done < self.total:
            words.append(f"{self.time_left_text} left")
        if self._outcomes:
            words.append(self._outcomes_text())
        return ", ".join(words)


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # standard error is not a terminal or has no file descriptor
        return 80


def _bar_format(width: int) -> str | None:
    """Return a bar format that fits into `width` columns, or None for tqdm's own format.

    If a format is too long, tqdm cuts off its end, which is the remaining time. For half a million
    photos tqdm's own format has 95 columns, the other two 68 and 34.
    """
    if width >= 100:
        return None
    line = "{desc}: {n_fmt}/{total_fmt}, {remaining} left"
    return "{percentage:3.0f}% " + line + "{postfix}" if width >= 70 else line


def _clock_text(seconds: float) -> str:
    """Return seconds as hours, minutes and seconds.

    >>> _clock_text(3725)
    '1:02:05'
    """
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}"


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], foot: bool = False, left: int = 1
) -> str:
    """Return a table as text: the first `left` columns left-aligned, the others right-aligned.

    Whole numbers have thousands separators, control characters are escaped. With `foot`, a ruled
    line separates the last row. If the table is wider than TABLE_WIDTH, the widest cells that are
    no numbers are shortened in their middles.
    """
    cells = [[_cell_text(value) for value in row] for row in (head, *rows)]
    while (widths := _column_widths(cells)) and (excess := _excess(widths)) > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if (width := max(widths[widest] - excess, MIN_CELL)) >= widths[widest]:
            break  # so many columns that nothing can be shortened
        for row in cells:
            row[widest] = shorten(row[widest], width)
    rule = "  ".join("─" * width for width in widths)
    lines = [_table_row(row, widths, left) for row in cells]
    lines.insert(1, rule)
    if foot:
        lines.insert(-1, rule)
    return "\n".join(lines)


def display_width(text: str) -> int:
    """Return the number of terminal columns of a text: a Hangul syllable takes two."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def shorten(text: str, width: int) -> str:
    """Return a text of at most `width` terminal columns, with "…" for its middle if it is longer.

    >>> shorten("1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip", 20)
    '1.Trainin…AIN_01.zip'
    """
    if display_width(text) <= width:
        return text
    tail = _cut(text[::-1], width // 2)[::-1]
    return f"{_cut(text, width - 1 - display_width(tail))}…{tail}"


def _cut(text: str, width: int) -> str:
    """Return the first characters of a text, of `width` terminal columns at most."""
    while display_width(text) > width:
        text = text[: min(len(text) - 1, width)]
    return text


def _column_widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(display_width, column)) for column in zip(*cells, strict=True)]


def _excess(widths: Sequence[int]) -> int:
    """Return by how many terminal columns a table is too wide; columns are two apart."""
    return sum(widths) + 2 * (len(widths) - 1) - TABLE_WIDTH


def _table_row(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    gaps = [" " * (width - display_width(text)) for text, width in zip(row, widths, strict=True)]
    cells = [
        text + gap if i < left else gap + text
        for i, (text, gap) in enumerate(zip(row, gaps, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _cell_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def name_pair(name: str, english: str) -> str:
    """Return a class's name, escaped, followed by its English name if that differs."""
    return printable(name if name == english else f"{name} {english}")


def percent(part: int, whole: int) -> str:
    """Return a share in percent, such as "12.5 %"; that of nothing is 0."""
    return f"{100 * part / max(whole, 1):.1f} %"

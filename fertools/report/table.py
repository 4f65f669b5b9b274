"""Tables in plain text whose columns line up, Korean or not.

Names come from an archive and may hold anything. What would move the cursor or colour the text is
escaped here, where a value becomes a cell or a word of a line, so that no caller can forget it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from fertools.errors import printable


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

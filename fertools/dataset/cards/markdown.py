"""Write Markdown: tables and lists of text that may hold any character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fertools.errors import printable

#: What Markdown or HTML would read as markup in the middle of a line.
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def escape(text: str) -> str:
    r"""Return text that Markdown shows as it is, in one line.

    >>> print(escape("a_b | <i>"))
    a\_b \| \<i\>
    """
    return _MARKUP.sub(r"\\\1", printable(text))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, escaped: bool = False) -> str:
    """Return a table; a column of numbers or percentages stands on the right.

    escaped   the cells are Markdown already
    """
    cells = [list(row) for row in rows]
    right = [all(_is_number(row[i]) for row in cells) for i in range(len(head))]
    rule = ["--:" if number else "---" for number in right]
    lines = [list(head), rule, *([_cell(cell, escaped) for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(lines: Iterable[str]) -> str:
    """Return a list of plain texts."""
    return "\n".join(f"- {escape(line)}" for line in lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int) or bool(re.fullmatch(r"[\d.]+ %", str(value)))


def _cell(value: object, escaped: bool) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return str(value) if escaped else escape(str(value))

"""Lay out the counts of `stats`: tables of at most 80 columns, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from fertools.console import TABLE_WIDTH, display_width, name_pair, percent, table
from fertools.errors import printable
from fertools.inspection.counts.counting import UNKNOWN, CrossTable

#: Rows of a table on the terminal; --csv and --json have all.
MAX_ROWS: Final = 40

#: Terminal columns of a number in a cross table at least.
_NUMBER: Final = 7

#: Terminal columns of a name that is not shortened in a cross table.
_NAME: Final = 18


class ContainerCount(Protocol):
    """The number of entries and of photos in a folder or zip."""

    @property
    def container(self) -> str: ...
    @property
    def entries(self) -> int: ...
    @property
    def photos(self) -> int: ...


class PeopleCount(Protocol):
    """The numbers of people and of sessions, and the fewest, median and most photos of one."""

    @property
    def subjects(self) -> int: ...
    @property
    def photos_each(self) -> tuple[int, ...]: ...
    @property
    def sessions(self) -> int: ...
    @property
    def photos_each_session(self) -> tuple[int, ...]: ...


def people_text(counted: PeopleCount) -> str:
    """Return a line about the people and, if there are any, one about the sessions."""
    lines = [_each_text(counted.subjects, "people", counted.photos_each)]
    if counted.sessions:
        what = "sessions (bursts of one person)"
        lines.append(_each_text(counted.sessions, what, counted.photos_each_session))
    return "\n".join(lines)


def _each_text(number: int, what: str, photos_each: tuple[int, ...]) -> str:
    fewest, median, most = photos_each
    return f"{number:,} {what}, {fewest} to {most} photos each, median {median}"


def count_table(head: str, counts: Mapping[str, int], counted: str = "photos") -> str:
    """Return a table of one field: its values, their numbers and shares."""
    total = sum(counts.values())
    rows = [(value, number, percent(number, total)) for value, number in counts.items()]
    return _limited((head, counted, "share"), rows)


def containers_table(containers: Sequence[ContainerCount]) -> str:
    """Return a table of the folders and zips, with their entries and photos."""
    rows = [(each.container or "(SRC itself)", each.entries, each.photos) for each in containers]
    return _limited(("folder or zip", "entries", "photos"), rows)


def cross_table(by: CrossTable, english: Mapping[str, str]) -> str:
    """Return a cross table: two fields as a grid, else a row for each combination of values.

    A grid that fits into TABLE_WIDTH in neither direction becomes rows too.
    """
    named = replace(by, values=_named(by, by.values, english), rows=_named_rows(by, english))
    if len(by.fields) == 2 and (grid := _grid(named) or _grid(named.transposed)):
        return grid
    total = sum(number for _, number in by.rows)
    rows = [(*values, number, percent(number, total)) for values, number in named.rows]
    text = _limited((*by.fields, by.counted, "share"), rows, left=len(by.fields))
    return f"{text}\nall {total:,} {by.counted}"


def _grid(by: CrossTable) -> str | None:
    """Return the table of two fields, the second one as columns; None if it is too large."""
    rows, columns = ([str(value) for value in values] for values in by.values)
    widths = [max(display_width(name), _NUMBER) for name in (*columns, "all")]
    if _NAME + sum(2 + width for width in widths) > TABLE_WIDTH or len(rows) > MAX_ROWS:
        return None
    cells = dict(by.rows)
    numbers = [[cells.get((row, column), 0) for column in columns] for row in rows]
    numbers.append([sum(column) for column in zip(*numbers, strict=True)])
    lines = [(name, *own, sum(own)) for name, own in zip((*rows, "all"), numbers, strict=True)]
    return table((" \\ ".join(by.fields), *columns, "all"), lines, foot=True)


def _named(
    by: CrossTable, columns: Iterable[Iterable[str | None]], english: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """Return the values of each field as texts to show."""
    return tuple(
        tuple(_shown(field, value, english) for value in values)
        for field, values in zip(by.fields, columns, strict=True)
    )


def _named_rows(
    by: CrossTable, english: Mapping[str, str]
) -> tuple[tuple[tuple[str, ...], int], ...]:
    columns = _named(by, zip(*(values for values, _ in by.rows), strict=True), english)
    numbers = (number for _, number in by.rows)
    return tuple(zip(zip(*columns, strict=True), numbers, strict=True))


def _shown(field: str, value: str | None, english: Mapping[str, str]) -> str:
    if value is None:
        return UNKNOWN
    is_class = field in ("class", "emotion")
    return name_pair(value, english.get(value, value)) if is_class else value or "(SRC itself)"


def _limited(head: Sequence[str], rows: Sequence[Sequence[Any]], left: int = 1) -> str:
    text = table(head, rows[:MAX_ROWS], left=left)
    more = len(rows) - MAX_ROWS
    return f"{text}\nand {more:,} rows more: --csv prints all" if more > 0 else text


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV with one header line, "\\n" as line end, and nothing for None.

    Control characters are escaped as in a table: it may be printed on a terminal.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([printable(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()

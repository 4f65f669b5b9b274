"""Read side tables: files of a data set that say more of its photos than their names do.

    fer2013new.csv    Usage,Image name,neutral,happiness,…      ten votes a photo
    list_patition_label.txt    train_00001.jpg 5                name and class, no first line
    S005_001_00000011_emotion.txt    3.0000000e+00              one photo's class
    a user's own --table    name,class,subject,split            any of GROUPS; others are ignored

A row is joined with a photo by name, without folders and ending.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fertools.errors import OptionError
from fertools.labels.filename import base_name
from fertools.layouts.preset import GROUPS, Preset, Table

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: What a user's table may call the columns.
_USER_COLUMNS: Final = {group: group for group in GROUPS} | {"key": "name", "label": "class"}
_USER_TABLE: Final = Table("", _USER_COLUMNS)


@dataclass(frozen=True, slots=True)
class TableRow:
    """What a side table says of one photo.

    fields    text by GROUPS, without blanks around it; absent where the table says nothing
    votes     how many annotators chose each word of the table's `votes`; "" counts all other
              answers
    faceless  whether the set says that the photo shows no face
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    votes: Mapping[str, int] = field(default_factory=dict)
    faceless: bool = False

    def joined(self, other: TableRow) -> TableRow:
        """Return both rows as one; where both say something, this one counts."""
        return TableRow(
            {**other.fields, **self.fields},
            self.votes or other.votes,
            self.faceless or other.faceless,
        )


class Tables:
    """The rows of all side tables by the photo's key or name; `problems` has a line a file."""

    def __init__(self, preset: Preset) -> None:
        self.problems: list[str] = []
        self._pattern = re.compile(preset.pattern, re.IGNORECASE)
        self._rows: dict[str, TableRow] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, name: str, row: TableRow) -> None:
        known = self._rows.get(name)
        self._rows[name] = row.joined(known) if known else row

    def add_file(self, key: str, data: bytes, table: Table) -> None:
        """Add the rows of a label file; a row without a name is reported."""
        nameless = 0
        match = re.search(table.file, key, re.IGNORECASE)
        own = match.groupdict().get("name") if match else None
        for number, values in enumerate(_read(data, table)):
            row = _table_row(values, table)
            name = own or row.fields.get("name") or ""
            if not name and table.unnamed:
                name, row = table.unnamed.format(number), TableRow(row.fields, row.votes, True)
            if not name:
                nameless += 1
                continue
            self.add(self.name_of(name), row)
        if nameless:
            self.problems.append(f"{key}: {nameless:,} of its rows name no photo")

    def find(self, key: str) -> TableRow | None:
        """Return what is said of the photo with this key, None if nothing is.

        A photo that the preset's pattern does not match is found by its whole key only.
        """
        own, match = self._rows.get(key), self._pattern.search(key)
        named = self._rows.get(_name(match, key)) if match else None
        return named.joined(own) if own and named else own or named

    def name_of(self, text: str) -> str:
        """Return the name by which tables and photos are joined: the pattern's group, or the stem.

        >>> Tables(Preset("", "", pattern="(?P<name>train_[0-9]+)_aligned")).name_of("x/1.jpg")
        '1'
        """
        return _name(self._pattern.search(text), text)


def _name(match: re.Match[str] | None, text: str) -> str:
    if match and match.groupdict().get("name"):
        return str(match["name"])
    stem, dot, _ = base_name(text).rpartition(".")
    return stem if dot else base_name(text)


def _table_row(values: Mapping[str, str], table: Table) -> TableRow:
    meanings = dict(zip(table.order, table.order, strict=True)) | dict(table.columns)
    fields = {meanings[name]: text for name, text in values.items() if name in meanings}
    votes: dict[str, int] = {}
    for name, word in table.votes.items():
        text = values.get(name, "")
        votes[word] = votes.get(word, 0) + (int(text) if text.isdecimal() else 0)
    return TableRow({name: text for name, text in fields.items() if text}, votes)


def _read(data: bytes, table: Table) -> Iterator[dict[str, str]]:
    """Yield the rows of a file as text by column; without a first line by the table's order."""
    lines = [line for line in _decode(data).splitlines() if line.strip()]
    if table.order:
        for line in lines:
            yield dict(zip(table.order, re.split(r"[\s,;]+", line.strip()), strict=False))
        return
    rows = csv.reader(lines, delimiter=_delimiter(lines), skipinitialspace=True)
    names = [name.strip().lower() for name in next(rows, [])]
    for row in rows:
        yield dict(zip(names, map(str.strip, row), strict=False))


def _delimiter(lines: list[str]) -> str:
    first = lines[0] if lines else ""
    return max(",;\t", key=first.count)


def _decode(data: bytes) -> str:
    """Decode a table: UTF-8 or UTF-16 by its mark, else UTF-8, else CP949 as Windows writes it."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    for each in filter(None, (encoding, "utf-8", "cp949")):
        try:
            return unicodedata.normalize("NFC", data.decode(each))
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def read_user_table(path: Path, tables: Tables) -> None:
    """Add the rows of `--table FILE`, a CSV with a column `name` (or `key`) and others of GROUPS.

    Raises OptionError if the file cannot be read or has no such columns.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OptionError(
            f"--table {path} cannot be read: {error.strerror}; check the path"
        ) from error
    rows = list(_read(data, _USER_TABLE))
    names = rows[0].keys() if rows else set()
    if not names & {"name", "key"} or len(names & _USER_COLUMNS.keys()) < 2:
        raise OptionError(
            f"--table {path}: its first line must name `name` (or `key`) and at least one of "
            f"{', '.join(GROUPS[:-1])}"
        )
    for row in rows:
        said = _table_row({name: text for name, text in row.items() if name != "key"}, _USER_TABLE)
        tables.add(row["key"] if row.get("key") else tables.name_of(row["name"]), said)

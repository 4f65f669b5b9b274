"""Find what a preset names in an archive: label files, TIFF photos, and CSVs with pixels.

The scan lists such files as no photos. Here label files and CSVs become `label_file` rows, TIFF
photos become photos, and the rows of a CSV with pixels follow as members (see pixels.py).
"""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH116, PTH118, PTH123

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

import numpy as np

from fertools.archive.folder import OpenFiles, RetryPolicy, to_read_fault
from fertools.archive.members import SCHEMA, Members, MembersBuilder
from fertools.archive.names import is_hidden
from fertools.archive.pixels import MAX_LINE_BYTES, PixelRow, make_row_member, read_rows
from fertools.columns import BATCH_ROWS, Columns
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from fertools.errors import printable
from fertools.layouts.preset import Pixels, Preset

_LABELS: Final = Drop(Reason.LABEL_FILE)
_FINDABLE: Final = (Reason.NOT_A_PHOTO, Reason.UNSUPPORTED)


@dataclass(frozen=True, slots=True)
class PresetFiles:
    """The members with what the preset names, warnings and faults as in `Scan`."""

    members: Members
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def find_preset_files(members: Members, files: OpenFiles, preset: Preset) -> PresetFiles:
    """Mark label files and TIFF photos, and add the rows of CSVs with pixels."""
    if not (preset.tables or preset.pixels or preset.tiff):
        return PresetFiles(members)
    candidates = dict(_candidates(members))
    tables = _pixel_tables(candidates, preset.pixels)
    drops: dict[int, Drop | None] = dict.fromkeys(tables, _LABELS)
    for row, member in candidates.items():
        if preset.table_of(member.key):
            drops[row] = _LABELS
        elif preset.tiff and member.key.lower().endswith((".tif", ".tiff")):
            drops[row] = None
    found, warnings, faults = [], [], []
    for row, table in tables.items():
        try:
            found.append((table, _list_rows(table, files)))
        except ReadFault as fault:
            drops[row] = fault.drop
            faults.append(f"{printable(table.key)}: {fault.drop.detail}")
        except Unusable as damage:
            drops[row] = damage.drop
            warnings.append(f"{printable(table.key)}: {damage.drop.detail}; nothing of it is used")
    marked = _with_rows(members.with_drops(drops), found, preset.pixels)
    return PresetFiles(marked, tuple(warnings), tuple(faults))


def _candidates(members: Members) -> Iterator[tuple[int, Member]]:
    codes = [i for i, drop in enumerate(members.drops) if drop.reason in _FINDABLE]
    rows = np.flatnonzero(np.isin(members.dropped, codes))
    for row, member in zip(rows.tolist(), members.take(rows), strict=True):
        if not is_hidden(member.key):
            yield row, member


def _pixel_tables(candidates: dict[int, Member], pixels: Pixels | None) -> dict[int, Member]:
    """Return the CSVs to read: those with the first of the preset's names that there is.

    Kaggle's archive has the same pictures in several files.
    """
    by_name: dict[str, dict[int, Member]] = {}
    for row, member in candidates.items():
        by_name.setdefault(member.key.rpartition("/")[2].lower(), {})[row] = member
    return next((by_name[name] for name in (pixels.files if pixels else ()) if name in by_name), {})


def _list_rows(table: Member, files: OpenFiles) -> list[PixelRow]:
    """Read all rows of a CSV. Raises Unusable, ReadFault."""
    if table.packed:
        container = printable(table.container.rpartition("/")[2])
        raise Unusable(Reason.DAMAGED_ARCHIVE, f"unpack {container} first")
    return RetryPolicy().retry(partial(_list_rows_once, table, files))


def _list_rows_once(table: Member, files: OpenFiles) -> list[PixelRow]:
    path = os.path.join(files.base, table.path)
    try:
        rows = list(read_table(path))
        now = os.stat(path)
    except OSError as error:
        raise to_read_fault(error) from error
    if (now.st_size, now.st_mtime_ns) != (table.size, table.modified):
        raise ReadFault(Reason.CHANGED, "it is being written to: wait until it is complete")
    return rows


def _with_rows(
    members: Members, found: Sequence[tuple[Member, list[PixelRow]]], pixels: Pixels | None
) -> Members:
    """Append the rows of CSVs as members, in the order of the files."""
    if not (found and pixels):
        return members
    builder = MembersBuilder({drop: number for number, drop in enumerate(members.drops)})
    for table, rows in sorted(found, key=lambda each: each[0].key):
        for first in range(0, len(rows), BATCH_ROWS):
            some = rows[first : first + BATCH_ROWS]
            builder.add([make_row_member(table, row, pixels.member) for row in some])
    batches = chain(members.columns.slices(), builder.columns().slices())
    return Members(Columns(batches, SCHEMA), tuple(builder.drops))


def read_table(path: bytes) -> Iterator[PixelRow]:
    """Yield the rows of a CSV with pixels. Raises OSError, and Unusable as `read_rows`."""
    with open(path, "rb") as file:
        yield from read_rows(iter(partial(file.readline, MAX_LINE_BYTES + 1), b""))

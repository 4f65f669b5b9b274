"""Read what an archive says of its photos beside their names: label records or side tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fertools.archive.folder import base_folder, to_read_fault
from fertools.archive.members import Members
from fertools.archive.preset_files import read_table
from fertools.archive.scan import Scan, scan
from fertools.checking import user_path
from fertools.data import PIXEL_ROW, Drop, Member, Unusable
from fertools.errors import SourceError, printable
from fertools.labels.annotations import Annotations
from fertools.labels.preset_labeller import PresetLabeller
from fertools.labels.tables import TableRow, Tables, read_user_table
from fertools.layouts.listing import recognise
from fertools.layouts.preset import Preset
from fertools.options import BuildOptions, LabelOptions, SourceOptions
from fertools.pipeline.labelling.catalog import Catalog, label_files, read_annotations


@dataclass(frozen=True, slots=True)
class LabelSources:
    """The members, and what is known of them beside their names.

    labeller   None for AI-Hub's names and for class folders
    unread     label files that could not be read, if accepted
    """

    members: Members
    annotations: Annotations = field(default_factory=Annotations)
    labeller: PresetLabeller | None = None
    unread: int = 0


def read_label_sources(
    source: Path,
    members: Members,
    options: SourceOptions,
    labels: LabelOptions,
    *,
    accept_unreadable: bool = False,
    records: bool = True,
    kept: Mapping[str, bytes] | None = None,
) -> LabelSources:
    """Read the label files of an archive, by its preset.

    records   whether AI-Hub's label records are read
    kept      bytes of label files that are not there any more, by key

    Raises SourceError for a file that cannot be read unless `accept_unreadable`, and for an archive
    that does not have the preset's layout; OptionError for the user's table.
    """
    preset = options.layout
    if not preset.pattern:
        if not records:
            return LabelSources(members)
        annotations, unread = read_annotations(
            source, members, accept_unreadable=accept_unreadable, kept=kept
        )
        return LabelSources(members, annotations, unread=unread)
    tables, unread = _read_tables(source, members, preset, accept_unreadable)
    if options.table:
        read_user_table(user_path(options.table), tables)
    labeller = PresetLabeller(labels, preset, tables, tuple(tables.problems))
    _check_layout(source, members, labeller)
    drops = {row: labeller.drop(key) for row, key in _photos(members)}
    found = {row: drop for row, drop in drops.items() if drop}
    return LabelSources(members.with_drops(found), labeller=labeller, unread=unread)


def _photos(members: Members) -> Iterator[tuple[int, str]]:
    rows = np.flatnonzero(members.dropped < 0)
    return zip(rows.tolist(), members.keys_at(rows), strict=True)


def _read_tables(
    source: Path, members: Members, preset: Preset, accept_unreadable: bool
) -> tuple[Tables, int]:
    tables, unread = Tables(preset), list[str]()
    for container in _pixel_tables(members) if preset.pixels else ():
        _add_pixel_rows(source, container, preset, tables)
    seen = set()
    for key, data in label_files(
        source, members, accept_unreadable, unread, wanted=preset.table_of
    ):
        table = preset.table_of(key)
        assert table is not None  # label_files yields no other files
        seen.add(table.file)
        if isinstance(data, Drop):
            tables.problems.append(f"{printable(key)}: not read: {data.detail or data.reason}")
        else:
            tables.add_file(key, data, table)
    for table in preset.tables:
        if table.needed and table.file not in seen:
            raise SourceError(
                f"{printable(str(source))} has no {table.needed}, which {preset.title} needs: "
                f"expected {preset.layout}{_instead(members, preset)}"
            )
    return tables, len(unread)


def _pixel_tables(members: Members) -> Members:
    """Return the first row of each CSV with pixels."""
    rows = np.flatnonzero(members.columns.numbers("method", fill=0) == PIXEL_ROW)
    containers = members.columns.codes("container")[0][rows]
    first = rows[np.unique(containers, return_index=True)[1]]
    return members.take(first)


def _add_pixel_rows(source: Path, container: Member, preset: Preset, tables: Tables) -> None:
    pixels = preset.pixels
    assert pixels is not None  # the scan read the file because of them
    path = os.path.join(base_folder(source), container.path)  # noqa: PTH118  # bytes
    try:
        for row in read_table(path):
            fields = {pixels.columns.get(name, ""): text for name, text in row.columns.items()}
            fields |= {"class": pixels.class_of(fields.get("class", ""))}
            named = {name: text for name, text in fields.items() if name and text}
            key = f"{container.container}/{pixels.member.format(row.number)}"
            tables.add(key, TableRow(named))
    except OSError as error:
        fault = to_read_fault(error).drop.detail
        raise SourceError(f"{printable(container.container)}: {fault}: make it readable") from error
    except Unusable as damage:
        raise SourceError(
            f"{printable(container.container)} was changed: {damage.drop.detail}"
        ) from damage


def _check_layout(source: Path, members: Members, labeller: PresetLabeller) -> None:
    """Raise SourceError if no photo has a class or votes."""
    if any(labeller.label(key).emotion or labeller.is_voted(key) for _, key in _photos(members)):
        return
    preset = labeller.preset
    raise SourceError(
        f"no photo in {printable(str(source))} has a class of {preset.title}: expected "
        f"{preset.layout}{_instead(members, preset)}"
    )


def _instead(members: Members, preset: Preset) -> str:
    found = recognise(members.keys, preset)
    return f"; {found}" if found else ""


def label_archive(source: Path, options: SourceOptions) -> tuple[Scan, Catalog]:
    """List and label an archive by names and side tables, without label records and pixels."""
    labels = BuildOptions(source=options).labels
    found = scan(source, options.layout)
    known = read_label_sources(source, found.members, options, labels, records=False)
    return found, Catalog.of(known.members, labels, preset=known.labeller)

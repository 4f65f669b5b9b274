"""List every entry of the archive once, as a photo or with the reason why it is none."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from fertools.archive.central_directory import SpannedZip
from fertools.archive.folder import OpenFiles, RetryPolicy, base_folder, to_read_fault, walk
from fertools.archive.members import SCHEMA, Members, MembersBuilder, keys_of, with_unique_keys
from fertools.archive.names import OTHER_FORMATS, decode_name, drop_by_name, is_hidden, is_zip
from fertools.archive.preset_files import find_preset_files
from fertools.archive.volumes import (
    Volume,
    VolumeReader,
    VolumeSet,
    find_volumes,
    order_volumes,
    parse_volume_name,
)
from fertools.archive.zips import add_members, list_entries
from fertools.columns import BATCH_ROWS, Columns, Ints
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from fertools.errors import SourceError, printable
from fertools.layouts.known import AIHUB
from fertools.layouts.listing import recognise
from fertools.layouts.preset import Preset

_EMPTY_FILE = Drop(Reason.EMPTY)
_EMPTY_ZIP = Drop(Reason.NOT_A_PHOTO, "a zip without entries")


@dataclass(frozen=True, slots=True)
class Scan:
    """Every member in the order of the build, with warnings for the user and faults, a line each.

    Members are ordered by container; then, in a zip, by offset, so that the zip is read forward; in
    a folder, by name. The order is the same on every file system. A fault names a folder, file or
    zip that could not be listed or opened: another scan may succeed.
    """

    members: Members
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def scan(source: Path, preset: Preset = AIHUB) -> Scan:
    """List a folder, a zip, or the zip that a volume belongs to.

    preset   names the label files, and the CSVs whose rows are photos; SRC may be such a CSV

    Nothing is extracted and no photo is opened: only the directory of a zip is read. If SRC is a
    zip itself, paths are relative to its folder.

    Raises SourceError if SRC does not exist, is neither a folder nor a zip, or has no photo.
    """
    drops: dict[Drop, int] = {}
    loose, packed = MembersBuilder(drops), MembersBuilder(drops)
    spans: list[_Span] = []
    warnings: list[str] = []
    faults: list[str] = []
    retries = RetryPolicy()
    with OpenFiles(base_folder(source)) as files:
        zips = _list_source(source, files.base, loose, faults, preset)
        for zipped in sorted(zips, key=lambda zipped: (zipped.key, zipped.path)):
            start = len(packed)
            try:
                warnings += retries.retry(partial(_add_zip, zipped.path, files, loose, packed))
            except (OSError, ReadFault) as error:
                drop = (to_read_fault(error) if isinstance(error, OSError) else error).drop
                loose.add([_zip_member(zipped, drop)])
                faults.append(f"{printable(zipped.key)}: {drop.detail}")
            spans.append(_Span(zipped.key, zipped.path, start, len(packed)))
        listed = Members(_order_rows(loose, packed, spans), tuple(drops))
        found = find_preset_files(listed, files, preset)
    members = found.members
    warnings += [*found.warnings, *_fixable_warnings(members)]
    faults += found.faults
    _check_has_photos(source, members, warnings, preset)
    return Scan(members, (*sorted(warnings), *_repeated_zip_warnings(zips)), tuple(sorted(faults)))


def _list_source(
    source: Path, base: bytes, loose: MembersBuilder, faults: list[str], preset: Preset
) -> list[VolumeSet]:
    """Return SRC's zips; add its loose files to `loose`, its faults to `faults`."""
    source_text = printable(str(source))
    try:
        if source.is_dir():
            return _separate_zips(walk(base, faults), loose)
        # Not Path.resolve, which raises RuntimeError for a link in a loop up to Python 3.12.
        name = os.path.basename(os.path.realpath(os.fsencode(source), strict=True))  # noqa: PTH119
        if source.is_file() and (is_zip(decode_name(name)) or parse_volume_name(name)):
            return [find_volumes(base, name)]
        if source.is_file() and preset.pixels and decode_name(name).lower() in preset.pixels.files:
            files = (file for file in walk(base, faults) if file.path == name)
            return _separate_zips(files, loose)
    except FileNotFoundError:
        raise SourceError(f"{source_text} is not there: check the path") from None
    except OSError as error:
        raise SourceError(f"{source_text} cannot be read: {error.strerror}") from None
    raise SourceError(f"{source_text} is neither a folder nor a .zip: give what you downloaded")


def _separate_zips(files: Iterable[Member], loose: MembersBuilder) -> list[VolumeSet]:
    zips: defaultdict[tuple[bool, bytes], list[Volume]] = defaultdict(list)
    batch: list[Member] = []
    for file in files:
        numbered = parse_volume_name(file.path)
        if (numbered or is_zip(file.key)) and not (file.dropped or is_hidden(file.key)):
            stem = numbered[0] if numbered else file.path
            zips[numbered is None, stem].append(Volume(file.path, 0, file.size, file.modified))
            continue
        drop = file.dropped or drop_by_name(file.key) or (None if file.size else _EMPTY_FILE)
        batch.append(replace(file, dropped=drop) if drop else file)
        if len(batch) == BATCH_ROWS:
            loose.add(batch)
            batch = []
    loose.add(batch)
    return [order_volumes(volumes) for volumes in zips.values()]


def _zip_member(zipped: VolumeSet, drop: Drop) -> Member:
    folder = zipped.key.rpartition("/")[0]
    return Member(zipped.key, folder, zipped.path, zipped.size, zipped.modified, dropped=drop)


def _add_zip(
    path: bytes, files: OpenFiles, loose: MembersBuilder, packed: MembersBuilder
) -> list[str]:
    """Add the members of a zip to `packed`, and return warnings.

    A zip with a fault or without entries is itself added to `loose`. Raises OSError or ReadFault
    if the zip cannot be read; then nothing is added.
    """
    try:
        zipped = find_volumes(files.base, path)
        name = printable(zipped.key)
        listing = list_entries(VolumeReader(zipped, files))
        now = find_volumes(files.base, path)
        if (now.size, now.modified) != (zipped.size, zipped.modified):
            raise ReadFault(Reason.CHANGED, "it is being written to: wait until it is complete")
    except SpannedZip as spanned:
        last = printable(zipped.key.rpartition("/")[2])
        advice = f"join it first, with: zip -s 0 '{last}' --out 'joined {last}'"
        loose.add([_zip_member(zipped, spanned.drop)])
        return [f"{name}: {spanned.drop.detail}; {advice}"]
    except (OSError, ReadFault):
        files.close()  # so that the next try opens it again
        raise
    except Unusable as damage:
        loose.add([_zip_member(zipped, damage.drop)])
        return [f"{name}: {damage.drop.detail}; nothing of it is used"]
    members_before, photos_before = len(packed), packed.photos
    add_members(packed, zipped, listing)
    if listing.faults:
        photos = packed.photos - photos_before
        rest = f"{photos:,} of its photos can be used; to have all, download it again"
        loose.add([_zip_member(zipped, Drop(Reason.DAMAGED_ARCHIVE, "; ".join(listing.faults)))])
        return [f"{name}: {fault}; {rest}" for fault in listing.faults]
    if len(packed) == members_before:
        loose.add([_zip_member(zipped, _EMPTY_ZIP)])
    return []


@dataclass(frozen=True, slots=True)
class _Span:
    """The range of rows of one zip or of one folder; the path of a folder is b""."""

    container: str
    path: bytes
    start: int
    stop: int


def _order_rows(loose: MembersBuilder, packed: MembersBuilder, zips: list[_Span]) -> Columns:
    """Return all rows in the order of the build, with repeated keys numbered."""
    loose_columns = loose.columns()
    rows, folders = _order_loose(loose_columns)
    blocks = (rows[first : first + BATCH_ROWS] for first in range(0, len(rows), BATCH_ROWS))
    hashes = (loose.key_hashes()[rows], packed.key_hashes())
    columns = (Columns(map(loose_columns.take, blocks), SCHEMA), packed.columns())
    order = sorted([*folders, *zips], key=lambda span: (span.container, span.path))
    spans = [(span.start, span.stop, int(span.path != b"")) for span in order]
    ordered = Columns(
        (batch for start, stop, table in spans for batch in columns[table].slices(start, stop)),
        SCHEMA,
    )
    ordered_hashes = [hashes[table][start:stop] for start, stop, table in spans]
    return with_unique_keys(ordered, np.concatenate([np.zeros(0, np.int64), *ordered_hashes]))


def _order_loose(loose: Columns) -> tuple[Ints, list[_Span]]:
    """Return the rows of loose files sorted by folder and name, and the span of each folder."""
    codes, folders = loose.codes("container")
    rank = np.argsort(np.array(sorted(range(len(folders)), key=folders.__getitem__), np.int64))
    rows = np.argsort(rank[codes], kind="stable")
    spans = []
    ends = np.cumsum(np.bincount(codes, minlength=len(folders))[np.argsort(rank)])
    for folder, start, stop in zip(sorted(folders), [0, *ends.tolist()], ends, strict=False):
        rows[start:stop] = _sort_by_name(loose, rows[start:stop])
        spans.append(_Span(folder, b"", start, int(stop)))
    return rows, spans


def _sort_by_name(loose: Columns, rows: Ints) -> Ints:
    batch = loose.take(rows)
    keys, paths = keys_of(batch).to_pylist(), batch["path"].to_pylist()
    # A path is null if it equals the key.
    names = [(key, path or key.encode()) for key, path in zip(keys, paths, strict=True)]
    return rows[np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)]


def _repeated_zip_warnings(zips: Iterable[VolumeSet]) -> list[str]:
    times = Counter(zipped.key for zipped in zips)
    advice = "its photos count twice; remove one of the two"
    return [
        f"{printable(key)} is there both whole and in volumes: {advice}"
        for key, count in sorted(times.items())
        if count > 1
    ]


def _fixable_warnings(members: Members) -> list[str]:
    """Return warnings about photos that the user can make usable, with advice.

    One line per zip with a password, and one line for all pictures in other formats.
    """
    codes = members.dropped
    fixable = [drop.reason in (Reason.ENCRYPTED, Reason.UNSUPPORTED) for drop in members.drops]
    locked: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    for member in members.take(np.flatnonzero(np.array([*fixable, False])[codes])):
        if member.dropped and member.dropped.reason is Reason.ENCRYPTED:
            locked[member.container] += 1
        else:
            formats[OTHER_FORMATS[member.key[member.key.rfind(".") :].lower()]] += 1
    warnings = [
        f"{printable(container)}: {count:,} photos are behind a password: unpack it with the "
        "password, and give the folder instead"
        for container, count in locked.items()
    ]
    if formats:
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(formats.items()))
        warnings.append(
            f"{counts} pictures are left out, their format is not read: convert to JPEG"
        )
    return warnings


def _check_has_photos(source: Path, members: Members, warnings: list[str], preset: Preset) -> None:
    if (members.dropped < 0).any():
        return
    reasons = Counter(members.drops[code].reason for code in members.dropped.tolist())
    counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
    cause = recognise(members.keys, preset) or "give the folder that the zips or the photos lie in"
    cause = warnings[0] if warnings else cause
    source_text = printable(str(source))
    raise SourceError(
        f"{source_text} holds no photo that can be used ({counts or 'it is empty'}): {cause}"
    )

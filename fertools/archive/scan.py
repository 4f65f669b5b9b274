"""Lists the archive: every entry once, a photo or a reason why not."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fertools.archive.directory import SplitSet
from fertools.archive.files import Files, read_fault
from fertools.archive.folder import File, base_of, walk
from fertools.archive.joined import Joined
from fertools.archive.names import (
    decode,
    is_hidden,
    is_zip,
    picture_format,
    printable,
    refusal_by_name,
)
from fertools.archive.pieces import Layout, Piece, find, lay, split_name
from fertools.archive.zips import members, read_contents
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from fertools.errors import SourceError

_EMPTY = Drop(Reason.EMPTY)
_NOTHING = Drop(Reason.NOT_A_PHOTO, "a zip without entries")


@dataclass(frozen=True, slots=True)
class Scan:
    """Every member in the order of the build, and what the user should know, a line each.

    The order is that of containers, then of offsets in a zip, so that it is read forward, or of
    names in a folder. It is the same on every file system.
    """

    members: list[Member]
    warnings: tuple[str, ...] = ()


def scan(source: Path) -> Scan:
    """List what is in a folder, in a zip, or in the set that a piece of a zip belongs to.

    Nothing is extracted and no photo is opened: of a zip only its directory is read. Where SRC is
    a zip itself, paths are relative to the folder that it lies in.

    Raises SourceError if SRC is not there, is neither a folder nor a zip, or has no photo.
    """
    found: list[Member] = []
    warnings: list[str] = []
    with Files(base_of(source)) as files:
        loose, zips = _list(source, files.base)
        found.extend(map(_loose, loose))
        for layout in zips:
            rows, said = _read_zip(layout, files)
            found += rows
            warnings += said
    warnings += _cures(found)
    _refuse_photoless(source, found, warnings)
    found.sort(key=_place)
    return Scan(list(_with_unique_keys(found)), (*sorted(warnings), *_twice(zips)))


def _list(source: Path, base: bytes) -> tuple[list[File], list[Layout]]:
    """List SRC's loose files and its zips. Raises SourceError."""
    shown = printable(str(source))
    try:
        if source.is_dir():
            return _sort_out(walk(base))
        # Not Path.resolve, which answers a link in a loop with RuntimeError up to Python 3.12.
        name = os.path.basename(os.path.realpath(os.fsencode(source), strict=True))  # noqa: PTH119
        if source.is_file() and (is_zip(decode(name)) or split_name(name)):
            return [], [find(base, name)]
    except FileNotFoundError:
        raise SourceError(f"{shown} is not there: check the path") from None
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from None
    raise SourceError(f"{shown} is neither a folder nor a .zip: give what you downloaded")


def _sort_out(files: Iterable[File]) -> tuple[list[File], list[Layout]]:
    loose: list[File] = []
    zips: defaultdict[tuple[bool, bytes], list[Piece]] = defaultdict(list)
    for file in files:
        numbered = split_name(file.path)
        if file.dropped or is_hidden(file.key) or not (numbered or is_zip(file.name)):
            loose.append(file)
            continue
        stem = numbered[0] if numbered else file.path
        piece = Piece(file.path, 0, file.size, file.modified)
        zips[numbered is None, stem].append(piece)
    return loose, [lay(pieces) for pieces in zips.values()]


def _loose(file: File) -> Member:
    dropped = file.dropped or refusal_by_name(file.key) or (None if file.size else _EMPTY)
    return Member(file.key, file.folder, file.path, file.size, file.modified, dropped=dropped)


def _read_zip(layout: Layout, files: Files) -> tuple[list[Member], list[str]]:
    """List a zip's members, with a row for the zip itself and warnings if it is not sound."""
    name = printable(layout.key)
    zipped = Joined(layout, files)
    try:
        contents = read_contents(zipped)
    except SplitSet as split:
        last = printable(layout.key.rpartition("/")[2])
        cure = f"join it first, with: zip -s 0 '{last}' --out 'joined {last}'"
        return [_whole(layout, split.drop)], [f"{name}: {split.drop.detail}; {cure}"]
    except (OSError, ReadFault, Unusable) as error:
        drop = (read_fault(error) if isinstance(error, OSError) else error).drop
        return [_whole(layout, drop)], [f"{name}: {drop.detail}; nothing of it is used"]
    rows = list(members(zipped, contents, layout.key))
    if contents.faults:
        photos = sum(row.dropped is None for row in rows)
        rest = f"{photos:,} of its photos can be used; to have all, download it again"
        drop = Drop(Reason.DAMAGED_ARCHIVE, "; ".join(contents.faults))
        said = [f"{name}: {fault}; {rest}" for fault in contents.faults]
        return [_whole(layout, drop), *rows], said
    return rows or [_whole(layout, _NOTHING)], []


def _whole(layout: Layout, drop: Drop) -> Member:
    """Give a zip a row of its own."""
    folder = layout.key.rpartition("/")[0]
    return Member(layout.key, folder, layout.path, layout.size, layout.modified, dropped=drop)


def _place(member: Member) -> tuple[str, bytes, int, str, bytes]:
    """Sort by container, then by offset (in a zip) or by name (in a folder)."""
    if member.packed:
        return member.container, member.path, member.packed.offset, member.key, b""
    return member.container, b"", 0, member.key, member.path


def _with_unique_keys(members: Iterable[Member]) -> Iterator[Member]:
    """Number those that share a key: a zip may list a name twice, and NFC makes twins."""
    seen: dict[str, int] = {}
    for member in members:
        key = member.key
        while key in seen:
            seen[member.key] += 1
            key = f"{member.key} #{seen[member.key]}"
        seen[key] = 1
        yield member if key is member.key else replace(member, key=key)


def _twice(zips: Iterable[Layout]) -> list[str]:
    """Warn of a zip that was joined and whose pieces were kept."""
    times = Counter(layout.key for layout in zips)
    cure = "its photos count twice; take one of the two away"
    return [
        f"{printable(key)} is there whole and in pieces: {cure}"
        for key, count in sorted(times.items())
        if count > 1
    ]


def _cures(members: Iterable[Member]) -> list[str]:
    """Warn of photos that the user can make usable, with the way to do it.

    One line a zip with a password, one for all pictures whose format is not read.
    """
    locked: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    for member in members:
        if member.dropped is None:
            continue
        if member.dropped.reason is Reason.ENCRYPTED:
            locked[member.container] += 1
        elif member.dropped.reason is Reason.UNSUPPORTED:
            formats[picture_format(member.key)] += 1
    told = [
        f"{printable(container)}: {count:,} photos are behind a password: unpack it with the "
        "password, and give the folder instead"
        for container, count in locked.items()
    ]
    if formats:
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(formats.items()))
        told.append(f"{counts} pictures are left out, their format is not read: convert to JPEG")
    return told


def _refuse_photoless(source: Path, found: list[Member], warnings: list[str]) -> None:
    if any(member.dropped is None for member in found):
        return
    reasons = Counter(member.dropped.reason for member in found if member.dropped)
    counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
    why = warnings[0] if warnings else "give the folder that the zips or the photos lie in"
    shown = printable(str(source))
    raise SourceError(f"{shown} holds no photo that can be used ({counts or 'it is empty'}): {why}")

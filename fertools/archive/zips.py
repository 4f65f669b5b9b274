"""A zip, whole or damaged, as members."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from fertools.archive.directory import SplitSet, read_directory
from fertools.archive.entry import LOCAL_MARK, Entry
from fertools.archive.joined import Joined
from fertools.archive.pieces import split_name
from fertools.archive.salvage import salvage
from fertools.data import Drop, Member, Packed, Reason, Unusable


@dataclass(frozen=True, slots=True)
class Contents:
    """What a zip holds, by offset; where that ends; and what is wrong with it, a line each."""

    entries: list[Entry]
    end: int
    faults: tuple[str, ...]


def read_contents(zipped: Joined) -> Contents:
    """List a zip's entries by its directory, or by its local headers where that is lost.

    Raises SplitSet for the last file of a `.z01` set, and OSError if the zip cannot be read.
    """
    faults = zipped.layout.faults
    try:
        directory = read_directory(zipped)
    except SplitSet:
        raise
    except Unusable as damage:
        entries = salvage(zipped)
        return Contents(entries, zipped.size, (*faults, _without_directory(zipped, damage)))
    entries = sorted(directory.entries, key=lambda entry: entry.offset)
    faults += directory.faults + tuple(_strangers(zipped, entries))
    return Contents(entries, directory.start, faults)


def _without_directory(zipped: Joined, damage: Unusable) -> str:
    said = damage.drop.detail or str(damage.drop.reason)
    numbered = split_name(zipped.layout.path) is not None
    last = zipped.layout.pieces[-1].name
    return f"{said}; {last} is its last piece here, is there another?" if numbered else said


def _strangers(zipped: Joined, entries: list[Entry]) -> Iterator[str]:
    """Name each piece that does not hold what the directory says, by the first entry in it.

    One read a piece: two pieces with their names swapped fit in every number.
    """
    for piece in zipped.layout.pieces:
        index = bisect_left(entries, piece.start, key=lambda entry: entry.offset)
        if index == len(entries) or entries[index].offset + len(LOCAL_MARK) > piece.end:
            continue
        if zipped.read(entries[index].offset, len(LOCAL_MARK)) != LOCAL_MARK:
            yield f"{piece.name} does not hold what the directory says: swapped or damaged"


def members(zipped: Joined, contents: Contents, container: str) -> Iterator[Member]:
    """Turn entries into members, in the order of their offsets; folders are none."""
    layout = zipped.layout
    path, modified = layout.path, layout.modified
    limits = [*(entry.offset for entry in contents.entries), contents.end][1:]
    for entry, limit in zip(contents.entries, limits, strict=True):
        if entry.is_folder:
            continue
        name = entry.name
        dropped = entry.refusal(name, limit)
        if dropped is None and (hole := layout.hole(entry.offset, entry.end)):
            dropped = Drop(Reason.UNREADABLE, hole.what)
        yield Member(
            key=f"{container}/{name}",
            container=container,
            path=path,
            size=entry.size,
            modified=modified,
            packed=Packed(entry.offset, entry.packed, entry.method, entry.crc),
            dropped=dropped,
        )

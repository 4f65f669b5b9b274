"""Where each byte of a zip lies: in one file, or in pieces with perhaps a hole between them.

AI-Hub serves a large zip as `NAME.zip.part0`, `NAME.zip.part1073741824`, …: the number is the
offset of the piece's first byte. Other tools count `part0`, `part1`, …; both are read here.

    0              1 GiB          2 GiB          3 GiB      size
    ├─ part0 ──────┼─ part1073… ──┤     hole     ├─ part3221… ┤
"""

from __future__ import annotations

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from fertools.archive.folder import Files, read_at
from fertools.archive.names import decode_name, decode_path
from fertools.data import ReadFault, Reason, Unusable
from fertools.errors import printable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH116, PTH118, PTH119, PTH120, PTH208


# One spelling a number, so that no two files can be the same piece: neither part07 nor PART7.
_PIECE = re.compile(rb"(.+\.(?i:zip))\.part(0|[1-9]\d{0,17})", re.DOTALL)

# A number above this is an offset: nobody cuts a zip into 1,000 pieces, or into pieces so small.
_MOST_PIECES = 999


@dataclass(frozen=True, slots=True)
class Volume:
    """One file of a zip: its path relative to the base, the bytes it holds, its mtime in ns."""

    path: bytes
    start: int
    size: int
    modified: int

    @property
    def end(self) -> int:
        """The offset behind its last byte."""
        return self.start + self.size

    @property
    def name(self) -> str:
        """The file's name, fit to print."""
        return printable(decode_name(os.path.basename(self.path)))


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that nobody has, start <= offset < end, and the piece that should hold them."""

    start: int
    end: int
    what: str


@dataclass(frozen=True, slots=True)
class VolumeSet:
    """The pieces of one zip in order, the holes between them, and what is wrong, a line each."""

    pieces: tuple[Volume, ...]
    holes: tuple[Gap, ...] = ()
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.pieces:
            raise ValueError("a zip has at least one piece, got none")

    @property
    def path(self) -> bytes:
        """The first piece's path: it stands for the whole."""
        return self.pieces[0].path

    @property
    def key(self) -> str:
        """The zip's name as if it were one file, relative to the base, NFC."""
        found = parse_volume_name(self.path)
        return decode_path(found[0] if found else self.path)

    @property
    def size(self) -> int:
        """Bytes from the zip's first to its last, holes included."""
        return self.pieces[-1].end

    @property
    def modified(self) -> int:
        """The youngest piece's mtime in ns."""
        return max(piece.modified for piece in self.pieces)

    def at(self, offset: int) -> Volume | Gap | None:
        """Give what covers an offset; None outside the zip."""
        index = bisect_right(self.pieces, offset, key=lambda piece: piece.start) - 1
        if index >= 0 and offset < self.pieces[index].end:
            return self.pieces[index]
        return self.hole(offset, offset + 1)

    def hole(self, start: int, end: int) -> Gap | None:
        """Give the first hole that a range of offsets touches."""
        touched = (hole for hole in self.holes if hole.start < end and start < hole.end)
        return next(touched, None)


def parse_volume_name(path: bytes) -> tuple[bytes, int] | None:
    """Take a piece's path apart: b"a/b.zip.part7" -> (b"a/b.zip", 7); None for other files."""
    match = _PIECE.fullmatch(path)
    return (match[1], int(match[2])) if match else None


def find_volumes(base: bytes, path: bytes) -> VolumeSet:
    """Look up the layout of the zip that a path, relative to the base, stands for.

    Raises OSError if the file, or the folder of its pieces, cannot be looked at or is gone.
    """
    numbered = parse_volume_name(path)
    if numbered is None:
        return order_volumes([_look(base, path)[0]])
    folder = os.path.dirname(path)
    beside = [os.path.join(folder, name) for name in os.listdir(os.path.join(base, folder))]
    same = [other for other in beside if (parse_volume_name(other) or (b"",))[0] == numbered[0]]
    found = [_look(base, other) for other in same]
    pieces = [piece for piece, is_file in found if is_file]
    if not pieces:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return order_volumes(pieces)


def _look(base: bytes, path: bytes) -> tuple[Volume, bool]:
    """Give a file as a piece, and whether it is a file at all: a link is not, as in the scan."""
    status = os.stat(os.path.join(base, path), follow_symlinks=False)
    return Volume(path, 0, status.st_size, status.st_mtime_ns), stat.S_ISREG(status.st_mode)


def order_volumes(files: Iterable[Volume]) -> VolumeSet:
    """Put a zip's files in order by their numbers; the `start` they come with is not looked at.

    A missing piece leaves a hole: exactly known if the numbers are offsets, else taken to be as
    long as the longest of the others (who counts, cuts all but the last one equal).
    """
    files = sorted(files, key=lambda piece: piece.path)
    numbered = {number: piece for piece in files if (number := _number(piece)) is not None}
    if not numbered:
        return VolumeSet(tuple(files))
    ordered = dict(sorted(numbered.items()))
    return _lay_offsets(ordered) if _are_offsets(ordered) else _lay_counted(ordered)


def _number(piece: Volume) -> int | None:
    found = parse_volume_name(piece.path)
    return found[1] if found else None


def _are_offsets(numbered: Mapping[int, Volume]) -> bool:
    """Say whether no piece reaches into the next one if its number is its offset."""
    if len(numbered) == 1:
        return not 0 < min(numbered) <= _MOST_PIECES
    fits = all(here + numbered[here].size <= there for here, there in pairwise(numbered))
    return fits or max(numbered) > _MOST_PIECES


def _lay_offsets(numbered: Mapping[int, Volume]) -> VolumeSet:
    pieces: list[Volume] = []
    holes: list[Gap] = []
    faults: list[str] = []
    reached = 0
    for start, piece in numbered.items():
        if reached > start:
            faults.append(f"{pieces[-1].name} is {reached - start:,} bytes longer than its place")
            pieces[-1] = replace(pieces[-1], size=start - pieces[-1].start)
        if reached < start:
            cut = f" (or {pieces[-1].name} was cut)" if pieces else ""
            holes.append(Gap(reached, start, f"{_called(piece, reached)} is missing{cut}"))
        pieces.append(replace(piece, start=start))
        reached = pieces[-1].end
    return VolumeSet(tuple(pieces), tuple(holes), (*(hole.what for hole in holes), *faults))


def _lay_counted(numbered: Mapping[int, Volume]) -> VolumeSet:
    usual = max(piece.size for piece in numbered.values())
    some_piece = next(iter(numbered.values()))
    pieces: list[Volume] = []
    holes: list[Gap] = []
    start = 0
    for number in range(max(numbered) + 1):
        if number in numbered:
            pieces.append(replace(numbered[number], start=start))
            start = pieces[-1].end
        else:
            what = f"{_called(some_piece, number)} is missing"
            holes.append(Gap(start, start + usual, what))
            start += usual
    return VolumeSet(tuple(pieces), tuple(holes), tuple(hole.what for hole in holes))


def _called(piece: Volume, number: int) -> str:
    """Name the piece of another number out of the same set."""
    return piece.name[: piece.name.rindex(".") + len(".part")] + str(number)


class VolumeReader:
    """Reads the pieces of a layout as if they were one file; nothing is copied together."""

    def __init__(self, layout: VolumeSet, files: Files) -> None:
        self.layout = layout
        self.size = layout.size
        self._files = files

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises Unusable, UNREADABLE, if the range leaves the zip or touches a hole (the missing
        piece is named), ReadFault if a file is shorter than its layout says, and OSError if one
        cannot be read.
        """
        parts = []
        while count > 0:
            part = self._read_piece(offset, count)
            parts.append(part)
            offset += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def name_at(self, offset: int) -> str:
        """Name the file that holds an offset, for a message."""
        piece = self.layout.at(offset)
        return piece.name if isinstance(piece, Volume) else "no piece"

    def solid_until(self, offset: int) -> int:
        """Give the end of the unbroken run at an offset: a hole's start, or the size."""
        later = (hole.start for hole in self.layout.holes if hole.end > offset)
        return max(offset, min(later, default=self.size))

    def solid_from(self, offset: int) -> int:
        """Give the first offset, not before this one, whose byte is there."""
        while hole := self.layout.hole(offset, offset + 1):
            offset = hole.end
        return offset

    @property
    def tail(self) -> int:
        """Where the last unbroken run of bytes starts."""
        return max((hole.end for hole in self.layout.holes), default=0)

    def _read_piece(self, offset: int, count: int) -> bytes:
        """Give what one piece has of a range, at least a byte."""
        piece = self.layout.at(offset)
        if isinstance(piece, Gap):
            raise Unusable(Reason.UNREADABLE, piece.what)
        if piece is None:
            raise Unusable(Reason.UNREADABLE, f"byte {offset:,} lies outside the zip")
        descriptor = self._files.descriptor(piece.path)
        data = read_at(descriptor, offset - piece.start, min(count, piece.end - offset))
        if not data:
            raise ReadFault(Reason.CHANGED, f"{piece.name} is shorter than it was")
        return data

"""Read the bytes of a zip by offset, from one file or from several volumes; some may be missing.

AI-Hub serves a large zip as `NAME.zip.part0`, `NAME.zip.part1073741824`, …: the number is the
offset of the first byte of the volume. Other tools count `part0`, `part1`, …. Both are read.

    0              1 GiB          2 GiB          3 GiB      size
    ├─ part0 ──────┼─ part1073… ──┤     gap      ├─ part3221… ┤
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from fertools.archive.folder import OpenFiles, read_at
from fertools.archive.names import decode_name, decode_path
from fertools.data import ReadFault, Reason, Unusable
from fertools.errors import printable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH119

# One spelling per number, neither part07 nor PART7: no two files can be the same volume.
_VOLUME = re.compile(rb"(.+\.(?i:zip))\.part(0|[1-9]\d{0,17})", re.DOTALL)

# A larger number is an offset: no tool makes 1,000 volumes, or volumes of less than 1,000 bytes.
_MAX_VOLUME_NUMBER = 999


@dataclass(frozen=True, slots=True)
class Volume:
    """A range of bytes that holds a range of a zip: a file of the zip, or a piece of a file.

    path      relative to the base; of a volume in a tar: the tar's path, "/", the name in the tar
    start     offset in the zip; `size` in bytes; `modified`, mtime in ns
    within    the file that holds the bytes from `at` on; b"" for `path` itself, from 0 on
    """

    path: bytes
    start: int
    size: int
    modified: int
    within: bytes = b""
    at: int = 0

    @property
    def file(self) -> bytes:
        """The path of the file of the disk that is read."""
        return self.within or self.path

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def name(self) -> str:
        return printable(decode_name(os.path.basename(self.path)))


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing bytes, start <= offset < end, and a line that names the missing volume."""

    start: int
    end: int
    detail: str


@dataclass(frozen=True, slots=True)
class VolumeSet:
    """The volumes of one zip in order (at least one), its gaps, and one line per fault.

    notes   what the user should know although the zip can be read completely
    """

    volumes: tuple[Volume, ...]
    gaps: tuple[Gap, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> bytes:
        """The path of the first volume, which identifies the zip."""
        return self.volumes[0].path

    @property
    def key(self) -> str:
        """The path of the zip without the volume's `.partN`, relative to the base, NFC."""
        parsed = parse_volume_name(self.path)
        return decode_path(parsed[0] if parsed else self.path)

    @property
    def size(self) -> int:
        """Size of the whole zip in bytes, gaps included."""
        return self.volumes[-1].end

    @property
    def modified(self) -> int:
        """The latest mtime of the volumes, in ns."""
        return max(volume.modified for volume in self.volumes)

    def at(self, offset: int) -> Volume | Gap | None:
        """Return the volume or gap that contains an offset; None outside the zip."""
        index = bisect_right(self.volumes, offset, key=lambda volume: volume.start) - 1
        if index >= 0 and offset < self.volumes[index].end:
            return self.volumes[index]
        return self.first_gap(offset, offset + 1)

    def first_gap(self, start: int, end: int) -> Gap | None:
        """Return the first gap that overlaps start <= offset < end; None without one."""
        return next((gap for gap in self.gaps if gap.start < end and start < gap.end), None)


def parse_volume_name(path: bytes) -> tuple[bytes, int] | None:
    """Split a volume's path: b"a/b.zip.part7" -> (b"a/b.zip", 7); None for other paths."""
    match = _VOLUME.fullmatch(path)
    return (match[1], int(match[2])) if match else None


def order_volumes(files: Iterable[Volume]) -> VolumeSet:
    """Order the volumes of a zip by number, set each `start`, and find the gaps.

    If the numbers are offsets, the length of a missing volume is known. Otherwise it is taken from
    the longest volume: tools that count make all volumes except the last equally long.
    """
    files = sorted(files, key=lambda volume: volume.path)
    parsed = [(parse_volume_name(volume.path), volume) for volume in files]
    numbered = {name[1]: volume for name, volume in parsed if name}
    if not numbered:
        return VolumeSet(tuple(files))
    ordered = dict(sorted(numbered.items()))
    return _order_by_offset(ordered) if _are_offsets(ordered) else _order_by_count(ordered)


def _are_offsets(numbered: Mapping[int, Volume]) -> bool:
    """Return whether the numbers are offsets: then no volume reaches into the next one."""
    if len(numbered) == 1:
        return not 0 < min(numbered) <= _MAX_VOLUME_NUMBER
    no_overlap = all(here + numbered[here].size <= there for here, there in pairwise(numbered))
    return no_overlap or max(numbered) > _MAX_VOLUME_NUMBER


def _order_by_offset(numbered: Mapping[int, Volume]) -> VolumeSet:
    volumes: list[Volume] = []
    gaps: list[Gap] = []
    faults: list[str] = []
    end = 0
    for start, volume in numbered.items():
        if end > start:
            faults.append(f"{volumes[-1].name} is {end - start:,} bytes too long")
            volumes[-1] = replace(volumes[-1], size=start - volumes[-1].start)
        if end < start:
            cut = f" (or {volumes[-1].name} was cut)" if volumes else ""
            gaps.append(Gap(end, start, f"{_volume_name(volume, end)} is missing{cut}"))
        volumes.append(replace(volume, start=start))
        end = volumes[-1].end
    return VolumeSet(tuple(volumes), tuple(gaps), (*(gap.detail for gap in gaps), *faults))


def _order_by_count(numbered: Mapping[int, Volume]) -> VolumeSet:
    longest = max(volume.size for volume in numbered.values())
    any_volume = next(iter(numbered.values()))
    volumes: list[Volume] = []
    gaps: list[Gap] = []
    start = 0
    for number in range(max(numbered) + 1):
        if number in numbered:
            volumes.append(replace(numbered[number], start=start))
            start = volumes[-1].end
        else:
            name = _volume_name(any_volume, number)
            gaps.append(Gap(start, start + longest, f"{name} is missing"))
            start += longest
    return VolumeSet(tuple(volumes), tuple(gaps), tuple(gap.detail for gap in gaps))


def _volume_name(volume: Volume, number: int) -> str:
    """Return the name that volume `number` of the same zip has."""
    return volume.name[: volume.name.rindex(".") + len(".part")] + str(number)


class VolumeReader:
    """A reader of the volumes of a zip as if they were one file, without joining them on disk."""

    def __init__(self, volume_set: VolumeSet, files: OpenFiles) -> None:
        self.volume_set = volume_set
        self.size = volume_set.size
        self._files = files

    def arranged(self, volume_set: VolumeSet) -> VolumeReader:
        """Return a reader of the same files with other volumes."""
        return VolumeReader(volume_set, self._files)

    def read(self, offset: int, count: int) -> bytes:
        """Return exactly `count` bytes.

        Raises Unusable (UNREADABLE) if the range leaves the zip or overlaps a gap (the detail names
        the missing volume), ReadFault if a file has become shorter, OSError if it cannot be read.
        """
        chunks = []
        while count > 0:
            volume = self.volume_set.at(offset)
            if isinstance(volume, Gap):
                raise Unusable(Reason.UNREADABLE, volume.detail)
            if volume is None:
                raise Unusable(Reason.UNREADABLE, f"byte {offset:,} lies outside the zip")
            descriptor = self._files.descriptor(volume.file)
            at = volume.at + offset - volume.start
            chunk = read_at(descriptor, at, min(count, volume.end - offset))
            if not chunk:
                raise ReadFault(Reason.CHANGED, f"{volume.name} is shorter than it was")
            chunks.append(chunk)
            offset += len(chunk)
            count -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def file_name_at(self, offset: int) -> str:
        """Return the name of the volume that contains an offset, which must not be in a gap."""
        volume = self.volume_set.at(offset)
        assert isinstance(volume, Volume)
        return volume.name

    def run_end(self, offset: int) -> int:
        """Return where the bytes present from an offset on end: the next gap, or the size."""
        later = (gap.start for gap in self.volume_set.gaps if gap.end > offset)
        return max(offset, min(later, default=self.size))

    def skip_gaps(self, offset: int) -> int:
        """Return `offset` itself, or the end of the gap in which it lies."""
        while gap := self.volume_set.first_gap(offset, offset + 1):
            offset = gap.end
        return offset

    @property
    def last_run_start(self) -> int:
        """The end of the last gap, 0 without gaps: all bytes from there on are present."""
        return max((gap.end for gap in self.volume_set.gaps), default=0)

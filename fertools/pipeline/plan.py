"""Divide the members to process into parts, and write the plan that every worker can open.

    part     0 … 511 | 512 … 1023 | 1024 … 1909
    machine     a          b            c          --only-parts 0-511, 512-1023, 1024-1909

The plan is an Arrow IPC file with one record batch a part. A worker maps it and reads its own
batch, so a task carries a path and a number and no list of half a million names. A part has members
of one container: adding a zip to the archive adds parts and leaves the others as they are.

Part numbers depend on the archive and on which photos are selected. So every machine with the same
command numbers the parts alike, and no machine has to know of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from fertools.archive.members import Members, keys_of
from fertools.columns import Ints
from fertools.data import IN_TAR, Box, Member, ZipLocation
from fertools.errors import OptionError, OutputError, printable
from fertools.files import whole_file
from fertools.pipeline.parts import PartFiles, is_current

#: At most this many members a part: about ten seconds of one core, so that a kill costs little.
LARGEST: Final = 256
#: At least this many: below it, opening files costs more than the photos.
_SMALLEST: Final = 4

#: The annotators' box by a member's key, if it is the crop's.
Boxes = Mapping[str, Box]

_ANY_TEXT: Final = ("utf-8", "surrogatepass")  # a damaged name may hold half a surrogate pair

#: Keys of the plan's metadata.
_NAMES: Final = b"parts"
_SCANNED: Final = b"scanned"

#: What reading a plan that is missing or damaged may raise: Arrow's files have no checksums.
PLAN_FAULTS: Final = (OSError, pa.ArrowException, ValueError, KeyError, IndexError, TypeError)

_SCHEMA: Final = pa.schema(
    [
        ("key", pa.string()),
        ("container", pa.string()),
        ("path", pa.binary()),
        ("size", pa.int64()),
        ("modified", pa.int64()),
        ("offset", pa.int64()),
        ("packed_size", pa.int64()),
        ("method", pa.int16()),
        ("crc", pa.int64()),
        ("annotated", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """The parts of a build by number.

    path     the plan's file
    basis    what the parts' names cover besides the members (see part_fingerprint)
    scanned  when the listing of the archive began, ns since the epoch
    """

    path: Path
    members: Parts
    boxes: Boxes
    basis: str
    files: list[PartFiles]
    scanned: int

    @property
    def names(self) -> list[str]:
        return [files.fingerprint for files in self.files]

    def write(self) -> None:
        """Write the plan for the workers, which get a part's number: see `read_part`."""
        schema = _SCHEMA.with_metadata({_NAMES: "\n".join(self.names), _SCANNED: str(self.scanned)})
        with whole_file(self.path) as file, pa.ipc.new_file(file, schema) as writer:
            for members in self.members:
                writer.write_batch(_batch(members, self.boxes).cast(schema))

    def check_written(self) -> None:
        """Raise OutputError if another process wrote the plan for another archive."""
        if planned_names(self.path) != self.names:
            raise OutputError(
                f"the archive is not the one of {self.path}{self.difference()}: give the same one, "
                "or another OUT"
            )

    def difference(self) -> str:
        """Return the first photo in which the written plan differs from this one, or ""."""
        names = planned_names(self.path)
        own = self.names
        try:
            old = {
                member.key: member
                for number in _missing(names, own)
                for member, _ in read_part(self.path, number)
            }
        except PLAN_FAULTS:
            return ""
        for member in (m for number in _missing(own, names) for m in self.members[number]):
            was, key = old.pop(member.key, None), printable(member.key)
            if was is None:
                return f"; {key} is new"
            if (was.size, was.packed) != (member.size, member.packed):
                return f"; {key} is not the same photo"
        return f"; {printable(next(iter(old)))} is gone" if old else ""

    def part_range(self, first: int, last: int) -> range:
        """Return the parts from `first` to `last`; raise OptionError if there are none."""
        if first >= len(self.files):
            raise OptionError(
                f"--only-parts {first}-{last}: there are {len(self.files):,} parts, "
                f"0 to {len(self.files) - 1}"
            )
        return range(first, min(last + 1, len(self.files)))

    def is_current(self, number: int) -> bool:
        """Return whether a part is done, of the photos as the written plan lists them."""
        if not self.files[number].done:
            return False
        try:
            return is_current(self.files[number], read_times(self.path, number))
        except PLAN_FAULTS:
            return False

    def count_done(self, *, accept_unreadable: bool) -> int:
        """Count the parts that are there, whichever process made them.

        With `accept_unreadable`, parts with photos that could not be read count as well.
        """
        return sum(
            files.done or (accept_unreadable and files.partial.is_file()) for files in self.files
        )


def _missing(names: Sequence[str], others: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the parts that the other plan does not have."""
    there = frozenset(others)
    return (number for number, name in enumerate(names) if name not in there)


@dataclass(frozen=True, slots=True)
class Parts:
    """The members of each part, put together on access.

    selected  the positions of the members to process
    starts    where in `selected` each part begins, and behind the last one its end
    """

    members: Members
    selected: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Members:
        return self.members.take(self.selected[self.starts[number] : self.starts[number + 1]])

    def __iter__(self) -> Iterator[Members]:
        return (self[number] for number in range(len(self)))

    @property
    def sizes(self) -> Ints:
        """The number of members of each part, int64, (parts,)."""
        return np.diff(self.starts)


def cut_into_parts(members: Members, selected: Ints, size: int | None = None) -> Parts:
    """Divide the selected members, in their order, into parts.

    size   at most so many members a part

    By default the size depends on the archive alone, never on --jobs: 64 parts and more keep 16
    workers busy to the end even if the archive is small.
    """
    size = size or min(LARGEST, max(_SMALLEST, len(selected) // 64))
    containers = members.columns.codes("container")[0][selected]
    borders = np.flatnonzero(np.diff(containers)) + 1
    runs = zip([0, *borders.tolist()], [*borders.tolist(), len(selected)], strict=True)
    starts = [start for first, last in runs for start in range(first, last, size)]
    return Parts(members, selected, np.array([*starts, len(selected)], dtype=np.int64))


def part_fingerprint(basis: str, members: Iterable[Member], boxes: Boxes) -> str:
    """Return a part's name, which covers all that its bytes depend on.

    basis  how faces are found and cropped, and the versions that decide about that

    A loose photo's time is not covered: a copy of the archive has other times. The part's rows
    hold it, and a photo with another time is compared by its SHA-256 (see parts.py).
    """
    digest = blake2b(basis.encode(), digest_size=16)
    for member in members:
        packed = member.packed
        where = f"{packed.offset} {packed.size} {packed.method} {packed.crc}" if packed else ""
        text = f"\0{member.key}\0{member.size}\0{where}\0{_edges(boxes.get(member.key))}"
        digest.update(text.encode(*_ANY_TEXT))
    return digest.hexdigest()


def _edges(box: Box | None) -> tuple[float, ...] | None:
    return None if box is None else (*map(float, (box.x0, box.y0, box.x1, box.y1)),)


def modified(member: Member) -> int | None:
    """Return the time of modification of a photo without a checksum, a loose one or one in a tar.

    A part whose rows hold another time may be of another photo. None for a photo in a zip.
    """
    return None if member.has_checksum else member.modified


def planned_names(path: Path) -> list[str]:
    """Return the fingerprints of the parts in a plan; none if it is missing or damaged."""
    return _metadata(path).get(_NAMES, b"").decode("ascii", "replace").split()


def scanned_at(path: Path) -> int | None:
    """Return when the listing of a plan's archive began, ns since the epoch; None if unknown."""
    text = _metadata(path).get(_SCANNED, b"")
    return int(text) if text.isdigit() else None


def read_part(path: Path, number: int) -> Iterator[tuple[Member, Box | None]]:
    """Yield the members of one part, each with the annotators' box if that is the crop's.

    Raises one of PLAN_FAULTS if the file is missing or damaged.
    """
    for row in _opened(path, path.stat().st_mtime_ns).get_batch(number).to_pylist():
        yield _member(row), Box(*row["annotated"]) if row["annotated"] else None


def read_times(path: Path, number: int) -> list[int | None]:
    """Return the times of a part's photos as `modified` does. Raises as `read_part`."""
    batch = _opened(path, path.stat().st_mtime_ns).get_batch(number)
    zipped = pc.fill_null(pc.not_equal(batch.column("method"), IN_TAR), fill_value=False)
    times: list[int | None] = pc.if_else(zipped, None, batch.column("modified")).to_pylist()
    return times


def _metadata(path: Path) -> dict[bytes, bytes]:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).schema.metadata or {}
    except PLAN_FAULTS:
        return {}


@lru_cache(maxsize=1)
def _opened(path: Path, _modified: int) -> Any:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def _batch(members: Members, boxes: Boxes) -> pa.RecordBatch:
    batch = members.columns.rows(0, len(members))
    keys = keys_of(batch)
    columns = {name: batch[name] for name in batch.schema.names}
    columns["path"] = batch["path"].dictionary_decode().fill_null(keys.cast(pa.binary()))
    columns["container"] = batch["container"].dictionary_decode()
    columns["key"] = keys
    columns["annotated"] = pa.array(
        [_edges(boxes.get(key)) for key in keys.to_pylist()], _SCHEMA.field("annotated").type
    )
    return pa.record_batch([columns[f.name].cast(f.type) for f in _SCHEMA], schema=_SCHEMA)


def _member(row: dict[str, Any]) -> Member:
    packed = None
    if row["offset"] is not None:
        packed = ZipLocation(*(row[name] for name in ("offset", "packed_size", "method", "crc")))
    own = {name: row[name] for name in ("key", "container", "path", "size", "modified")}
    return Member(**own, packed=packed)


def parse_part_range(text: str) -> tuple[int, int]:
    """Return the first and the last part of a part range.

    Example: "512-1023" -> (512, 1023), "7" -> (7, 7)

    Raises OptionError for anything else.
    """
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip(), re.ASCII)
    first, last = (int(end or found[1]) for end in found.groups()) if found else (1, 0)
    if first > last:
        raise OptionError(
            f"--only-parts {text}: give the first and the last part, counted from 0, such as 0-511"
        )
    return first, last


@dataclass(frozen=True, slots=True)
class PartsReport:
    """The result of `build_parts`.

    share  the part range of this call
    done   how many of all parts are done, by whichever process
    parts  the number of all parts
    """

    out: Path
    share: range
    done: int
    parts: int
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every part is done, so that the dataset can be assembled."""
        return self.done == self.parts

    def text(self) -> str:
        first, last = self.share.start, self.share.stop - 1
        then = "then run" if not self.complete else "now run"
        lines = [
            f"parts {first} to {last} are done, {self.done:,} of all {self.parts:,} in {self.out}",
            f"{then} the same command without --only-parts: it assembles the dataset",
            *(f"warning: {printable(warning)}" for warning in self.warnings),
        ]
        return "\n".join(lines)

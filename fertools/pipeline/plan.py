"""The members to look at, cut into parts, in a file that every worker can open.

The file is Arrow IPC with one record batch a part: a worker maps it and reads its own batch, so a
task carries a path and a number and no list of half a million names. A part never crosses a
container: adding a zip to the archive adds parts and leaves the others as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from fertools.archive.members import Members, keys_of
from fertools.columns import Ints
from fertools.data import Box, Member, Packed
from fertools.errors import OptionError, OutputError, printable
from fertools.files import whole_file
from fertools.pipeline.parts import PartFiles, is_current

#: At most this many members a part: about ten seconds of one core, so that a kill costs little.
_LARGEST: Final = 256
#: At least this many: below it, opening files costs more than the photos.
_SMALLEST: Final = 4

Boxes = Mapping[str, Box]

_ANY_TEXT: Final = ("utf-8", "surrogatepass")  # a damaged name may hold half a surrogate pair

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
class Parts(Sequence[Members]):
    """The members of each part, put together when asked for.

    wanted   the positions of the members to look at
    starts   where in `wanted` each part begins, and behind the last one its end
    """

    members: Members
    wanted: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int) -> Members: ...
    @overload
    def __getitem__(self, index: slice) -> list[Members]: ...

    def __getitem__(self, index: int | slice) -> Members | list[Members]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[i] for i in numbers]
        return self.members.take(self.wanted[self.starts[numbers] : self.starts[numbers + 1]])

    @property
    def sizes(self) -> Ints:
        """How many members each part has, int64, (parts,)."""
        return np.diff(self.starts)


def cut_into_parts(members: Members, wanted: Ints) -> Parts:
    """Cut the wanted members, in their order, into parts that every number of workers can share.

    The size depends on the archive alone, never on --jobs: 64 parts and more keep 16 workers
    busy to the end even where the archive is small.
    """
    size = min(_LARGEST, max(_SMALLEST, len(wanted) // 64))
    containers = members.columns.codes("container")[0][wanted]
    borders = np.flatnonzero(np.diff(containers)) + 1
    runs = zip([0, *borders.tolist()], [*borders.tolist(), len(wanted)], strict=True)
    starts = [start for first, last in runs for start in range(first, last, size)]
    return Parts(members, wanted, np.array([*starts, len(wanted)], dtype=np.int64))


def part_fingerprint(basis: str, members: Iterable[Member], boxes: Boxes) -> str:
    """Return a part's name, which covers all that its bytes depend on.

    basis  how faces are found and cropped, and the versions that decide about that
    boxes  the annotators' box by a member's key, where it is the crop's

    A loose photo's time is not covered: a copy of the archive has other times. The part's rows
    hold it, and a photo with another one is compared by its SHA-256 (see parts.py).
    """
    digest = blake2b(basis.encode(), digest_size=16)
    for member in members:
        digest.update(f"\0{_identity(member)}\0{_edges(boxes.get(member.key))}".encode(*_ANY_TEXT))
    return digest.hexdigest()


def _identity(member: Member) -> str:
    packed = member.packed
    where = f"{packed.offset} {packed.size} {packed.method} {packed.crc}" if packed else ""
    return f"{member.key}\0{member.size}\0{where}"


def _edges(box: Box | None) -> tuple[float, ...] | None:
    return None if box is None else (*map(float, (box.x0, box.y0, box.x1, box.y1)),)


def modified(member: Member) -> int | None:
    """Return a loose photo's time, which tells a part of another photo; None for a packed one."""
    return None if member.packed else member.modified


def write_plan(
    path: Path, parts: Iterable[Members], boxes: Boxes, names: Sequence[str], scanned: int
) -> None:
    """Write the parts so that `read_part` finds them by number.

    boxes    the annotators' box by a member's key, where it is the crop's
    names    the parts' fingerprints
    scanned  when the archive's listing began, ns since the epoch
    """
    schema = _SCHEMA.with_metadata({_NAMES: "\n".join(names), _SCANNED: str(scanned)})
    with whole_file(path) as file, pa.ipc.new_file(file, schema) as writer:
        for members in parts:
            writer.write_batch(_batch(members, boxes).cast(schema))


def planned_names(path: Path) -> list[str]:
    """Return the fingerprints of the parts in a plan; none where it is missing or damaged."""
    return _metadata(path).get(_NAMES, b"").decode("ascii", "replace").split()


def scanned_at(path: Path) -> int | None:
    """Return when the listing of a plan's archive began, ns since the epoch; None if unknown."""
    text = _metadata(path).get(_SCANNED, b"")
    return int(text) if text.isdigit() else None


def read_part(path: Path, number: int) -> Iterator[tuple[Member, Box | None]]:
    """Yield the members of one part, each with the annotators' box if that is to be the crop's.

    Raises one of PLAN_FAULTS where the file is missing or damaged.
    """
    for row in _opened(path, path.stat().st_mtime_ns).get_batch(number).to_pylist():
        yield _member(row), Box(*row["annotated"]) if row["annotated"] else None


def read_times(path: Path, number: int) -> list[int | None]:
    """Return the times of a part's loose photos, None for packed ones. Raises as `read_part`."""
    batch = _opened(path, path.stat().st_mtime_ns).get_batch(number)
    packed = pc.is_valid(batch.column("offset"))
    times: list[int | None] = pc.if_else(packed, None, batch.column("modified")).to_pylist()
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
        packed = Packed(row["offset"], row["packed_size"], row["method"], row["crc"])
    return Member(
        key=row["key"],
        container=row["container"],
        path=row["path"],
        size=row["size"],
        modified=row["modified"],
        packed=packed,
    )


def parse_part_range(text: str) -> tuple[int, int]:
    """Read the first and the last part of a share.

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
class PartsPlan:
    """The parts of a build by number: their members, and where each is or will be."""

    path: Path
    members: Parts
    boxes: Boxes
    basis: str
    files: list[PartFiles]
    scanned: int

    @property
    def names(self) -> list[str]:
        """The parts' fingerprints."""
        return [files.fingerprint for files in self.files]

    def write(self) -> None:
        """Write the plan for the workers, which are sent a part's number."""
        write_plan(self.path, self.members, self.boxes, self.names, self.scanned)

    def current(self, number: int) -> bool:
        """Return whether a part is done, of the photos as the plan that was written knows them."""
        if not self.files[number].done:
            return False
        try:
            return is_current(self.files[number], read_times(self.path, number))
        except PLAN_FAULTS:
            return False

    def difference(self) -> str:
        """Name the first photo in which a plan that was written differs from this one, or ""."""
        names = planned_names(self.path)
        own = self.names
        try:
            old = _by_key(
                member
                for number in _others(names, own)
                for member, _ in read_part(self.path, number)
            )
        except PLAN_FAULTS:
            return ""
        for member in (m for number in _others(own, names) for m in self.members[number]):
            was = old.pop(member.key, None)
            shown = printable(member.key)
            if was is None:
                return f"; {shown} is new"
            if (was.size, was.packed) != (member.size, member.packed):
                return f"; {shown} is not the same photo"
        return f"; {printable(next(iter(old)))} is gone" if old else ""

    def check_written(self) -> None:
        """Refuse a plan that another process wrote for another archive. Raises OutputError."""
        if planned_names(self.path) != self.names:
            raise OutputError(
                f"the archive is not the one of {self.path}{self.difference()}: give the same one, "
                "or another OUT"
            )

    def share(self, first: int, last: int) -> range:
        """Give the parts from `first` to `last`; raise OptionError where there are none."""
        if first >= len(self.files):
            raise OptionError(
                f"--only-parts {first}-{last}: there are {len(self.files):,} parts, "
                f"0 to {len(self.files) - 1}"
            )
        return range(first, min(last + 1, len(self.files)))

    def done(self, *, accept_unreadable: bool) -> int:
        """Count the parts that are there, whichever process made them.

        With `accept_unreadable` those count as well of which some photos could not be read.
        """
        return sum(
            files.done or (accept_unreadable and files.partial.is_file()) for files in self.files
        )


def _others(names: Sequence[str], known: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the parts that the other plan does not have."""
    there = frozenset(known)
    return (number for number, name in enumerate(names) if name not in there)


def _by_key(members: Iterable[Member]) -> dict[str, Member]:
    return {member.key: member for member in members}


@dataclass(frozen=True, slots=True)
class PartsReport:
    """What a share came to, how far all shares are, and what the user should know."""

    out: Path
    share: range
    done: int
    parts: int
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every part is there, so that nothing but assembling is left."""
        return self.done == self.parts

    def text(self) -> str:
        """Return it in two lines, and a line for each warning."""
        first, last = self.share.start, self.share.stop - 1
        then = "then run" if not self.complete else "now run"
        lines = [
            f"parts {first} to {last} are done, {self.done:,} of all {self.parts:,} in {self.out}",
            f"{then} the same command without --only-parts: it assembles the dataset",
            *(f"warning: {printable(warning)}" for warning in self.warnings),
        ]
        return "\n".join(lines)

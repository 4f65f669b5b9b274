"""The members to look at, cut into parts, in a file that every worker can open.

The file is Arrow IPC with one record batch a part: a worker maps it and reads its own batch, so a
task carries a path and a number and no list of half a million names. A part never crosses a
container: adding a zip to the archive adds parts and leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from fertools.archive.members import Members, keys_of
from fertools.columns import Ints
from fertools.data import Box, Member, Packed
from fertools.shards import whole_file

#: At most this many members a part: about ten seconds of one core, so that a kill costs little.
_LARGEST: Final = 256
#: At least this many: below it, opening files costs more than the photos.
_SMALLEST: Final = 4

Boxes = Mapping[str, Box]

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


def cut(members: Members, wanted: Ints) -> Parts:
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


def fingerprint(recipe: str, members: Iterable[Member], boxes: Boxes) -> str:
    """Name a part by all its bytes depend on: how faces are cut, members' identity, their boxes."""
    digest = blake2b(recipe.encode(), digest_size=16)
    for member in members:
        digest.update(f"\0{_identity(member)}\0{boxes.get(member.key, '')}".encode())
    return digest.hexdigest()


def _identity(member: Member) -> str:
    """Return what tells a member from all others; of a zip, which may be a copy, not its time."""
    packed = member.packed
    if packed is None:
        return f"{member.key}\0{member.size}\0{member.modified}"
    where = f"{packed.offset} {packed.size} {packed.method} {packed.crc}"
    return f"{member.key}\0{member.size}\0{where}"


def write_plan(path: Path, parts: Iterable[Members], boxes: Boxes) -> None:
    """Write the parts so that `read_part` finds them by number.

    boxes   the annotators' box by a member's key, where it shall be the crop's
    """
    with whole_file(path) as file, pa.ipc.new_file(file, _SCHEMA) as writer:
        for members in parts:
            writer.write_batch(_batch(members, boxes))


def read_part(path: Path, number: int) -> Iterator[tuple[Member, Box | None]]:
    """Yield the members of one part, each with the annotators' box if that shall be the crop's."""
    for row in _opened(path, path.stat().st_mtime_ns).get_batch(number).to_pylist():
        yield _member(row), Box(*row["annotated"]) if row["annotated"] else None


@lru_cache(maxsize=1)
def _opened(path: Path, _modified: int) -> Any:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def _batch(members: Members, boxes: Boxes) -> pa.RecordBatch:
    batch = members.columns.run(0, len(members))
    keys = keys_of(batch)
    columns = {name: batch[name] for name in batch.schema.names}
    columns["path"] = batch["path"].dictionary_decode().fill_null(keys.cast(pa.binary()))
    columns["container"] = batch["container"].dictionary_decode()
    columns["key"] = keys
    columns["annotated"] = pa.array(
        [_edges(boxes.get(key)) for key in keys.to_pylist()], _SCHEMA.field("annotated").type
    )
    return pa.record_batch([columns[f.name].cast(f.type) for f in _SCHEMA], schema=_SCHEMA)


def _edges(box: Box | None) -> tuple[float, ...] | None:
    return None if box is None else (box.x0, box.y0, box.x1, box.y1)


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

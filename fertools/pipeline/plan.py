"""The members to look at, cut into parts, in a file that every worker can open.

The file is Arrow IPC with one record batch a part: a worker maps it and reads its own batch, so a
task carries a path and a number and no list of half a million names. A part never crosses a
container: adding a zip to the archive adds parts and leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc

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


def cut(members: Sequence[Member]) -> list[list[Member]]:
    """Cut members, in their order, into parts that every number of workers can share.

    The size depends on the archive alone, never on --jobs: 64 parts and more keep 16 workers
    busy to the end even where the archive is small.
    """
    size = min(_LARGEST, max(_SMALLEST, len(members) // 64))
    parts = []
    for _, group in groupby(members, key=lambda member: member.container):
        together = list(group)
        parts += [together[i : i + size] for i in range(0, len(together), size)]
    return parts


def fingerprint(recipe: str, members: Sequence[Member], boxes: Boxes) -> str:
    """Name a part by all its bytes depend on: how faces are cut, members' identity, their boxes."""
    digest = blake2b(recipe.encode(), digest_size=16)
    for member in members:
        crc = member.packed.crc if member.packed else member.modified
        text = f"\0{member.key}\0{member.size}\0{crc}\0{boxes.get(member.key, '')}"
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def write_plan(path: Path, parts: Sequence[Sequence[Member]], boxes: Boxes) -> None:
    """Write the parts so that `read_part` finds them by number.

    boxes   the annotators' box by a member's key, where it shall be the crop's
    """
    with whole_file(path) as file, pa.ipc.new_file(file, _SCHEMA) as writer:
        for members in parts:
            columns = zip(*(_row(member, boxes) for member in members), strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))


def read_part(path: Path, number: int) -> Iterator[tuple[Member, Box | None]]:
    """Yield the members of one part, each with the annotators' box if that shall be the crop's."""
    for row in _opened(path, path.stat().st_mtime_ns).get_batch(number).to_pylist():
        yield _member(row), Box(*row["annotated"]) if row["annotated"] else None


@lru_cache(maxsize=1)
def _opened(path: Path, _modified: int) -> Any:
    return pa.ipc.open_file(pa.memory_map(str(path)))


def _row(member: Member, boxes: Boxes) -> tuple[Any, ...]:
    packed, box = member.packed, boxes.get(member.key)
    where = (packed.offset, packed.size, packed.method, packed.crc) if packed else (None,) * 4
    edges = box and (box.x0, box.y0, box.x1, box.y1)
    own = (member.key, member.container, member.path, member.size, member.modified)
    return (*own, *where, edges)


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

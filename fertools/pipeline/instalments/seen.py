"""Keep what was seen of each zip, tar and folder, so that the build does without it afterwards.

    .fertools/seen/<hash of the path>.seen    a TFRecord file:  header │ members │ label file │ …
                                              header        JSON: container, path, drops, digest
                                              members       Arrow, columns of members.SCHEMA
                                              label files   zlib, in the order of the header

The crops and rows of its photos are in the parts. Together they are all that is needed of a zip:
names, sizes, checksums, labels, faces.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from fertools.archive.members import SCHEMA, Members
from fertools.columns import Columns, Ints
from fertools.data import Drop, Member, Reason
from fertools.dataset.tfrecord import RecordWriter, read_records
from fertools.errors import DatasetError
from fertools.files import whole_file
from fertools.pipeline.plan import modified

_ENDING: Final = ".seen"

#: What reading a damaged file may raise beside DatasetError; its checksums make that unlikely.
_FAULTS: Final = (ValueError, LookupError, TypeError, pa.ArrowException, zlib.error)


@dataclass(frozen=True, slots=True)
class SeenContainer:
    """What was seen of one zip or tar, or, with the path b"", of all loose files.

    container    its key; "" for loose files
    path         as `Member.path` of its members
    members      its members in the order of the build, and the row of a damaged zip itself
    label_files  bytes of its label files by key
    """

    container: str
    path: bytes
    members: Members
    label_files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def photos(self) -> Ints:
        """The rows of `members` that may be photos, int64."""
        return np.flatnonzero(self.members.dropped < 0)

    @property
    def digest(self) -> str:
        """A hash of all that would be stored, except the bytes of label files."""
        digest = blake2b(digest_size=16)
        for member in self.members:
            text = repr((identity(member), modified(member), member.dropped))
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def identity(member: Member) -> tuple[Any, ...]:
    """Return what makes a member the same photo at another time: name, size, place, checksum."""
    packed = member.packed
    return (
        member.key,
        member.size,
        packed and (packed.offset, packed.size, packed.method, packed.crc),
    )


def is_label_drop(drop: Drop | None) -> bool:
    """Return whether a member is dropped as a label file, whose bytes are stored."""
    return drop is not None and drop.reason is Reason.LABEL_FILE


class SeenStore:
    """The folder of what was seen, a file for each container."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether this OUT is built in instalments."""
        return self.folder.is_dir() and any(self._files())

    def read(self) -> tuple[dict[bytes, SeenContainer], dict[Path, str]]:
        """Return the containers by path, and each damaged file with its container or ""."""
        containers: dict[bytes, SeenContainer] = {}
        damaged: dict[Path, str] = {}
        for file in self._files() if self.folder.is_dir() else ():
            records: list[bytes] = []
            try:
                records += read_records(file)
                seen = _unpack(records)
                containers[seen.path] = seen
            except (DatasetError, *_FAULTS):
                damaged[file] = _name_in(file)
        return containers, damaged

    def digest_of(self, path: bytes) -> str | None:
        """Return the digest of what is stored of a container; None if nothing or damaged."""
        try:
            records = read_records(self.file_of(path))
            digest: str = json.loads(next(records))["digest"]
            for _ in records:  # all checksums
                pass
        except (DatasetError, StopIteration, *_FAULTS):
            return None
        return digest

    def write(self, seen: SeenContainer) -> None:
        """Store what was seen of a container. Raises OutputError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self.file_of(seen.path)) as file:
            writer = RecordWriter(file)
            for record in _pack(seen):
                writer.write(record)

    def file_of(self, path: bytes) -> Path:
        """Return the file of a container."""
        return self.folder / (blake2b(path, digest_size=16).hexdigest() + _ENDING)

    def _files(self) -> Iterator[Path]:
        return (file for file in sorted(self.folder.iterdir()) if file.suffix == _ENDING)


def _pack(seen: SeenContainer) -> Iterator[bytes]:
    header = {
        "container": seen.container,
        "path": os.fsdecode(seen.path),
        "drops": [[str(drop.reason), drop.detail] for drop in seen.members.drops],
        "digest": seen.digest,
        "label_files": list(seen.label_files),
    }
    yield json.dumps(header).encode()
    sink = pa.BufferOutputStream()
    batch = seen.members.columns.rows(0, len(seen.members))
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    yield sink.getvalue().to_pybytes()
    yield from (zlib.compress(data) for data in seen.label_files.values())


def _unpack(records: list[bytes]) -> SeenContainer:
    header = json.loads(records[0])
    table = pa.ipc.open_stream(records[1]).read_all().cast(SCHEMA)
    drops = [Drop(Reason(reason), detail) for reason, detail in header["drops"]]
    label_files = zip(header["label_files"], map(zlib.decompress, records[2:]), strict=True)
    return SeenContainer(
        header["container"],
        os.fsencode(header["path"]),
        Members(Columns(table.to_batches(), SCHEMA), drops),
        dict(label_files),
    )


def _name_in(file: Path) -> str:
    """Return the container that a damaged file names, or ""."""
    try:
        container: str = json.loads(next(read_records(file)))["container"]
    except (DatasetError, StopIteration, *_FAULTS):
        return ""
    return container

"""The framing of a TFRecord file: a part's crops and a shard's examples lie in the same one.

    ┌────────┬─────────────┬──────────────┬───────────┐
    │ length │ crc(length) │ data         │ crc(data) │   little endian; the next record
    │ 8      │ 4           │ length bytes │ 4         │   follows at once, the file ends
    └────────┴─────────────┴──────────────┴───────────┘   with the last

crc is CRC-32C (Castagnoli; RFC 3720, B.4), then masked, so that the checksum of data that
itself holds checksums stays a good one: rotated right by 15 bits, plus 0xa282ead8. Both the
layout and the mask are TensorFlow's (core/lib/io/record_writer, core/lib/hash/crc32c).

A file has neither a head nor a count. Cut between two records it is still a perfect TFRecord
file, and TensorFlow reads it to its clean end: only the manifest's count can tell.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, Protocol

from google_crc32c import value as crc32c

from fertools.errors import DatasetError

FRAMING_BYTES = 16
"""Bytes of a record that are not data."""

MAX_DATA_BYTES = 2**31 - 1
"""Bytes of data in one record: protobuf's own limit for a message. A length beyond it is damage,
even where a sparse file is large enough to hold it."""

_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")


class Writable(Protocol):
    """Whatever takes bytes at its end."""

    def write(self, data: bytes, /) -> object:
        """Take all of the bytes."""


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """Where a record lies: its first byte in the file, and its bytes with the framing.

    These are the two numbers of a line in NVIDIA DALI's index of a TFRecord file.
    """

    offset: int
    length: int


def frame(data: bytes) -> bytes:
    """Put the framing around one record's data: `len(data) + 16` bytes."""
    length = len(data).to_bytes(8, "little")
    return b"".join((length, _FOOT.pack(_masked(length)), data, _FOOT.pack(_masked(data))))


class RecordWriter:
    """Frames records and writes them to a file that is still empty.

    `records` and `size` say how many records and bytes the file holds by now.
    """

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.records = 0
        self.size = 0

    def write(self, data: bytes) -> RecordLocation:
        """Add one record and say where it lies; ValueError for data beyond 2 GiB."""
        if len(data) > MAX_DATA_BYTES:
            raise ValueError(f"a record of {len(data)} bytes, where {MAX_DATA_BYTES} are the most")
        place = RecordLocation(self.size, len(data) + FRAMING_BYTES)
        self._file.write(frame(data))
        self.records += 1
        self.size += place.length
        return place


def read_records(path: Path) -> Iterator[bytes]:
    """Give the data of each record of a file in order, every checksum checked.

    No more memory is asked for than the file has bytes, whatever its length fields say. Raises
    DatasetError for a file that is missing or cannot be read, a cut tail, a wrong checksum, a
    length that leaves the file. A file cut between two records ends early without an error.
    """
    if not path.is_file():  # opening a FIFO would wait for ever
        raise DatasetError(f"{path} is missing or is not a file: {_CURE}")
    record = offset = 0
    try:
        with path.open("rb", buffering=1 << 20) as file:
            end = file.seek(0, SEEK_END)
            file.seek(0)
            while offset < end:
                data = _next(file, end - offset)
                yield data
                record += 1
                offset += len(data) + FRAMING_BYTES
    except (OSError, _Damage) as fault:
        raise DatasetError(f"{path}: record {record} at byte {offset}: {fault}: {_CURE}") from fault


def read_record(file: BinaryIO, offset: int) -> bytes:
    """Give the data of the one record that begins at a byte of an open file.

    Bounded and checked as in `read_records`; raises DatasetError likewise, also for an offset at
    which no record begins.
    """
    try:
        end = file.seek(0, SEEK_END)
        file.seek(offset)
        return _next(file, end - offset)
    except (OSError, _Damage) as fault:
        name = getattr(file, "name", "the file")
        raise DatasetError(f"{name}: the record at byte {offset}: {fault}: {_CURE}") from fault


_CURE = "put a whole copy back, or build again"


class _Damage(Exception):
    """What is wrong with a record, for the one who knows which file it lies in."""


def _next(file: BinaryIO, left: int) -> bytes:
    """Read the record at the file's position, of whose file `left` bytes remain."""
    if left < FRAMING_BYTES:
        raise _Damage(f"the file is cut, {max(left, 0)} bytes are too few for a record")
    head = _exactly(file, _HEAD.size)
    length, checksum = _HEAD.unpack(head)
    if checksum != _masked(head[:8]):
        raise _Damage("the checksum of its length is wrong")
    if length > min(left - FRAMING_BYTES, MAX_DATA_BYTES):
        raise _Damage(f"it claims {length} bytes, the file has {left - FRAMING_BYTES} left")
    data = _exactly(file, length)
    if _exactly(file, _FOOT.size) != _FOOT.pack(_masked(data)):
        raise _Damage("the checksum of its data is wrong")
    return data


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _Damage("the file became shorter while it was read")
    return data


def _masked(data: bytes) -> int:
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

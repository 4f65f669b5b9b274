"""Read and write the framing of TFRecord files, used for shards and for the crops of a part.

    ┌────────┬─────────────┬──────────────┬───────────┐
    │ length │ crc(length) │ data         │ crc(data) │   little endian; the next record
    │ 8      │ 4           │ length bytes │ 4         │   follows at once, the file ends
    └────────┴─────────────┴──────────────┴───────────┘   with the last

crc is CRC-32C (Castagnoli; RFC 3720, B.4), then masked: rotated right by 15 bits, plus 0xa282ead8.
With the mask, the checksum also works for data that contains checksums. Framing and mask are
TensorFlow's (core/lib/io/record_writer, core/lib/hash/crc32c).

A file has neither a header nor a count. If it is cut between two records, it is still a valid
TFRecord file, and TensorFlow reads it without an error: only the manifest's count shows the loss.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, Final

from google_crc32c import value as crc32c

from fertools.errors import DatasetError

#: The bytes of a record besides its data.
FRAMING_BYTES: Final = 16

#: The most bytes of data in one record: protobuf's limit for a message. A larger length is damage,
#: even if a sparse file is as large.
MAX_DATA_BYTES: Final = 2**31 - 1

_HEAD: Final = struct.Struct("<QI")
_FOOT: Final = struct.Struct("<I")

_REMEDY: Final = "put a whole copy back, or build again"


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """The offset of a record in its file, and its length in bytes including the framing.

    A line of NVIDIA DALI's index of a TFRecord file consists of these two numbers.
    """

    offset: int
    length: int


class RecordWriter:
    """A writer of records to an empty file; `records` and `size` (bytes) count the written ones."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.records = 0
        self.size = 0

    def write(self, data: bytes) -> RecordLocation:
        """Append one record and return its location; ValueError if the data has 2 GiB or more."""
        if len(data) > MAX_DATA_BYTES:
            raise ValueError(
                f"a record of {len(data)} bytes: at most {MAX_DATA_BYTES} are possible"
            )
        location = RecordLocation(self.size, len(data) + FRAMING_BYTES)
        self._file.write(frame(data))
        self.records += 1
        self.size += location.length
        return location


def frame(data: bytes) -> bytes:
    """Return one record: the data with the framing, `len(data) + 16` bytes."""
    length = len(data).to_bytes(8, "little")
    return b"".join((length, _FOOT.pack(_masked_crc(length)), data, _FOOT.pack(_masked_crc(data))))


def unframe(record: bytes) -> bytes:
    """Return the data of one record, the inverse of `frame`; ValueError if it is not one, whole."""
    if len(record) < FRAMING_BYTES:
        raise ValueError(f"{len(record)} bytes are too few for a record")
    length, checksum = _HEAD.unpack_from(record)
    if checksum != _masked_crc(record[:8]):
        raise ValueError("the checksum of its length is wrong")
    if length != len(record) - FRAMING_BYTES:
        raise ValueError(f"its length is {length} bytes, not {len(record) - FRAMING_BYTES}")
    data = record[_HEAD.size : -_FOOT.size]
    if _FOOT.unpack_from(record, len(record) - _FOOT.size) != (_masked_crc(data),):
        raise ValueError("the checksum of its data is wrong")
    return data


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record of a file in order, and check every checksum.

    Allocates at most as much memory as the file has bytes, even if a length field is damaged.
    Raises DatasetError for a file that is missing or cannot be read, a truncated record, a wrong
    checksum, and a length beyond the end of the file. If the file is cut between two records, no
    error is raised.
    """
    if not path.is_file():  # opening a FIFO would block forever
        raise DatasetError(f"{path} is missing or is not a file: {_REMEDY}")
    record = offset = 0
    try:
        with path.open("rb", buffering=1 << 20) as file:
            end = file.seek(0, SEEK_END)
            file.seek(0)
            while offset < end:
                data = _read_framed(file, end - offset)
                yield data
                record += 1
                offset += len(data) + FRAMING_BYTES
    except (OSError, _DamagedRecord) as fault:
        raise DatasetError(
            f"{path}: record {record} at byte {offset}: {fault}: {_REMEDY}"
        ) from fault


def count_records(path: Path) -> int:
    """Return the number of records in a file; errors are those of `record_locations`."""
    return sum(1 for _ in record_locations(path))


def record_locations(path: Path) -> Iterator[RecordLocation]:
    """Yield the location of each record of a file in order; read only the length fields.

    Raises DatasetError if the last record does not end with the file, OSError if it is unreadable.
    """
    size, records, offset = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            length = int.from_bytes(file.read(8), "little") + FRAMING_BYTES
            yield RecordLocation(offset, length)
            records += 1
            offset += length
    if offset != size:
        raise DatasetError(f"{path}: record {records - 1} does not end with the file: {_REMEDY}")


def read_record(file: BinaryIO, offset: int) -> bytes:
    """Return the data of the record that begins at an offset of an open file.

    Limits, checks and errors are those of `read_records`. If no record begins at the offset,
    DatasetError is raised.
    """
    try:
        end = file.seek(0, SEEK_END)
        file.seek(offset)
        return _read_framed(file, end - offset)
    except (OSError, _DamagedRecord) as fault:
        name = getattr(file, "name", "the file")
        raise DatasetError(f"{name}: the record at byte {offset}: {fault}: {_REMEDY}") from fault


class _DamagedRecord(Exception):
    """Raised for a damaged record; the text has no file name, the caller adds it."""


def _read_framed(file: BinaryIO, remaining: int) -> bytes:
    """Read the record at the file's position; the file has `remaining` bytes from there."""
    if remaining < FRAMING_BYTES:
        raise _DamagedRecord(f"the file is cut, {max(remaining, 0)} bytes are too few for a record")
    head = _read_exactly(file, _HEAD.size)
    length, checksum = _HEAD.unpack(head)
    if checksum != _masked_crc(head[:8]):
        raise _DamagedRecord("the checksum of its length is wrong")
    if length > min(remaining - FRAMING_BYTES, MAX_DATA_BYTES):
        left = remaining - FRAMING_BYTES
        raise _DamagedRecord(f"it claims {length} bytes, the file has {left} left")
    data = _read_exactly(file, length)
    if _read_exactly(file, _FOOT.size) != _FOOT.pack(_masked_crc(data)):
        raise _DamagedRecord("the checksum of its data is wrong")
    return data


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _DamagedRecord("the file became shorter while it was read")
    return data


def _masked_crc(data: bytes) -> int:
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

"""Read and write the framing of TFRecord files, used for parts' crops and for shards.

    ┌────────┬─────────────┬──────────────┬───────────┐
    │ length │ crc(length) │ data         │ crc(data) │   little endian; the next record
    │ 8      │ 4           │ length bytes │ 4         │   follows at once, the file ends
    └────────┴─────────────┴──────────────┴───────────┘   with the last

crc is CRC-32C (Castagnoli; RFC 3720, B.4), then masked: rotated right by 15 bits, plus 0xa282ead8.
The mask keeps the checksum useful for data that itself contains checksums. Both the layout and the
mask are TensorFlow's (core/lib/io/record_writer, core/lib/hash/crc32c).

A file has neither a header nor a count. Cut between two records it is still a valid TFRecord file,
and TensorFlow reads it without an error: only the manifest's count shows the loss.
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

#: Bytes of a record that are not data.
FRAMING_BYTES: Final = 16

#: Most bytes of data in one record: protobuf's own limit for a message. A larger length is damage,
#: even if a sparse file is large enough to hold it.
MAX_DATA_BYTES: Final = 2**31 - 1

_HEAD: Final = struct.Struct("<QI")
_FOOT: Final = struct.Struct("<I")

_REMEDY: Final = "put a whole copy back, or build again"


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """The first byte of a record in its file, and its length in bytes with the framing.

    These are the two numbers of a line in NVIDIA DALI's index of a TFRecord file.
    """

    offset: int
    length: int


class RecordWriter:
    """Writes framed records to an empty file; `records` and `size` count what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.records = 0
        self.size = 0

    def write(self, data: bytes) -> RecordLocation:
        """Append one record and return its location; ValueError for data of 2 GiB or more."""
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
    """Return the data of one record with its framing: `len(data) + 16` bytes."""
    length = len(data).to_bytes(8, "little")
    return b"".join((length, _FOOT.pack(_masked(length)), data, _FOOT.pack(_masked(data))))


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the data of each record of a file in order, and check every checksum.

    Never allocates more memory than the file has bytes, whatever its length fields say. Raises
    DatasetError for a file that is missing or cannot be read, a truncated record, a wrong checksum,
    and a length beyond the end of the file. A file cut between two records ends early without an
    error.
    """
    if not path.is_file():  # opening a FIFO would block forever
        raise DatasetError(f"{path} is missing or is not a file: {_REMEDY}")
    record = offset = 0
    try:
        with path.open("rb", buffering=1 << 20) as file:
            end = file.seek(0, SEEK_END)
            file.seek(0)
            while offset < end:
                data = _read_next(file, end - offset)
                yield data
                record += 1
                offset += len(data) + FRAMING_BYTES
    except (OSError, _Damage) as fault:
        raise DatasetError(
            f"{path}: record {record} at byte {offset}: {fault}: {_REMEDY}"
        ) from fault


def count_records(path: Path) -> int:
    """Return how many records a file has, by their length fields alone.

    Raises DatasetError if the last record does not end with the file, OSError as `open` does.
    """
    size, records, offset = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            offset += int.from_bytes(file.read(8), "little") + FRAMING_BYTES
            records += 1
    if offset != size:
        raise DatasetError(f"{path}: record {records - 1} does not end with the file: {_REMEDY}")
    return records


def read_record(file: BinaryIO, offset: int) -> bytes:
    """Return the data of the record that begins at an offset of an open file.

    Limits, checks and errors are those of `read_records`. An offset at which no record begins is
    an error too.
    """
    try:
        end = file.seek(0, SEEK_END)
        file.seek(offset)
        return _read_next(file, end - offset)
    except (OSError, _Damage) as fault:
        name = getattr(file, "name", "the file")
        raise DatasetError(f"{name}: the record at byte {offset}: {fault}: {_REMEDY}") from fault


class _Damage(Exception):
    """What is wrong with a record; the caller adds the name of the file."""


def _read_next(file: BinaryIO, left: int) -> bytes:
    """Read the record at the file's position; `left` bytes remain in the file."""
    if left < FRAMING_BYTES:
        raise _Damage(f"the file is cut, {max(left, 0)} bytes are too few for a record")
    head = _read_exactly(file, _HEAD.size)
    length, checksum = _HEAD.unpack(head)
    if checksum != _masked(head[:8]):
        raise _Damage("the checksum of its length is wrong")
    if length > min(left - FRAMING_BYTES, MAX_DATA_BYTES):
        raise _Damage(f"it claims {length} bytes, the file has {left - FRAMING_BYTES} left")
    data = _read_exactly(file, length)
    if _read_exactly(file, _FOOT.size) != _FOOT.pack(_masked(data)):
        raise _Damage("the checksum of its data is wrong")
    return data


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise _Damage("the file became shorter while it was read")
    return data


def _masked(data: bytes) -> int:
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

"""Read and write parts: the crops and outcomes of a few hundred photos in one file.

    parts/<name>.part      a TFRecord file:  crop │ crop │ … │ rows │ thumbnails │ footer
                           crops    the encoded crops of the kept photos, in the plan's order
                           rows     Parquet, a row a photo, in the plan's order
                           footer   16 bytes: the offsets of rows and thumbnails, little endian
    parts/<name>.partial   the same while some of its photos could not be read
    parts/<name>.diary     only while it is made: the photo being processed

The file is whole or absent. A part is the unit of work, of resuming, of retrying and of
distribution. It does not depend on labels, seeds and splits: other values of those do not cause
photos to be processed again. Its name covers all that its bytes depend on except the times of loose
photos, which are in its rows: a photo with another time is compared by its SHA-256, and processed
again if that differs.

Rows and crops are in one file because they must be of one writing: a row finds its crop by an
offset, at which another writing may have another person's. A row holds its crop's CRC-32C as well.

In memory the rows of all parts take 130 bytes a photo, where the parts' own tables take 180.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from fertools.columns import BATCH_ROWS, POOL, Columns, to_array
from fertools.dataset.tfrecord import FRAMING_BYTES, RecordWriter, read_record, unframe
from fertools.errors import DatasetError, OutputError
from fertools.files import remove_whole

#: The outcome, in the ledger, of a member that became an example.
KEPT: Final = "kept"

ROWS: Final = pa.schema(
    [
        ("outcome", pa.string()),
        ("detail", pa.string()),
        ("x0", pa.int32()),
        ("y0", pa.int32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("confidence", pa.float32()),
        ("faces", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("landmarks", pa.list_(pa.float32())),
        ("iou", pa.float32()),
        ("digest", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("crc", pa.uint32()),  # CRC-32C of the encoded crop
        ("hash", pa.binary(32)),
        ("modified", pa.int64()),  # of a loose photo, as in the plan
        ("unread", pa.bool_()),  # could not be read: the next build tries again
    ]
)

_WORD: Final = pa.dictionary(pa.int32(), pa.string())

#: Types in memory of columns that parts hold as text.
_PACKED_TYPES: Final = {"outcome": _WORD, "detail": _WORD, "digest": pa.binary(32)}

#: The rows of all parts in memory. What only decides whether a part is made again is left out.
_PACKED: Final = pa.schema(
    [
        *(
            pa.field(f.name, _PACKED_TYPES.get(f.name, f.type))
            for f in ROWS
            if f.name not in ("modified", "unread")
        ),
        ("part", pa.int32()),
        ("row", pa.int32()),  # its number in the part
    ]
)

_FOOTER: Final = struct.Struct("<QQ")

_THUMBNAIL: Final = (64, 64)
_BLANK: Final = bytes(64 * 64)

Row = dict[str, Any]
Thumbnails = NDArray[np.uint8]


class DamagedPart(DatasetError):
    """A part's file is not what was written; the part can be made again."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(name, what)  # both, so that it can be pickled
        self.name = name
        self.what = what

    def __str__(self) -> str:
        return f"part {self.name} is damaged ({self.what}): the same command makes it again"


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The paths of one part's files; see the drawing above."""

    folder: Path
    fingerprint: str

    @property
    def whole(self) -> Path:
        return self.folder / f"{self.fingerprint}.part"

    @property
    def partial(self) -> Path:
        return self.folder / f"{self.fingerprint}.partial"

    @property
    def written(self) -> Path:
        """The finished part if it exists, else the partial one."""
        return self.whole if self.whole.is_file() else self.partial

    @property
    def log(self) -> Path:
        return self.folder / f"{self.fingerprint}.diary"

    @property
    def done(self) -> bool:
        """Whether the part is finished, with no photo left to try again."""
        return self.whole.is_file()


class PartWriter:
    """Writes one part from front to back; crops may come in any order.

    A crop that comes before its turn waits in memory. So the file's order is the plan's, even if a
    photo had to be read a second time, and two writings of a part are the same bytes.
    """

    def __init__(self, file: BinaryIO, photos: int) -> None:
        self._records = RecordWriter(file)
        self._waiting: dict[int, tuple[Row, bytes | None]] = {}
        self._rows: list[Row] = []
        self._thumbnails: list[bytes | None] = [None] * photos

    def add(self, number: int, row: Row, crop: bytes | None, thumbnail: bytes | None) -> None:
        """Add a photo's row, with its crop and thumbnail if it has them."""
        self._waiting[number] = row, crop
        self._thumbnails[number] = thumbnail
        while (following := len(self._rows)) in self._waiting:
            self._write(*self._waiting.pop(following))

    def _write(self, row: Row, crop: bytes | None) -> None:
        if crop is not None:
            record = self._records.write(crop)
            row |= {"offset": record.offset, "length": record.length, "crc": crc32c(crop)}
        self._rows.append(row)

    def finish(self) -> list[Row]:
        """Write rows, thumbnails and footer behind the crops; return the rows."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(self._rows, schema=ROWS), sink)
        rows = self._records.write(sink.getvalue().to_pybytes())
        pictures = b"".join(thumbnail or _BLANK for thumbnail in self._thumbnails)
        thumbnails = self._records.write(pictures)
        self._records.write(_FOOTER.pack(rows.offset, thumbnails.offset))
        return self._rows


def read_table(files: PartFiles) -> pa.Table:
    """Read the rows of one part, as far as it is finished. Raises DamagedPart, OutputError."""
    with open_part(files) as file:
        table = pq.read_table(pa.BufferReader(_record(files, file, _offsets(files, file)[0])))
    if not table.schema.equals(ROWS):
        raise DamagedPart(files.fingerprint, "its columns are not a part's")
    return table


def read_thumbnails(files: PartFiles) -> Thumbnails:
    """Read the thumbnails of one part's photos, uint8, (rows, 64, 64).

    Raises DamagedPart, OutputError.
    """
    with open_part(files) as file:
        pictures = _record(files, file, _offsets(files, file)[1])
    return np.frombuffer(pictures, np.uint8).reshape(-1, *_THUMBNAIL)


def open_part(files: PartFiles) -> BinaryIO:
    """Open a part. Raises DamagedPart if it is missing, OutputError if it cannot be read."""
    path = files.written
    try:
        return path.open("rb")
    except FileNotFoundError as fault:
        raise DamagedPart(files.fingerprint, "it is missing") from fault
    except OSError as fault:
        raise _unreadable(path, fault) from fault


def read_crop(files: PartFiles, file: BinaryIO, offset: int, length: int, crc: int) -> bytes:
    """Read one crop of a part from its open file, and no byte beside it.

    offset, length, crc   as in its row

    Raises DamagedPart, OutputError.
    """
    try:
        crop = unframe(os.pread(file.fileno(), length, offset))
    except OSError as fault:
        raise _unreadable(files.written, fault) from fault
    except ValueError as fault:
        raise DamagedPart(files.fingerprint, f"the crop at byte {offset}: {fault}") from fault
    if crc32c(crop) != crc:
        raise DamagedPart(files.fingerprint, "a crop is not its row's")
    return crop


def is_damaged(files: PartFiles) -> bool:
    """Return whether a part cannot be read completely. Raises OutputError."""
    try:
        table = read_table(files).select(["offset", "length", "crc"]).drop_null()
        read_thumbnails(files)
        with open_part(files) as file:
            for place in zip(*table.to_pydict().values(), strict=True):
                read_crop(files, file, *place)
    except DamagedPart:
        return True
    return False


def remove_damaged(parts: Sequence[PartFiles], damage: DamagedPart, remade: set[str]) -> str:
    """Remove every damaged part, so that it is made again; return a line about it.

    remade   names of the parts that were removed before in this run; the new ones are added

    Raises DatasetError for a part that is damaged again.
    """
    damaged = [files for files in parts if files.fingerprint == damage.name or is_damaged(files)]
    names = {files.fingerprint for files in damaged}
    if remade & names:
        raise DatasetError(
            f"{parts[0].folder}: a part that was just written is damaged again "
            f"({damage.what}): check the disk, and give the same command"
        ) from damage
    for files in damaged:
        for path in (files.whole, files.partial):
            remove_whole(path)
    remade |= names
    return f"{len(damaged)} of {len(parts)} parts in {parts[0].folder} were damaged: made again"


def is_current(files: PartFiles, modified: Sequence[int | None]) -> bool:
    """Return whether a part is done and its loose photos have the times that its rows hold."""
    if not files.done:
        return False
    if all(time is None for time in modified):
        return True
    try:
        return bool(read_table(files)["modified"].to_pylist() == list(modified))
    except DamagedPart:
        return False


def _unreadable(path: Path, fault: OSError) -> OutputError:
    """Return the error for a file of the build's own that the system refuses to read."""
    return OutputError(
        f"{path} cannot be read, {fault.strerror or fault}: "
        "fix that, and the same command continues"
    )


def _offsets(files: PartFiles, file: BinaryIO) -> tuple[int, int]:
    end = file.seek(0, os.SEEK_END)
    footer = _record(files, file, max(0, end - FRAMING_BYTES - _FOOTER.size))
    if len(footer) != _FOOTER.size:
        raise DamagedPart(files.fingerprint, "it has no footer")
    rows, thumbnails = _FOOTER.unpack(footer)
    return rows, thumbnails


def _record(files: PartFiles, file: BinaryIO, offset: int) -> bytes:
    try:
        return read_record(file, offset)
    except DatasetError as fault:
        if isinstance(fault.__cause__, OSError):
            raise _unreadable(files.written, fault.__cause__) from fault
        raise DamagedPart(files.fingerprint, str(fault)) from fault


def pack_rows(tables: Iterable[pa.Table]) -> Columns:
    """Join the rows of all parts, in their order.

    The columns `part` and `row` hold the part's number and the row's number in it.
    """
    return Columns(_batches(tables), _PACKED)


def take_rows(rows: Columns, numbers: NDArray[np.int64]) -> Columns:
    """Return some of the rows of all parts, in this order."""
    blocks = (numbers[first : first + BATCH_ROWS] for first in range(0, len(numbers), BATCH_ROWS))
    return Columns(map(rows.take, blocks), rows.schema)


def _batches(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.Table] = []
    count = 0
    for number, table in enumerate(tables):
        part = pa.array(np.full(len(table), number), pa.int32())
        row = pa.array(np.arange(len(table)), pa.int32())
        waiting.append(table.append_column("part", part).append_column("row", row))
        count += len(table)
        if count >= BATCH_ROWS:
            yield _packed(pa.concat_tables(waiting))
            waiting, count = [], 0
    if count:
        yield _packed(pa.concat_tables(waiting))


def _packed(table: pa.Table) -> pa.RecordBatch:
    arrays = []
    for name in _PACKED.names:
        values = pa.concat_arrays(table[name].chunks, memory_pool=POOL)
        if name == "digest":
            values = [digest and bytes.fromhex(digest) for digest in values.to_pylist()]
        kind = _PACKED_TYPES.get(name)
        arrays.append(to_array(values, kind) if kind else values)
    return pa.record_batch(arrays, schema=_PACKED)


def hex_of(column: pa.Array) -> pa.Array:
    """Return a column of digests as the text that the ledger has."""
    return pa.array([data and data.hex() for data in column.to_pylist()], pa.string())


def bytes_of(column: pa.Array) -> NDArray[np.uint8]:
    """Return a column of fixed-size binary as uint8, (rows, bytes); null is all zeros."""
    width = column.type.byte_width
    filled = pc.fill_null(column, pa.scalar(bytes(width), column.type))
    data = np.frombuffer(filled.buffers()[1], np.uint8)
    rows: NDArray[np.uint8] = data.reshape(-1, width)[filled.offset : filled.offset + len(filled)]
    return rows

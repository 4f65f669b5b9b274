"""A part on disk: the crops and the rows of a few hundred photos, each file whole or absent.

    parts/<name>.crops     TFRecord: an encoded crop a record, of the kept photos only
    parts/<name>.rows      TFRecord: 1 the rows as Parquet, in the plan's order; 2 the thumbnails
    parts/<name>.partial   instead of .rows while some of its photos could not be read
    parts/<name>.diary     only while it is made: the photo being processed

It is the unit of work, of resuming, of retrying and of distribution. It knows nothing of labels,
seeds and splits, so that another choice of those costs no second look at the photos. Its name
covers all that its bytes depend on but the times of loose photos, which stand in its rows: a photo
with another time is compared by its SHA-256, and processed again where that differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Columns
from fertools.errors import DatasetError
from fertools.pipeline.rows import pack_rows
from fertools.shards import (
    FRAMING,
    frame,
    read_record,
)

#: The word in the ledger of a member that became an example.
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
        ("hash", pa.binary(32)),
        ("modified", pa.int64()),  # of a loose photo, as in the plan
        ("unread", pa.bool_()),  # could not be read: tried again by the next build
    ]
)

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
    """Where a part lies."""

    folder: Path
    fingerprint: str

    @property
    def crops(self) -> Path:
        """The encoded crops."""
        return self.folder / f"{self.fingerprint}.crops"

    @property
    def rows(self) -> Path:
        """The members' outcomes, all of them facts."""
        return self.folder / f"{self.fingerprint}.rows"

    @property
    def partial(self) -> Path:
        """The members' outcomes, some of them that a photo could not be read."""
        return self.folder / f"{self.fingerprint}.partial"

    @property
    def written(self) -> Path:
        """The outcomes as far as they are known: .rows where that is there, else .partial."""
        return self.rows if self.rows.is_file() else self.partial

    @property
    def diary(self) -> Path:
        """The in-flight log of the worker that makes it."""
        return self.folder / f"{self.fingerprint}.diary"

    @property
    def done(self) -> bool:
        """Whether it is finished, with nothing left to try again."""
        return self.rows.is_file() and self.crops.is_file()

    def remove(self) -> None:
        """Remove the part, so that it is made again."""
        for path in (self.rows, self.partial, self.crops):
            path.unlink(missing_ok=True)


def encode_rows(rows: Sequence[Row], thumbnails: Sequence[bytes | None]) -> bytes:
    """Encode a part's rows and thumbnails: two records, so that every byte is under a checksum."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=ROWS), sink)
    pictures = b"".join(thumbnail or _BLANK for thumbnail in thumbnails)
    return frame(sink.getvalue().to_pybytes()) + frame(pictures)


def read_table(files: PartFiles) -> pa.Table:
    """Read the rows of one part, as far as it is finished. Raises DamagedPart."""
    with _opened(files.written) as file:
        table = pq.read_table(pa.BufferReader(_record(files, file, 0)))
    if not table.schema.equals(ROWS):
        raise DamagedPart(files.fingerprint, "its columns are not a part's")
    return table


def read_thumbnails(files: PartFiles) -> Thumbnails:
    """Read the thumbnails of one part's photos, uint8, (rows, 64, 64). Raises DamagedPart."""
    with _opened(files.written) as file:
        pictures = _record(files, file, FRAMING + len(_record(files, file, 0)))
    return np.frombuffer(pictures, np.uint8).reshape(-1, *_THUMBNAIL)


def read_rows(parts: Sequence[PartFiles]) -> Columns:
    """Read the rows of all parts, in their order, with the part's number in a column `part`.

    A part that is not finished is read as far as it is. Raises DamagedPart.
    """
    return pack_rows((read_table(files) for files in parts), ROWS)


def open_crops(files: PartFiles) -> BinaryIO:
    """Open a part's crops. Raises DamagedPart."""
    return _opened(files.crops)


def read_crop(files: PartFiles, file: BinaryIO, offset: int) -> bytes:
    """Read one crop of a part from its open file. Raises DamagedPart."""
    try:
        return read_record(file, offset)
    except DatasetError as fault:
        raise DamagedPart(files.fingerprint, str(fault)) from fault


def is_damaged(files: PartFiles) -> bool:
    """Return whether a crop that a part's rows point to cannot be read, or its rows cannot."""
    try:
        table = read_table(files)
        with open_crops(files) as file:
            for offset in table["offset"].drop_null().to_pylist():
                read_crop(files, file, offset)
    except DamagedPart:
        return True
    return False


def is_current(files: PartFiles, modified: Sequence[int | None]) -> bool:
    """Return whether a part is done, and its loose photos have the times that its rows hold."""
    if not files.done:
        return False
    if all(time is None for time in modified):
        return True
    try:
        return bool(read_table(files)["modified"].to_pylist() == list(modified))
    except DamagedPart:
        return False


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as fault:
        raise DamagedPart(path.stem, fault.strerror or "it cannot be read") from fault


def _record(files: PartFiles, file: BinaryIO, offset: int) -> bytes:
    try:
        return read_record(file, offset)
    except DatasetError as fault:
        raise DamagedPart(files.fingerprint, str(fault)) from fault

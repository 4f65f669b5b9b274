"""A part: a few hundred photos processed, their crops and their rows, each file whole or absent.

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

import errno
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.archive import Patience, Reader, printable
from fertools.columns import Columns
from fertools.data import Box, Crop, Member, ReadFault, Reason, Unusable
from fertools.errors import DatasetError, FertoolsError, OutputError, SourceError
from fertools.faces import Detector, FaceRecipe, cut, load_detector
from fertools.pipeline.diary import Diary
from fertools.pipeline.engine import is_apart
from fertools.pipeline.plan import fingerprint, read_part
from fertools.pipeline.rows import pack_rows
from fertools.pipeline.watch import watched
from fertools.shards import (
    FRAMING,
    Place,
    RecordWriter,
    frame,
    read_record,
    whole_file,
    write_whole,
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

_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO)

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


@dataclass(frozen=True, slots=True)
class PartResult:
    """What became of a part.

    outcomes  how many of its photos met which outcome
    unread    key and cause of each photo that could not be read, to be tried again
    crashed   set where every photo raised an error, and nothing was written: the first error
    """

    number: int
    outcomes: Counter[str]
    unread: tuple[tuple[str, str], ...] = ()
    crashed: str = ""


@dataclass(frozen=True, slots=True)
class PartTask:
    """What a worker is sent: small, and the same on every machine that sees the storage.

    basis           the text that the part's name covers beside its members (see plan.fingerprint)
    boxes           whether the plan's boxes are the crops'
    trust_crashes   write the part even if every photo of it raises an error
    """

    source: Path
    plan: Path
    number: int
    files: PartFiles
    basis: str
    recipe: FaceRecipe
    detector: Detector | None = None
    photo_seconds: float = 60
    trust_crashes: bool = False

    def __call__(self) -> PartResult:
        """Make the part, or what is missing of it.

        Raises SourceError where the archive, or the folder or zip that a photo lies in, is gone;
        OutputError where another build has replaced the plan, or the part cannot be written.
        """
        _refuse_gone(self.source)
        members = self._members()
        maker = _PartMaker(self, members)
        with whole_file(self.files.crops) as crops:
            rows, thumbnails = maker.make(RecordWriter(crops))
            result = self._result(members, rows)
            if result.crashed:
                raise _Discarded(result)
        data = encode_rows(rows, thumbnails)
        if result.unread:
            write_whole(self.files.partial, data)
            self.files.rows.unlink(missing_ok=True)
        else:
            write_whole(self.files.rows, data)
            self.files.partial.unlink(missing_ok=True)
        Diary(self.files.diary).end()
        return result

    def suspect(self) -> int | None:
        """Return the number of the photo that a worker was processing when it died."""
        return Diary(self.files.diary).suspect()

    def try_one(self, number: int) -> None:
        """Process one photo of the part, and keep nothing of it."""
        member, box = next(islice(read_part(self.plan, self.number), number, None))
        with Reader(self.source) as reader, suppress(ReadFault):
            self.look(member, box, reader.read(member), None, RecordWriter(BytesIO()))

    def look(
        self,
        member: Member,
        box: Box | None,
        data: bytes,
        known: Reason | None,
        writer: RecordWriter,
    ) -> tuple[Row, bytes | None]:
        """Process one photo's bytes; return its row, and its thumbnail where it has one."""
        row = _blank(member) | {"digest": sha256(data).hexdigest()}
        try:
            if known:
                raise Unusable(known, _DEATHS[known])
            crop = self._cut(data, box)
        except Unusable as found:
            return row | _dropped(found), None
        thumbnail = crop.fingerprint.thumbnail if crop.fingerprint else None
        return row | _kept(crop, writer.write(crop.image)), thumbnail

    def _members(self) -> list[tuple[Member, Box | None]]:
        """Read the part's members from the plan, and make sure that they are those of its name."""
        try:
            members = list(read_part(self.plan, self.number))
        except (OSError, pa.ArrowException, IndexError) as fault:
            raise OutputError(
                f"{self.plan} cannot be read ({' '.join(str(fault).split())[:120]}): "
                "the same command writes it again"
            ) from fault
        boxes = {member.key: box for member, box in members if box}
        if fingerprint(self.basis, (member for member, _ in members), boxes) != (
            self.files.fingerprint
        ):
            raise OutputError(
                f"{self.plan} is damaged or of another build: the same command goes on"
            )
        return members

    def _result(self, members: Sequence[tuple[Member, Box | None]], rows: list[Row]) -> PartResult:
        unread = tuple(
            (member.key, row["detail"])
            for (member, _), row in zip(members, rows, strict=True)
            if row["unread"]
        )
        outcomes = Counter(str(row["outcome"]) for row in rows if not row["unread"])
        crashed = ""
        if set(outcomes) == {Reason.CRASHED} and not self.trust_crashes:
            crashed = next(row["detail"] for row in rows if row["outcome"] == Reason.CRASHED)
        return PartResult(self.number, outcomes, unread, crashed)

    def _cut(self, data: bytes, box: Box | None) -> Crop:
        detector = self.detector or loaded(self.recipe)
        try:
            with watched(self.photo_seconds):
                return cut(data, self.recipe, detector, box)
        except (Unusable, FertoolsError):
            raise
        except MemoryError:
            raise Unusable(Reason.TOO_LARGE, "it takes more memory than there is") from None
        except Exception as fault:
            what = " ".join(f"{type(fault).__name__}: {fault}".split())
            raise Unusable(Reason.CRASHED, what[:200]) from fault


class _Discarded(Exception):
    """Every photo of a part raised an error, so that nothing of it is written."""

    def __init__(self, result: PartResult) -> None:
        super().__init__(result)
        self.result = result


def make_part(task: PartTask) -> PartResult:
    """Run a task; a part whose every photo raises an error is reported and not written."""
    try:
        return task()
    except _Discarded as discarded:
        return discarded.result


_patience = Patience()


class _PartMaker:
    """Makes the rows of one part: carries over what is known, and processes the rest."""

    def __init__(self, task: PartTask, members: Sequence[tuple[Member, Box | None]]) -> None:
        self._task = task
        self._members = members
        self._rows: list[Row | None] = [None] * len(members)
        self._thumbnails: list[bytes | None] = [None] * len(members)
        self._known = _Known.of(task.files)

    def make(self, writer: RecordWriter) -> tuple[list[Row], list[bytes | None]]:
        """Return a row and perhaps a thumbnail for every member; write the crops."""
        diary = Diary(self._task.files.diary)
        deaths = diary.verdicts()
        left = list(range(len(self._members)))
        try:
            with Reader(self._task.source) as reader:
                for pause in _patience.pauses():
                    time.sleep(pause)
                    left = [n for n in left if not self._settle(n, reader, writer, diary, deaths)]
                    if not left:
                        break
                _patience.learn(futile=bool(left))
        finally:
            diary.close()
        return [row for row in self._rows if row is not None], self._thumbnails

    def _settle(
        self,
        number: int,
        reader: Reader,
        writer: RecordWriter,
        diary: Diary,
        deaths: Mapping[int, Reason],
    ) -> bool:
        """Make one member's row; return whether it is a fact, not a fault of reading."""
        member, box = self._members[number]
        try:
            if self._carry_over(number, reader, writer):
                return True
            data = reader.read(member)
        except Unusable as found:
            self._rows[number] = _blank(member) | _dropped(found)
            return True
        except ReadFault as fault:
            _refuse_gone(self._task.source)
            _refuse_gone(_container(self._task.source, member))
            self._rows[number] = _blank(member) | _dropped(fault) | {"unread": True}
            return False
        if is_apart() and number not in deaths:
            diary.look(number)
        row, thumbnail = self._task.look(member, box, data, deaths.get(number), writer)
        self._rows[number], self._thumbnails[number] = row, thumbnail
        return True

    def _carry_over(self, number: int, reader: Reader, writer: RecordWriter) -> bool:
        """Take over what an earlier run found, where the photo is the one that it processed."""
        member, _ = self._members[number]
        old = self._known.row(number, len(self._members))
        if old is None:
            return False
        if old["modified"] != _modified(member):
            data = reader.read(member)
            if sha256(data).hexdigest() != old["digest"]:
                return False
        row = old | {"modified": _modified(member)}
        if row["outcome"] == KEPT:
            crop = self._known.crop(row)
            if crop is None:
                return False
            place = writer.write(crop)
            row |= {"offset": place.offset, "length": place.length}
            self._thumbnails[number] = self._known.thumbnail(number)
        self._rows[number] = row
        return True


class _Known:
    """What earlier runs found out about a part."""

    def __init__(self, files: PartFiles, rows: list[Row], thumbnails: Thumbnails | None) -> None:
        self._files = files
        self._rows = rows
        self._thumbnails = thumbnails

    @classmethod
    def of(cls, files: PartFiles) -> _Known:
        """Read what is there; a damaged file is as good as none."""
        try:
            return cls(files, read_table(files).to_pylist(), read_thumbnails(files))
        except DamagedPart:
            return cls(files, [], None)

    def row(self, number: int, count: int) -> Row | None:
        """Return a member's row, where it is there and a fact."""
        if len(self._rows) != count or self._rows[number]["unread"]:
            return None
        return self._rows[number]

    def thumbnail(self, number: int) -> bytes | None:
        """Return a member's thumbnail, where its row has a fingerprint."""
        if self._thumbnails is None or self._rows[number]["hash"] is None:
            return None
        return bytes(self._thumbnails[number])

    def crop(self, row: Row) -> bytes | None:
        """Return a row's encoded crop, None where the file does not hold it any more."""
        try:
            with self._files.crops.open("rb") as file:
                return read_record(file, row["offset"])
        except (OSError, DatasetError):
            return None


#: What a person is told of a photo that ends every worker.
_DEATHS: Final = {
    Reason.CRASHED: "the process that looked at it died, twice",
    Reason.TIMED_OUT: "it took longer than a photo may, twice",
}


@lru_cache(maxsize=1)
def loaded(recipe: FaceRecipe) -> Detector:
    """Load a recipe's detector once in this process: that takes as long as ten photos."""
    return load_detector(recipe)


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


def _modified(member: Member) -> int | None:
    return None if member.packed else member.modified


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


def _container(source: Path, member: Member) -> Path:
    """Return the zip, or the folder, that a member lies in."""
    base = source if source.is_dir() else source.parent
    path = member.path if member.packed else os.path.dirname(member.path)  # noqa: PTH120  # bytes
    return base / os.fsdecode(path)


def _refuse_gone(path: Path) -> None:
    """Stop the build where not a photo but what it lies in is gone. Raises SourceError."""
    try:
        path.stat()
    except OSError as fault:
        if fault.errno in _GONE:
            raise SourceError(
                f"{printable(str(path))} is gone: put it back, and the same command goes on"
            ) from fault


def _blank(member: Member) -> Row:
    row: Row = dict.fromkeys(ROWS.names)
    return row | {"modified": _modified(member), "unread": False}


def _dropped(found: Unusable | ReadFault) -> Row:
    return {"outcome": str(found.drop.reason), "detail": found.drop.detail}


def _kept(crop: Crop, place: Place) -> Row:
    return {
        "outcome": KEPT,
        "detail": "",
        **{side: int(getattr(crop.box, side)) for side in ("x0", "y0", "x1", "y1")},
        "confidence": crop.confidence,
        "faces": crop.faces,
        "width": crop.width,
        "height": crop.height,
        "landmarks": crop.landmarks or None,
        "iou": crop.iou,
        "offset": place.offset,
        "length": place.length,
        "hash": crop.fingerprint and crop.fingerprint.hash,
    }

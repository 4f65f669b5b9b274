"""Process the photos of one part: read, find the face, crop, encode, and write the part.

plan ──▶ known from an earlier run? ──yes──▶ taken over
           │ no
           └─▶ read ──▶ cut ──▶ a row, a crop and a thumbnail
                │ fault: again after the rest of the part, up to four times
                └─▶ a row that the next build tries again
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

from fertools.archive.folder import RetryPolicy
from fertools.archive.reader import Reader
from fertools.data import Box, Crop, Member, ReadFault, Reason, Unusable
from fertools.errors import FertoolsError, OutputError, SourceError, printable
from fertools.faces.detectors import Detector, load_detector
from fertools.faces.extract import extract_face
from fertools.files import remove_whole, whole_file
from fertools.options import FaceOptions
from fertools.pipeline.parts import (
    KEPT,
    ROWS,
    DamagedPart,
    PartFiles,
    PartWriter,
    Row,
    Thumbnails,
    is_current,
    open_part,
    read_crop,
    read_table,
    read_thumbnails,
)
from fertools.pipeline.plan import PLAN_FAULTS, modified, part_fingerprint, read_part, scanned_at
from fertools.workers.inflight import InFlightLog
from fertools.workers.worker import in_worker, resource_limits

_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO)


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
    trust_crashes   write the part even if every photo of it raises an error
    """

    source: Path
    plan: Path
    number: int
    files: PartFiles
    basis: str
    recipe: FaceOptions
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
        with whole_file(self.files.whole) as file:
            writer = PartWriter(file, len(members))
            _PartMaker(self, members).make(writer)
            result = self._result(members, writer.finish())
            if result.crashed:
                raise _Discarded(result)
            if result.unread:
                self._make_room(members)
                file.path = self.files.partial
        if not result.unread:
            self.files.partial.unlink(missing_ok=True)
        InFlightLog(self.files.diary).remove()
        return result

    def _make_room(self, members: Sequence[tuple[Member, Box | None]]) -> None:
        """Remove a finished part that is of older photos, before a partial one takes its place."""
        if is_current(self.files, [modified(member) for member, _ in members]):
            # Another process has finished it meanwhile.
            outcomes = Counter(read_table(self.files)["outcome"].to_pylist())
            raise _Discarded(PartResult(self.number, outcomes))
        remove_whole(self.files.whole)

    def last_started(self) -> int | None:
        """Return the number of the photo that a worker was processing when it died."""
        return InFlightLog(self.files.diary).last_started()

    def try_one(self, number: int) -> None:
        """Process one photo of the part, and keep nothing of it."""
        member, box = next(islice(read_part(self.plan, self.number), number, None))
        with Reader(self.source) as reader, suppress(ReadFault, Unusable):
            self.look(member, box, reader.read(member), None)

    def look(
        self,
        member: Member,
        box: Box | None,
        data: bytes,
        known: Reason | None,
    ) -> tuple[Row, Crop | None]:
        """Process one photo's bytes; return its row, and its crop where it is kept."""
        row = _blank(member) | {"digest": sha256(data).hexdigest()}
        try:
            if known:
                raise Unusable(known, _DEATHS[known])
            crop = self._cut(data, box)
        except Unusable as found:
            return row | _dropped(found), None
        return row | _kept(crop), crop

    def _members(self) -> list[tuple[Member, Box | None]]:
        """Read the part's members from the plan, and make sure that they are those of its name."""
        try:
            members = list(read_part(self.plan, self.number))
        except PLAN_FAULTS as fault:
            raise OutputError(
                f"{self.plan} cannot be read ({' '.join(str(fault).split())[:120]}): "
                "the same command writes it again"
            ) from fault
        boxes = {member.key: box for member, box in members if box}
        if part_fingerprint(self.basis, (member for member, _ in members), boxes) != (
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
        detector = self.detector or cached_detector(self.recipe)
        try:
            with resource_limits(self.photo_seconds):
                return extract_face(data, self.recipe, detector, box)
        except (Unusable, FertoolsError):
            raise
        except MemoryError:
            raise Unusable(Reason.TOO_LARGE, "it takes more memory than there is") from None
        except Exception as fault:
            what = " ".join(f"{type(fault).__name__}: {fault}".split())
            raise Unusable(Reason.CRASHED, what[:200]) from fault


class _Discarded(Exception):
    """Nothing of a part is written: every photo raised an error, or another process made it."""

    def __init__(self, result: PartResult) -> None:
        super().__init__(result)
        self.result = result


def make_part(task: PartTask) -> PartResult:
    """Run a task; return its result also where nothing of the part is written."""
    try:
        return task()
    except _Discarded as discarded:
        return discarded.result


_retries = RetryPolicy()


class _PartMaker:
    """Makes the rows of one part: carries over what is known, and processes the rest."""

    def __init__(self, task: PartTask, members: Sequence[tuple[Member, Box | None]]) -> None:
        self._task = task
        self._members = members
        self._known = _Known.of(task.files, len(members))
        self._diary = InFlightLog(task.files.diary)
        self._deaths = self._diary.resolved()
        self._faults: dict[int, Row] = {}

    def make(self, writer: PartWriter) -> None:
        """Write a row for every member."""
        left = list(range(len(self._members)))
        since = scanned_at(self._task.plan)
        try:
            with Reader(self._task.source, since=since) as reader:
                for pause in _retries.pauses():
                    time.sleep(pause)
                    left = [n for n in left if not self._settle(n, reader, writer)]
                    if not left:
                        break
                _retries.record(failed=bool(left))
        finally:
            self._diary.close()
        for number in left:
            writer.add(number, self._faults[number], None, None)

    def _settle(self, number: int, reader: Reader, writer: PartWriter) -> bool:
        """Make one member's row; return whether it is a fact, not a fault of reading."""
        member, _ = self._members[number]
        try:
            if not self._carry_over(number, reader, writer):
                self._process(number, reader, writer)
        except Unusable as found:
            writer.add(number, _blank(member) | _dropped(found), None, None)
        except ReadFault as fault:
            _refuse_gone(self._task.source)
            _refuse_gone(_container(self._task.source, member))
            self._faults[number] = _blank(member) | _dropped(fault) | {"unread": True}
            return False
        return True

    def _process(self, number: int, reader: Reader, writer: PartWriter) -> None:
        """Read and process one member. Raises Unusable, ReadFault."""
        member, box = self._members[number]
        data = reader.read(member)
        if logged := in_worker() and number not in self._deaths:
            self._diary.start(number)
        try:
            row, crop = self._task.look(member, box, data, self._deaths.get(number))
        except BaseException:
            if logged:  # it is the build that ends, not the photo that ended it
                self._diary.resolve(number, None)
            raise
        if crop is None:
            reader.check_unchanged(member)
            writer.add(number, row, None, None)
        else:
            thumbnail = crop.fingerprint.thumbnail if crop.fingerprint else None
            writer.add(number, row, crop.image, thumbnail)

    def _carry_over(self, number: int, reader: Reader, writer: PartWriter) -> bool:
        """Take over what an earlier run found, where the photo is the one that it processed."""
        member, _ = self._members[number]
        old = self._known.row(number)
        if old is None:
            return False
        if old["modified"] != modified(member):
            data = reader.read(member)
            if sha256(data).hexdigest() != old["digest"]:
                return False
        row = old | {"modified": modified(member)}
        if row["outcome"] != KEPT:
            writer.add(number, row, None, None)
            return True
        if (crop := self._known.crop(row)) is None:
            return False
        writer.add(number, row, crop, self._known.thumbnail(number))
        return True


class _Known:
    """What earlier runs found out about a part."""

    def __init__(self, files: PartFiles, rows: list[Row], thumbnails: Thumbnails | None) -> None:
        self._files = files
        self._rows = rows
        self._thumbnails = thumbnails

    @classmethod
    def of(cls, files: PartFiles, photos: int) -> _Known:
        """Read what is there; a damaged file is as good as none. Raises OutputError."""
        try:
            rows, thumbnails = read_table(files).to_pylist(), read_thumbnails(files)
        except DamagedPart:
            return cls(files, [], None)
        return cls(files, rows, thumbnails) if len(rows) == photos else cls(files, [], None)

    def row(self, number: int) -> Row | None:
        """Return a member's row, where it is there and a fact."""
        return self._rows[number] if self._rows and not self._rows[number]["unread"] else None

    def thumbnail(self, number: int) -> bytes | None:
        """Return a member's thumbnail, where its row has a fingerprint."""
        if self._thumbnails is None or self._rows[number]["hash"] is None:
            return None
        return bytes(self._thumbnails[number])

    def crop(self, row: Row) -> bytes | None:
        """Return a row's encoded crop, None where the file does not hold it any more."""
        try:
            with open_part(self._files) as file:
                return read_crop(self._files, file, row["offset"], row["crc"])
        except DamagedPart:
            return None


#: What a person is told of a photo that ends every worker.
_DEATHS: Final = {
    Reason.CRASHED: "the process that looked at it died, twice",
    Reason.TIMED_OUT: "it took longer than a photo may, twice",
}


@lru_cache(maxsize=1)
def cached_detector(recipe: FaceOptions) -> Detector:
    """Load a recipe's detector once in this process: that takes as long as ten photos."""
    return load_detector(recipe)


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
    return row | {"modified": modified(member), "unread": False}


def _dropped(found: Unusable | ReadFault) -> Row:
    return {"outcome": str(found.drop.reason), "detail": found.drop.detail}


def _kept(crop: Crop) -> Row:
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
        "hash": crop.fingerprint and crop.fingerprint.hash,
    }

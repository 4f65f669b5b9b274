"""Process the photos of one part: read, find the face, crop, encode, and write the part.

plan ──▶ known from an earlier run? ──yes──▶ carried over
           │ no
           └─▶ read ──▶ extract ──▶ a row, a crop and a thumbnail
                │ fault: again after the rest of the part, up to four times
                └─▶ a row that the next build tries again
"""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from fertools.archive.containers.locate import find_tar
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

#: System errors of a folder or zip that does not exist any more.
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO)

#: The detail of a photo that crashes every worker.
_CRASH_DETAILS: Final = {
    Reason.CRASHED: "the process that looked at it died, twice",
    Reason.TIMED_OUT: "it took longer than a photo may, twice",
}

Result = TypeVar("Result")
PlannedMembers = Sequence[tuple[Member, Box | None]]

#: Shared by the parts of one process.
_retries = RetryPolicy()


@dataclass(frozen=True, slots=True)
class PartTask:
    """The task of a worker that makes one part: small, and the same on every machine.

    basis           what the part's name covers besides its members (see part_fingerprint)
    trust_crashes   write the part even if every photo of it raises an error
    """

    source: Path
    plan: Path
    number: int
    files: PartFiles
    basis: str
    options: FaceOptions
    detector: Detector | None = None
    photo_seconds: float = 60
    trust_crashes: bool = False

    def __call__(self) -> PartResult:
        """Make the part, or what is missing of it.

        Raises SourceError if the archive, or the folder or zip of a photo, does not exist any more;
        OutputError if another build has replaced the plan, or the part cannot be written.
        """
        _check_exists(self.source)
        members = self._members()
        try:
            with whole_file(self.files.whole) as file:
                writer = PartWriter(file, len(members))
                _PartMaker(self, members).make(writer)
                result = self._part_result(members, writer.finish())
                if result.crashed:
                    raise _Discarded(result)
                if result.unread:
                    self._remove_older(members)
                    file.path = self.files.partial
        except _Discarded as discarded:
            return discarded.result
        if not result.unread:
            self.files.partial.unlink(missing_ok=True)
        InFlightLog(self.files.log).remove()
        return result

    def _remove_older(self, members: PlannedMembers) -> None:
        """Remove a finished part that is of older photos, before a partial one takes its place."""
        if is_current(self.files, [modified(member) for member, _ in members]):
            # Another process has finished the part meanwhile.
            outcomes = Counter(read_table(self.files)["outcome"].to_pylist())
            raise _Discarded(PartResult(self.number, outcomes))
        remove_whole(self.files.whole)

    def try_photo(self, number: int) -> None:
        """Process one photo of the part without writing anything."""
        member, box = next(islice(read_part(self.plan, self.number), number, None))
        with Reader(self.source) as reader, suppress(ReadFault, Unusable):
            self.extract(member, box, reader.read(member), None)

    def extract(
        self, member: Member, box: Box | None, data: bytes, crash: Reason | None
    ) -> tuple[Row, Crop | None]:
        """Extract the face of one photo; return its row, and its crop if it is kept.

        crash   the reason of a photo that is known to crash its worker: it is not processed
        """
        row = _empty_row(member) | {"digest": sha256(data).hexdigest()}
        try:
            if crash:
                raise Unusable(crash, _CRASH_DETAILS[crash])
            detector = self.loaded_detector()
            crop = guarded(
                lambda: extract_face(data, self.options, detector, box), self.photo_seconds
            )
        except Unusable as found:
            return row | _dropped(found), None
        return row | _kept(crop), crop

    def loaded_detector(self) -> Detector:
        return self.detector or cached_detector(self.options)

    def _members(self) -> PlannedMembers:
        """Read the part's members from the plan, and check that they are those of its name."""
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
                f"{self.plan} is damaged or of another build: the same command continues"
            )
        return members

    def _part_result(self, members: PlannedMembers, rows: list[Row]) -> PartResult:
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


@dataclass(frozen=True, slots=True)
class PartResult:
    """The outcomes of a part's photos.

    outcomes  the number of photos of each outcome, without those that could not be read
    unread    key and cause of each photo that could not be read and is tried again
    crashed   the first error if every photo raised one, and nothing was written
    """

    number: int
    outcomes: Counter[str]
    unread: tuple[tuple[str, str], ...] = ()
    crashed: str = ""


class _Discarded(Exception):
    """Nothing of a part is written: every photo raised an error, or another process made it."""

    def __init__(self, result: PartResult) -> None:
        super().__init__(result)
        self.result = result


class _PartMaker:
    """Makes the rows of one part: carries over what is known, and processes the rest."""

    def __init__(self, task: PartTask, members: PlannedMembers) -> None:
        self._task = task
        self._members = members
        self._known, self._thumbnails = _known_rows(task.files, len(members))
        self._log = InFlightLog(task.files.log)
        self._crashes = self._log.fatal_items()
        self._faults: dict[int, Row] = {}

    def make(self, writer: PartWriter) -> None:
        left = list(range(len(self._members)))
        since = scanned_at(self._task.plan)
        try:
            with Reader(self._task.source, since=since) as reader:
                for pause in _retries.pauses():
                    time.sleep(pause)
                    left = [n for n in left if not self._add(n, reader, writer)]
                    if not left:
                        break
                _retries.record(failed=bool(left))
        finally:
            self._log.close()
        for number in left:
            writer.add(number, self._faults[number], None, None)

    def _add(self, number: int, reader: Reader, writer: PartWriter) -> bool:
        """Write one member's row; return False if the photo could not be read."""
        member, _ = self._members[number]
        try:
            if not self._carry_over(number, reader, writer):
                self._process(number, reader, writer)
        except Unusable as found:
            writer.add(number, _empty_row(member) | _dropped(found), None, None)
        except ReadFault as fault:
            _check_exists(self._task.source)
            _check_exists(_container(self._task.source, member))
            self._faults[number] = _empty_row(member) | _dropped(fault) | {"unread": True}
            return False
        return True

    def _process(self, number: int, reader: Reader, writer: PartWriter) -> None:
        """Read and process one member. Raises Unusable, ReadFault."""
        member, box = self._members[number]
        data = reader.read(member)
        self._task.loaded_detector()  # before the log: a crash in here is not the photo's
        if logged := in_worker() and number not in self._crashes:
            self._log.start(number)
        try:
            row, crop = self._task.extract(member, box, data, self._crashes.get(number))
        except BaseException:
            if logged:  # the build ends, and not because of this photo
                self._log.resolve(number, None)
            raise
        if crop is None:
            reader.check_unchanged(member)
            writer.add(number, row, None, None)
        else:
            thumbnail = crop.fingerprint.thumbnail if crop.fingerprint else None
            writer.add(number, row, crop.image, thumbnail)

    def _carry_over(self, number: int, reader: Reader, writer: PartWriter) -> bool:
        """Write the row of an earlier run if it is of the same photo; return whether it is."""
        member, _ = self._members[number]
        if not self._known or self._known[number]["unread"]:
            return False
        old = self._known[number]
        if old["modified"] != modified(member):
            data = reader.read(member)
            if sha256(data).hexdigest() != old["digest"]:
                return False
        row = old | {"modified": modified(member)}
        if row["outcome"] != KEPT:
            writer.add(number, row, None, None)
            return True
        try:
            with open_part(self._task.files) as file:
                crop = read_crop(self._task.files, file, row["offset"], row["length"], row["crc"])
        except DamagedPart:
            return False
        thumbnail = None if row["hash"] is None else bytes(self._thumbnails[number])
        writer.add(number, row, crop, thumbnail)
        return True


def _known_rows(files: PartFiles, photos: int) -> tuple[list[Row], Thumbnails]:
    """Return what earlier runs wrote of a part, nothing if it is missing or damaged.

    Raises OutputError.
    """
    try:
        rows, thumbnails = read_table(files).to_pylist(), read_thumbnails(files)
    except DamagedPart:
        return [], np.zeros((0, 0, 0), np.uint8)
    return (rows if len(rows) == photos else []), thumbnails


def guarded(work: Callable[[], Result], seconds: float) -> Result:
    """Return the result of work on one photo, which ends after `seconds` and with bounded memory.

    Raises Unusable: also for an error of a library, CRASHED, or for want of memory, TOO_LARGE.
    """
    try:
        with resource_limits(seconds):
            return work()
    except (Unusable, FertoolsError):
        raise
    except MemoryError:
        raise Unusable(Reason.TOO_LARGE, "it takes more memory than there is") from None
    except Exception as fault:
        detail = " ".join(f"{type(fault).__name__}: {fault}".split())
        raise Unusable(Reason.CRASHED, detail[:200]) from fault


@lru_cache(maxsize=1)
def cached_detector(options: FaceOptions) -> Detector:
    """Load the detector once in this process: that takes as long as ten photos."""
    return load_detector(options)


def _container(source: Path, member: Member) -> Path:
    """Return the file of the zip or tar of a member, or its folder."""
    base = source if source.is_dir() else source.parent
    path = os.path.dirname(member.path)  # noqa: PTH120  # bytes
    if member.packed:
        with suppress(OSError):  # the tar is gone, and so is the path in it
            path = member.path
            path = find_tar(os.fsencode(base), path) or path
    return base / os.fsdecode(path)


def _check_exists(path: Path) -> None:
    """Raise SourceError if the archive, a folder or a zip of it does not exist any more."""
    try:
        path.stat()
    except OSError as fault:
        if fault.errno in _GONE:
            raise SourceError(
                f"{printable(str(path))} is gone: put it back, and the same command continues"
            ) from fault


def _empty_row(member: Member) -> Row:
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

"""Read a member's bytes: whole and checked, or an exception that says why not.

    Unusable    what the bytes themselves say: a wrong CRC, a password, a stream that is damaged
    ReadFault   what the system says: an I/O error, a file that is gone or is being written to

A packed member is recognised by its CRC and size, so the zip's mtime may be another one than the
scan saw: that of a copy on another machine. Only where a check fails is it asked whether the file
was written to, renamed or replaced since the scan (its ctime): then the damage may pass.
"""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from fertools.archive.entry import ENCRYPTED, LOCAL_HEADER, LOCAL_SIGNATURE
from fertools.archive.folder import Files, base_of, open_file, read_at, read_fault
from fertools.archive.volumes import VolumeReader, find_volumes
from fertools.data import Member, Packed, ReadFault, Reason, Unusable

_DEFLATED = 8
_MOST_LAYOUTS = 64


class Reader:
    """Reads members of one archive, in any order, best in that of the scan; one a thread.

    At most eight zips or pieces are open at a time, and a loose file only while it is read.

        with Reader(source) as reader:
            data = reader.read(member)

    since   when the scan began, ns since the epoch: files that have changed later may be incomplete
    """

    def __init__(
        self, source: Path, *, max_bytes: int = 256 << 20, since: int | None = None
    ) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, got {max_bytes}")
        self._files = Files(base_of(source))
        self._max_bytes = max_bytes
        self._since = since
        self._zips: OrderedDict[bytes, VolumeReader] = OrderedDict()

    def read(self, member: Member) -> bytes:
        """Return the bytes of a photo or a label file, uncompressed.

        Raises Unusable: UNREADABLE for damage inside a zip (CRC-32, header, stream, a size that
        lies), ENCRYPTED, TOO_LARGE above `max_bytes`, EMPTY; and the member's own reason if the
        scan dropped it, label files apart. Raises ReadFault for I/O errors, and for a file that
        is gone, has another size than the scan saw, or is being written to. After a ReadFault all
        files are closed, so that the next call opens them again.
        """
        if member.dropped and member.dropped.reason is not Reason.LABEL_FILE:
            raise Unusable(member.dropped.reason, member.dropped.detail)
        if member.size == 0:
            raise Unusable(Reason.EMPTY)
        largest = max(member.size, member.packed.size if member.packed else 0)
        if largest > self._max_bytes:
            raise Unusable(Reason.TOO_LARGE, f"{largest:,} bytes, above {self._max_bytes:,}")
        try:
            return self._unpack(member, member.packed) if member.packed else self._load(member)
        except OSError as error:
            self.close()
            raise read_fault(error) from error
        except ReadFault:
            self.close()
            raise

    def close(self) -> None:
        """Close the open files; a later read opens them again."""
        self._zips.clear()
        self._files.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self, member: Member) -> bytes:
        path = os.path.join(self._files.base, member.path)
        descriptor = open_file(path)
        try:
            before = os.fstat(descriptor)
            data = read_at(descriptor, 0, member.size)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not before.st_size == after.st_size == member.size == len(data):
            raise ReadFault(
                Reason.CHANGED, f"{after.st_size:,} bytes, the scan saw {member.size:,}"
            )
        if before.st_mtime_ns != after.st_mtime_ns:  # a copy that is still running
            raise ReadFault(Reason.CHANGED, "it was written to while it was read")
        return data

    def _unpack(self, member: Member, packed: Packed) -> bytes:
        zipped = self._zip(member)
        try:
            return _checked(zipped, member, packed)
        except Unusable as damage:
            if (written := self._written(member, zipped)) is None:
                raise
            what = damage.drop.detail
            told = written if what == written else f"{written} ({what})"
            raise ReadFault(Reason.CHANGED, told) from damage

    def _zip(self, member: Member) -> VolumeReader:
        """Return the zip that a member lies in, as it lies on the disk now."""
        zipped = self._zips.get(member.path)
        if zipped is None:
            if len(self._zips) >= _MOST_LAYOUTS:
                self._zips.popitem(last=False)
            zipped = VolumeReader(find_volumes(self._files.base, member.path), self._files)
            self._zips[member.path] = zipped
        return zipped

    def check_unchanged(self, member: Member) -> None:
        """Raise ReadFault where a photo that cannot be used has changed since the scan.

        A copy that is still running may have the final size and half of the bytes.
        """
        if member.packed is not None:  # its CRC has told
            return
        try:
            changed = self._changed([os.path.join(self._files.base, member.path)])
        except OSError as error:
            raise read_fault(error) from error
        if changed:
            raise ReadFault(Reason.CHANGED, "it was written to since the scan")

    def _written(self, member: Member, zipped: VolumeReader) -> str | None:
        """Return how a zip, one of whose members is not what the scan saw, has changed since.

        None means that it has not, so that the damage is in the bytes themselves.
        """
        packed, layout = member.packed, zipped.layout
        # The scan refused members that touch a hole, so one here is new.
        if packed and (hole := layout.hole(packed.offset, packed.offset + packed.size)):
            return hole.what
        pieces = find_volumes(self._files.base, member.path).pieces
        if self._changed([os.path.join(self._files.base, piece.path) for piece in pieces]):
            return "the zip was written to since the scan"
        return None

    def _changed(self, paths: Iterable[bytes]) -> bool:
        if self._since is None:
            return False
        return any(os.stat(path).st_ctime_ns > self._since for path in paths)  # noqa: PTH116


def _checked(zipped: VolumeReader, member: Member, packed: Packed) -> bytes:
    """Read and unpack a member; raise Unusable where it is not what the directory says."""
    data_at = _data_offset(zipped, packed)
    data = zipped.read(data_at, packed.size)
    if packed.method == _DEFLATED:
        data = _inflate(data, member.size)
    if len(data) != member.size:
        raise Unusable(Reason.UNREADABLE, f"its size is not the {member.size:,} bytes it claims")
    if zlib.crc32(data) != packed.crc:
        raise Unusable(Reason.UNREADABLE, "its CRC-32 does not match: it was damaged")
    return data


def _data_offset(zipped: VolumeReader, packed: Packed) -> int:
    """Return where a member's data starts, behind a local header that agrees with the directory.

    Its sizes and CRC are not compared: they may be 0 there and stand behind the data.
    """
    header = LOCAL_HEADER.unpack(zipped.read(packed.offset, LOCAL_HEADER.size))
    mark, _, flags, method, *_, name_length, extra_length = header
    if mark != LOCAL_SIGNATURE or method != packed.method or name_length == 0:
        where = zipped.name_at(packed.offset)
        raise Unusable(Reason.UNREADABLE, f"no such entry at byte {packed.offset:,} of {where}")
    if flags & ENCRYPTED:
        raise Unusable(Reason.ENCRYPTED, "behind a password")
    return packed.offset + LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _inflate(data: bytes, size: int) -> bytes:
    """Unpack to at most one byte more than promised: that one shows the lie, the rest costs."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise Unusable(Reason.UNREADABLE, f"its packed bytes are damaged: {error}") from None

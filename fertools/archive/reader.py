"""Gives a member's bytes: whole and unchanged, or a reason why not."""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from pathlib import Path
from types import TracebackType

from fertools.archive.entry import ENCRYPTED, LOCAL, LOCAL_MARK
from fertools.archive.files import Files, open_file, read_at, unusable
from fertools.archive.folder import base_of
from fertools.archive.joined import Joined
from fertools.archive.pieces import find
from fertools.data import Member, Packed, Reason, Unusable

_DEFLATED = 8
_MOST_LAYOUTS = 64


class Reader:
    """Reads members of one archive, in any order, best in that of the scan; one a thread.

    At most eight zips or pieces are open at a time, and a loose file only while it is read.

        with Reader(source) as reader:
            data = reader.read(member)
    """

    def __init__(self, source: Path, *, max_bytes: int = 256 << 20) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, got {max_bytes}")
        self._files = Files(base_of(source))
        self._max_bytes = max_bytes
        self._zips: OrderedDict[bytes, Joined] = OrderedDict()

    def read(self, member: Member) -> bytes:
        """Give the bytes of a photo or a label file, uncompressed.

        Raises Unusable: CHANGED if the file is gone or has another size or mtime than the scan
        saw, UNREADABLE for I/O errors, missing pieces and damage inside a zip (CRC-32, header,
        stream, a size that lies), ENCRYPTED, TOO_LARGE above `max_bytes`, EMPTY; and the member's
        own reason if the scan dropped it, label files apart.
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
            raise unusable(error) from error

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
            _check_unchanged(descriptor, member)
            data = read_at(descriptor, 0, member.size)
            # Again: a copy that was still running when the read began.
            _check_unchanged(descriptor, member)
        finally:
            os.close(descriptor)
        if len(data) != member.size:
            raise Unusable(Reason.CHANGED, f"{len(data):,} bytes of {member.size:,}")
        return data

    def _unpack(self, member: Member, packed: Packed) -> bytes:
        zipped = self._zip(member)
        data_at = _data_offset(zipped, packed)
        data = zipped.read(data_at, packed.size)
        if packed.method == _DEFLATED:
            data = _inflate(data, member.size)
        if len(data) != member.size:
            raise Unusable(
                Reason.UNREADABLE, f"its size is not the {member.size:,} bytes it claims"
            )
        if zlib.crc32(data) != packed.crc:
            raise Unusable(Reason.UNREADABLE, "its CRC-32 does not match: it was damaged")
        return data

    def _zip(self, member: Member) -> Joined:
        """Give the zip that a member lies in, as it was when it was scanned."""
        zipped = self._zips.get(member.path)
        if zipped is None:
            if len(self._zips) >= _MOST_LAYOUTS:
                self._zips.popitem(last=False)
            zipped = Joined(find(self._files.base, member.path), self._files)
            self._zips[member.path] = zipped
        if zipped.layout.modified != member.modified:
            raise Unusable(Reason.CHANGED, "the zip was written to since the scan")
        return zipped


def _check_unchanged(descriptor: int, member: Member) -> None:
    status = os.fstat(descriptor)
    if (status.st_size, status.st_mtime_ns) != (member.size, member.modified):
        raise Unusable(Reason.CHANGED, "the file was written to since the scan")


def _data_offset(zipped: Joined, packed: Packed) -> int:
    """Give where a member's data starts, behind a local header that agrees with the directory.

    Its sizes and CRC are not compared: they may be 0 there and stand behind the data.
    """
    header = LOCAL.unpack(zipped.read(packed.offset, LOCAL.size))
    mark, _, flags, method, *_, name_length, extra_length = header
    if mark != LOCAL_MARK or method != packed.method or name_length == 0:
        where = zipped.name_at(packed.offset)
        raise Unusable(Reason.UNREADABLE, f"no such entry at byte {packed.offset:,} of {where}")
    if flags & ENCRYPTED:
        raise Unusable(Reason.ENCRYPTED, "behind a password")
    return packed.offset + LOCAL.size + int(name_length) + int(extra_length)


def _inflate(data: bytes, size: int) -> bytes:
    """Unpack to at most one byte more than promised: that one shows the lie, the rest costs."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise Unusable(Reason.UNREADABLE, f"its packed bytes are damaged: {error}") from None

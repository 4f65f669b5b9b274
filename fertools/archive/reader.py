"""Read a member's bytes, complete and checked, or raise why that is impossible.

A packed member is recognised by its CRC and size, so the zip's mtime may differ from the one that
the scan saw: it is that of a copy on another machine. Only if a check fails, the file's ctime is
read: if it was written to, renamed or replaced since the scan, the damage may pass.
"""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from fertools.archive.entry import DEFLATED, ENCRYPTED, LOCAL_HEADER, LOCAL_SIGNATURE
from fertools.archive.folder import OpenFiles, base_folder, open_file, read_at, to_read_fault
from fertools.archive.volumes import VolumeReader, find_volumes
from fertools.data import Member, Packed, ReadFault, Reason, Unusable

MAX_BYTES = 256 << 20  # of a member, packed or unpacked
_MAX_ZIPS = 64


class Reader:
    """Reads members of one archive in any order, fastest in that of the scan; one per thread.

    At most eight zips or volumes are open at a time, and a loose file only while it is read.

        with Reader(source) as reader:
            data = reader.read(member)

    since   when the scan began, ns since the epoch: files that have changed later may be incomplete
    """

    def __init__(self, source: Path, *, since: int | None = None) -> None:
        self._files = OpenFiles(base_folder(source))
        self._since = since
        self._zips: OrderedDict[bytes, VolumeReader] = OrderedDict()

    def read(self, member: Member) -> bytes:
        """Return the bytes of a photo or a label file, uncompressed.

        Raises Unusable: UNREADABLE for damage inside a zip (CRC-32, header, stream, a wrong size),
        ENCRYPTED, TOO_LARGE above MAX_BYTES, EMPTY; and the member's own reason if the scan
        dropped it, except for label files. Raises ReadFault for I/O errors, and for a file that
        is gone, has another size than the scan saw, or is being written to. After a ReadFault all
        files are closed, so that the next call opens them again.
        """
        if member.dropped and member.dropped.reason is not Reason.LABEL_FILE:
            raise Unusable(member.dropped.reason, member.dropped.detail)
        if member.size == 0:
            raise Unusable(Reason.EMPTY)
        largest = max(member.size, member.packed.size if member.packed else 0)
        if largest > MAX_BYTES:
            raise Unusable(Reason.TOO_LARGE, f"{largest:,} bytes, above {MAX_BYTES:,}")
        try:
            return self._unpack(member, member.packed) if member.packed else self._read_file(member)
        except OSError as error:
            self.close()
            raise to_read_fault(error) from error
        except ReadFault:
            self.close()
            raise

    def check_unchanged(self, member: Member) -> None:
        """Raise ReadFault if a loose photo that cannot be used has changed since the scan.

        A copy that is still running may have the final size and half of the bytes. A packed
        photo needs no check: its CRC was right.
        """
        try:
            if member.packed is None and self._any_changed([member.path]):
                raise ReadFault(Reason.CHANGED, "it was written to since the scan")
        except OSError as error:
            raise to_read_fault(error) from error

    def close(self) -> None:
        """Close the open files; a later read opens them again."""
        self._zips.clear()
        self._files.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read_file(self, member: Member) -> bytes:
        descriptor = open_file(os.path.join(self._files.base, member.path))
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
        zipped = self._open_zip(member.path)
        try:
            return _unpack_checked(zipped, member, packed)
        except Unusable as damage:
            if (change := self._describe_change(member.path, packed, zipped)) is None:
                raise
            cause = damage.drop.detail
            detail = change if cause == change else f"{change} ({cause})"
            raise ReadFault(Reason.CHANGED, detail) from damage

    def _open_zip(self, path: bytes) -> VolumeReader:
        """Return a zip, by its first volume's path, as it is on the disk now."""
        zipped = self._zips.get(path)
        if zipped is None:
            if len(self._zips) >= _MAX_ZIPS:
                self._zips.popitem(last=False)
            zipped = VolumeReader(find_volumes(self._files.base, path), self._files)
            self._zips[path] = zipped
        return zipped

    def _describe_change(self, path: bytes, packed: Packed, zipped: VolumeReader) -> str | None:
        """Return how a zip with a member that is not what the scan saw has changed since.

        None if it has not changed, so that the bytes themselves are damaged.
        """
        # The scan dropped members that touch a gap, so this gap is new.
        if gap := zipped.volume_set.first_gap(packed.offset, packed.offset + packed.size):
            return gap.detail
        volumes = find_volumes(self._files.base, path).volumes
        if self._any_changed(volume.path for volume in volumes):
            return "the zip was written to since the scan"
        return None

    def _any_changed(self, paths: Iterable[bytes]) -> bool:
        if self._since is None:
            return False
        statuses = (os.stat(os.path.join(self._files.base, path)) for path in paths)  # noqa: PTH116
        return any(status.st_ctime_ns > self._since for status in statuses)


def _unpack_checked(zipped: VolumeReader, member: Member, packed: Packed) -> bytes:
    """Read and unpack a member; raise Unusable if it is not what the directory says."""
    data = zipped.read(_data_offset(zipped, packed), packed.size)
    if packed.method == DEFLATED:
        data = _inflate(data, member.size)
    if len(data) != member.size:
        raise Unusable(Reason.UNREADABLE, f"its size is not the {member.size:,} bytes it claims")
    if zlib.crc32(data) != packed.crc:
        raise Unusable(Reason.UNREADABLE, "its CRC-32 does not match: it was damaged")
    return data


def _data_offset(zipped: VolumeReader, packed: Packed) -> int:
    """Return where a member's data starts, behind a local header that agrees with the directory.

    Its sizes and CRC are not compared: they may be 0 there and lie behind the data.
    """
    header = LOCAL_HEADER.unpack(zipped.read(packed.offset, LOCAL_HEADER.size))
    signature, _, flags, method, *_, name_length, extra_length = header
    if signature != LOCAL_SIGNATURE or method != packed.method or name_length == 0:
        name = zipped.file_name_at(packed.offset)
        raise Unusable(Reason.UNREADABLE, f"no such entry at byte {packed.offset:,} of {name}")
    if flags & ENCRYPTED:
        raise Unusable(Reason.ENCRYPTED, "behind a password")
    return packed.offset + LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _inflate(data: bytes, size: int) -> bytes:
    """Unpack to at most one byte more than `size`: one is enough to show a wrong size."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise Unusable(Reason.UNREADABLE, f"its packed bytes are damaged: {error}") from None

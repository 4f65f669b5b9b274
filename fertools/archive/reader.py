"""Read the bytes of a member and check them against the scan.

A packed member is checked by its CRC and size. The mtime of its zip is not compared: a copy on
another machine has another. Only if a check fails, the ctime of the zip is read: if the zip was
written to, renamed or replaced since the scan, another scan may find it undamaged.
"""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

from fertools.archive.containers.entry import (
    DEFLATE64,
    DEFLATED,
    ENCRYPTED,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
)
from fertools.archive.containers.locate import find_volumes, open_zip
from fertools.archive.containers.tar import BLOCK, parse_header
from fertools.archive.containers.volumes import VolumeReader
from fertools.archive.folder import OpenFiles, base_folder, open_file, read_at, to_read_fault
from fertools.archive.pixels import png_of_row
from fertools.data import IN_TAR, PIXEL_ROW, Member, ReadFault, Reason, Unusable, ZipLocation

MAX_BYTES = 256 << 20  # limit for a member, packed and unpacked
_MAX_ZIPS = 64

#: Packed bytes that are unpacked together: at most some 100 MB come of them.
_INFLATE64_BYTES = 1 << 16


class Reader:
    """A reader of members of one archive, not thread-safe.

    Fastest in the order of the scan. At most eight zips or volumes are open at a time.

        with Reader(source) as reader:
            data = reader.read(member)

    since   start of the scan, ns since the epoch; a file that was changed later may be incomplete
    kept    bytes of members that are not there any more, by key
    """

    def __init__(
        self,
        source: Path,
        *,
        since: int | None = None,
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        self._files = OpenFiles(base_folder(source))
        self._since = since
        self._kept = kept or {}
        self._zips: OrderedDict[bytes, VolumeReader] = OrderedDict()

    def read(self, member: Member) -> bytes:
        """Return the bytes of a photo or a label file, uncompressed.

        Raises Unusable: UNREADABLE for damage inside a zip (CRC-32, header, stream, a wrong size),
        ENCRYPTED, TOO_LARGE above MAX_BYTES, EMPTY, or the reason for which the scan dropped the
        member, if that is not LABEL_FILE. Raises ReadFault for I/O errors, and for a file that is
        gone, has another size than in the scan, or is being written to. A ReadFault closes all
        files; the next call opens them again.
        """
        if member.dropped and member.dropped.reason is not Reason.LABEL_FILE:
            raise Unusable(member.dropped.reason, member.dropped.detail)
        if member.size == 0:
            raise Unusable(Reason.EMPTY)
        if member.key in self._kept:
            return self._kept[member.key]
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
        """Raise ReadFault if a photo without a checksum has changed since the scan.

        Called for a photo that cannot be used: a file that is still being copied may have its final
        size but only half of its bytes. A photo in a zip needs no check: its CRC was right.
        """
        try:
            if not member.has_checksum and self._any_changed([member.path]):
                raise ReadFault(Reason.CHANGED, "it was written to since the scan")
        except OSError as error:
            raise to_read_fault(error) from error

    def close(self) -> None:
        """Close all files; a later read opens them again."""
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
        if before.st_mtime_ns != after.st_mtime_ns:  # the file is still being copied
            raise ReadFault(Reason.CHANGED, "it was written to while it was read")
        return data

    def _unpack(self, member: Member, packed: ZipLocation) -> bytes:
        zipped = self._open_zip(member.path)
        try:
            return _unpack_checked(zipped, member, packed)
        except Unusable as damage:
            if (change := self._find_change(member.path, packed, zipped)) is None:
                raise
            cause = damage.drop.detail
            detail = change if cause == change else f"{change} ({cause})"
            raise ReadFault(Reason.CHANGED, detail) from damage

    def _open_zip(self, path: bytes) -> VolumeReader:
        """Return the reader of the zip with this first path; cached, up to _MAX_ZIPS."""
        zipped = self._zips.get(path)
        if zipped is None:
            if len(self._zips) >= _MAX_ZIPS:
                self._zips.popitem(last=False)
            zipped = open_zip(path, self._files)
            self._zips[path] = zipped
        return zipped

    def _find_change(self, path: bytes, packed: ZipLocation, zipped: VolumeReader) -> str | None:
        """Return how the zip of a damaged member has changed since the scan.

        None if it has not changed: then the member is damaged for good.
        """
        # The scan dropped members that touch a gap, so this gap is new.
        if gap := zipped.volume_set.first_gap(packed.offset, packed.offset + packed.size):
            return gap.detail
        volumes = find_volumes(self._files.base, path).volumes
        if self._any_changed(volume.file for volume in volumes):
            return "the zip was written to since the scan"
        return None

    def _any_changed(self, paths: Iterable[bytes]) -> bool:
        if self._since is None:
            return False
        statuses = (os.stat(os.path.join(self._files.base, path)) for path in paths)  # noqa: PTH116
        return any(status.st_ctime_ns > self._since for status in statuses)


def _unpack_checked(zipped: VolumeReader, member: Member, packed: ZipLocation) -> bytes:
    """Read and unpack a member. Raises Unusable if size or CRC differ from the directory."""
    if packed.method == IN_TAR:
        return _read_tar_entry(zipped, packed)
    if packed.method == PIXEL_ROW:
        return _read_row(zipped, packed)
    data = zipped.read(_data_offset(zipped, packed), packed.size)
    if packed.method == DEFLATED:
        data = _inflate(data, member.size)
    elif packed.method == DEFLATE64:
        data = _inflate64(data, member.size)
    if len(data) != member.size:
        raise Unusable(Reason.UNREADABLE, f"its size is not the {member.size:,} bytes it claims")
    if zlib.crc32(data) != packed.crc:
        raise Unusable(Reason.UNREADABLE, "its CRC-32 does not match: it was damaged")
    return data


def _read_tar_entry(tar: VolumeReader, packed: ZipLocation) -> bytes:
    """Read an entry of a tar, whose header must still lie before it."""
    header = parse_header(tar.read(packed.offset - BLOCK, BLOCK))
    if header is None or header.size != packed.size:
        raise Unusable(Reason.UNREADABLE, f"no such entry at byte {packed.offset:,} of the tar")
    return tar.read(packed.offset, packed.size)


def _read_row(table: VolumeReader, packed: ZipLocation) -> bytes:
    """Return the picture in a row of a CSV as PNG; the checksum is that of the row."""
    line = table.read(packed.offset, packed.size)
    if zlib.crc32(line) != packed.crc:
        raise Unusable(Reason.UNREADABLE, "its row is not the one of the scan: it was damaged")
    return png_of_row(line)


def _data_offset(zipped: VolumeReader, packed: ZipLocation) -> int:
    """Check a member's local header against the directory, and return the offset of its data.

    Sizes and CRC are not compared: they may be 0 there and follow the data. Raises Unusable.
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
    """Unpack at most `size` + 1 bytes: one byte too many is enough to detect a wrong size."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise Unusable(Reason.UNREADABLE, f"its packed bytes are damaged: {error}") from None


def _inflate64(data: bytes, size: int) -> bytes:
    """Unpack deflate64, as Windows Explorer writes it above 2 GB; stop behind `size` bytes."""
    try:
        from inflate64 import Inflater  # an extra
    except ImportError:  # the scan found it: another node of a cluster
        raise ReadFault(Reason.UNREADABLE, "needs pip install 'fertools[deflate64]'") from None
    inflater, unpacked = Inflater(), bytearray()
    try:
        for at in range(0, len(data), _INFLATE64_BYTES):
            unpacked += inflater.inflate(data[at : at + _INFLATE64_BYTES])
            if len(unpacked) > size:
                break
    except ValueError as error:  # nothing else: want of memory or of time is no damage
        raise Unusable(Reason.UNREADABLE, f"its packed bytes are damaged: {error}") from None
    return bytes(unpacked)

"""List the entries of an uncompressed tar in place: photos, zips and volumes of zips.

    header │ data, padded to 512 bytes │ header │ data │ … │ 1,024 zero bytes

AI-Hub's downloader fetches `download.tar`, whose entries are volumes of zips. Unpacking it
and then joining the volumes each need its size again in free disk space. Here an entry is a range
of bytes of the tar.

`TarInfo.frombuf` of the standard library parses each header; the walk from header to header is our
own, because `tarfile` reads extended headers of any size into memory and follows wrong sizes.
Formats: POSIX 1003.1 (ustar, pax), GNU tar's manual, "Basic Tar Format".
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fertools.archive.containers.volumes import Volume, parse_volume_name
from fertools.archive.folder import open_file, read_at
from fertools.archive.members import MembersBuilder
from fertools.archive.names import decode_entry_name, decode_path, drop_by_name, is_hidden, is_zip
from fertools.data import IN_TAR, Drop, ReadFault, Reason, Unusable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118

BLOCK: Final = 512

#: Longest extended header that is read: a name has at most 4,096 bytes.
_MAX_EXTENDED: Final = 1 << 20

_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}

#: Entries added together.
_ROWS: Final = 1 << 14

_GNU_LONG_NAME, _GNU_LONG_LINK, _GNU_SPARSE = b"L", b"K", b"S"
_PAX, _PAX_GLOBAL, _PAX_SOLARIS = b"x", b"g", b"X"
_FOLDER, _HARD_LINK, _LINK = b"5", b"1", b"2"

_LINK_DROP = Drop(Reason.UNREADABLE, "a link inside the tar, not a file")
_SPARSE_DROP = Drop(Reason.UNREADABLE, "a sparse file inside the tar: put the file itself there")
_SPECIAL_DROP = Drop(Reason.UNREADABLE, "a device or pipe inside the tar, not a file")
_REPLACED_DROP = Drop(Reason.NOT_A_PHOTO, "a later entry of the tar has its name")
_EMPTY = Drop(Reason.EMPTY)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry that is not a folder.

    name    bytes as stored, "/" between folders, without "." and ".."
    offset  of its data in the tar; its header lies in the block before
    size    bytes of its data that the tar states; `present` of them are there
    drop    why it is no file that can be used, whatever its name
    """

    name: bytes
    offset: int
    size: int
    present: int
    drop: Drop | None


@dataclass(frozen=True, slots=True)
class TarListing:
    """The entries of a tar in their order, its size and mtime in ns, and one line per fault."""

    entries: tuple[TarEntry, ...]
    size: int
    modified: int
    faults: tuple[str, ...]


def list_tar(base: bytes, path: bytes) -> TarListing:
    """Return the entries of the tar at a path relative to the base.

    Raises Unusable if it is no uncompressed tar, OSError if it cannot be read, ReadFault if it is
    being written to.
    """
    descriptor = open_file(os.path.join(base, path))
    try:
        before = os.fstat(descriptor)
        faults: list[str] = []
        entries = tuple(_walk(descriptor, before.st_size, faults))
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ReadFault(Reason.CHANGED, "it is being written to: wait until it is complete")
    return TarListing(_drop_replaced(entries), before.st_size, before.st_mtime_ns, tuple(faults))


def _walk(descriptor: int, size: int, faults: list[str]) -> Iterator[TarEntry]:
    """Yield the entries; add a line to `faults` where the tar is damaged or cut."""
    at, long_name = 0, b""
    long_size: int | None = None
    while True:
        block = read_at(descriptor, at, BLOCK)
        if len(block) == BLOCK and not block.strip(b"\0"):
            return  # one block of zeros is enough: some writers omit the second
        header = parse_header(block)
        if header is None:
            if at == 0:
                raise Unusable(Reason.DAMAGED_ARCHIVE, _describe_start(block))
            cut = len(block) < BLOCK
            faults.append(
                "it was cut: it has no end mark" if cut else f"its header at byte {at:,} is damaged"
            )
            return
        data_at = at + BLOCK
        if header.type in (_PAX, _PAX_SOLARIS, _GNU_LONG_NAME):
            extended = read_at(descriptor, data_at, min(header.size, _MAX_EXTENDED))
            if header.type == _GNU_LONG_NAME:
                long_name = extended.rstrip(b"\0")
            else:
                name, long_size = _read_pax(extended)
                long_name = name or long_name
            at = _next_header(data_at, header.size)
            continue
        if header.type in (_GNU_LONG_LINK, _PAX_GLOBAL):
            at = _next_header(data_at, header.size)
            continue
        length = long_size if long_size is not None else header.size
        name = _clean(long_name or os.fsencode(header.name))
        if header.type == _GNU_SPARSE:
            length = header.size
        elif not header.isreg() and header.type in tarfile.SUPPORTED_TYPES:
            length = 0  # folders, links and devices have no data, whatever size they state
        present = max(0, min(length, size - data_at))
        if header.type != _FOLDER and name:
            yield TarEntry(name, data_at, length, present, _drop_by_type(header.type))
        if present < length:
            faults.append(f"it was cut inside {decode_entry_name(name)}")
            return
        at, long_name, long_size = _next_header(data_at, length), b"", None


def parse_header(block: bytes) -> tarfile.TarInfo | None:
    """Parse a header of 512 bytes; None if its checksum is wrong or its size is impossible."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    return header if 0 <= header.size < 1 << 61 else None


def _next_header(data_at: int, size: int) -> int:
    return data_at + -(-size // BLOCK) * BLOCK


def _read_pax(text: bytes) -> tuple[bytes, int | None]:
    """Return the name and the size in an extended header: b"" and None if it has none.

    >>> _read_pax(b"20 path=a/photo.jpg\\n11 size=70\\n")
    (b'a/photo.jpg', 70)
    """
    name, size, at = b"", None, 0
    while (space := text.find(b" ", at, at + 12)) > at and text[at:space].isdigit():
        length = int(text[at:space])
        if length <= space - at:
            break
        key, _, value = text[space + 1 : at + length - 1].partition(b"=")
        if key == b"path":
            name = value
        elif key == b"size" and value.isdigit() and len(value) < 19:
            size = int(value)
        at += length
    return name, size


def _clean(name: bytes) -> bytes:
    return b"/".join(step for step in name.split(b"/") if step not in (b"", b".", b".."))


def _drop_by_type(kind: bytes) -> Drop | None:
    if kind == _GNU_SPARSE:
        return _SPARSE_DROP
    if kind in (_HARD_LINK, _LINK):
        return _LINK_DROP
    return None if kind in tarfile.REGULAR_TYPES else _SPECIAL_DROP


def _describe_start(block: bytes) -> str:
    """Return why a file named .tar cannot be listed."""
    for magic, name in _COMPRESSED.items():
        if block.startswith(magic):
            return f"it is compressed with {name}, so no photo can be read in place: unpack it"
    return "its first header is damaged, or it is no tar"


def _drop_replaced(entries: tuple[TarEntry, ...]) -> tuple[TarEntry, ...]:
    """Mark entries whose name occurs again later: `tar --append` replaces a file in this way."""
    last = {entry.name: number for number, entry in enumerate(entries)}
    if len(last) == len(entries):
        return entries
    return tuple(
        entry
        if last[entry.name] == number
        else TarEntry(entry.name, entry.offset, entry.size, entry.present, _REPLACED_DROP)
        for number, entry in enumerate(entries)
    )


def is_zip_entry(entry: TarEntry) -> bool:
    """Return whether an entry is a zip or a volume of one, which is opened as on the disk."""
    if entry.drop:
        return False
    name = decode_path(entry.name)
    return bool(parse_volume_name(entry.name) or is_zip(name)) and not is_hidden(name)


def zip_volumes(path: bytes, listing: TarListing) -> Iterator[Volume]:
    """Yield the zips and volumes in the tar at `path`, each with its place in the tar."""
    for entry in filter(is_zip_entry, listing.entries):
        inside = path + b"/" + entry.name
        yield Volume(inside, 0, entry.present, listing.modified, path, entry.offset)


def add_tar_members(builder: MembersBuilder, path: bytes, listing: TarListing) -> None:
    """Add the entries of a tar that are neither zips nor volumes to a builder, in their order."""
    container = decode_path(path)
    entries = [entry for entry in listing.entries if not is_zip_entry(entry)]
    for rows in (entries[first : first + _ROWS] for first in range(0, len(entries), _ROWS)):
        names = [decode_entry_name(entry.name) for entry in rows]
        sizes = [entry.size for entry in rows]
        columns = {
            "container": container,
            "path": path,
            "size": sizes,
            "modified": listing.modified,
            "offset": [entry.offset for entry in rows],
            "packed_size": sizes,
            "method": IN_TAR,
            "crc": 0,
        }
        drops = [_drop_reason(name, entry) for name, entry in zip(names, rows, strict=True)]
        builder.extend([f"{container}/{name}" for name in names], drops, columns)


def _drop_reason(name: str, entry: TarEntry) -> Drop | None:
    if drop := entry.drop or drop_by_name(name):
        return drop
    if entry.present < entry.size:
        return Drop(Reason.UNREADABLE, "the tar was cut inside it")
    return None if entry.size else _EMPTY

"""List the members of a zip, whole or damaged.

The entries come from the central directory. If it is lost, they are recovered from the local
headers: a download that stopped has every photo except the last, but no directory, because that
lies at the end. Each local header states the length of its data, so recovery reads some 100 bytes
per member. If a header or its sizes are wrong, the next signature is searched for.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.archive.containers.central_directory import SpannedZip, read_central_directory
from fertools.archive.containers.entry import (
    DATA_DESCRIPTOR,
    ENCRYPTED,
    IN_ZIP64,
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    Entries,
    Entry,
    ZipListing,
    readable_methods,
    resolve_zip64,
)
from fertools.archive.containers.volumes import VolumeReader, VolumeSet, parse_volume_name
from fertools.archive.members import MembersBuilder
from fertools.archive.names import decode_entry_name, drop_by_name
from fertools.data import Drop, Reason, Unusable

#: Entries processed together; their names are Python objects meanwhile.
_BLOCK: Final = 1 << 14

_CHUNK_BYTES = 1 << 20

# Bytes searched for the next header: the size of the largest photo that is read. Without this limit
# a sparse file of 1 TB would be searched for an hour.
_MAX_SEARCH_BYTES = 256 << 20

# Signatures tried as the end of an entry: the data of one photo in 2,000 contains one by chance.
# Without this limit a zip of signatures only would be searched from each of them to its end.
_MAX_SIGNATURES = 8

_LOCAL = re.compile(re.escape(LOCAL_SIGNATURE))
_LOCAL_OR_CENTRAL = re.compile(rb"PK(?:\x03\x04|\x01\x02)")  # the second begins the directory


def list_entries(zipped: VolumeReader) -> ZipListing:
    """Return the entries of a zip by offset, from its directory or, if it is lost, recovered.

    Raises SpannedZip for the last file of a `.z01` set, and OSError if the zip cannot be read.
    """
    faults = zipped.volume_set.faults
    try:
        listing = read_central_directory(zipped)
    except SpannedZip:
        raise
    except Unusable as damage:
        fault = damage.drop.detail
        if parse_volume_name(zipped.volume_set.path):
            last = zipped.volume_set.volumes[-1].name
            fault += f"; {last} is the last volume here: is a later one missing?"
        return ZipListing(Entries.of(_recover_entries(zipped)), zipped.size, (*faults, fault))
    entries = listing.entries.by_offset()
    faults += listing.faults + tuple(_misplaced_volumes(zipped, entries))
    return replace(listing, entries=entries, faults=faults)


def _misplaced_volumes(zipped: VolumeReader, entries: Entries) -> Iterator[str]:
    """Yield a fault for each volume whose first entry is not where the directory says.

    This costs one read per volume. It finds volumes with swapped names, whose sizes are right.
    """
    offsets = entries.fields["offset"]
    for volume in zipped.volume_set.volumes:
        index = int(np.searchsorted(offsets, volume.start))
        if index == len(entries) or int(offsets[index]) + len(LOCAL_SIGNATURE) > volume.end:
            continue
        if zipped.read(int(offsets[index]), len(LOCAL_SIGNATURE)) != LOCAL_SIGNATURE:
            yield f"{volume.name} does not match the zip's directory: swapped or damaged"


def _recover_entries(zipped: VolumeReader) -> Iterator[Entry]:
    """Find local headers and yield the entries whose data is complete. Raises OSError.

    The CRC is not checked here, but when the member is read.
    """
    start = zipped.skip_gaps(0)
    while (at := next(_signatures(zipped, start, _LOCAL), None)) is not None:
        entry = _read_local_header(zipped, at)
        if entry:
            yield entry
        start = entry.end if entry else at + 1


def _signatures(zipped: VolumeReader, start: int, pattern: re.Pattern[bytes]) -> Iterator[int]:
    """Yield offsets of a signature from `start` on; stop after _MAX_SEARCH_BYTES, skip gaps."""
    remaining = _MAX_SEARCH_BYTES
    at = zipped.skip_gaps(start)
    while at < zipped.size and remaining > 0:
        end = zipped.run_end(at)
        # The first read is short: in an undamaged zip the next header is at `start`.
        count = min(256 if at == start else _CHUNK_BYTES, end - at)
        text = zipped.read(at, count)
        yield from (at + match.start() for match in pattern.finditer(text))
        remaining -= count
        # Read the last 3 bytes again: a signature may cross the end of the chunk.
        at = zipped.skip_gaps(end) if at + count >= end else at + count - 3


def _read_local_header(zipped: VolumeReader, at: int) -> Entry | None:
    """Return the entry of the local header at offset `at`; None if its data is not complete."""
    until = zipped.run_end(at)
    if at + LOCAL_HEADER.size > until:
        return None
    header = LOCAL_HEADER.unpack(zipped.read(at, LOCAL_HEADER.size))
    (_, _, flags, method, _, _, crc, packed, size, name_length, extra_length) = header
    data_at = at + LOCAL_HEADER.size + name_length + extra_length
    if not name_length or data_at > until:
        return None
    text = zipped.read(at + LOCAL_HEADER.size, name_length + extra_length)
    name, extra = text[:name_length], text[name_length:]
    if IN_ZIP64 in (size, packed):
        size, packed = resolve_zip64(extra, size, packed)
    if flags & DATA_DESCRIPTOR and not packed:
        descriptor = _find_data_descriptor(zipped, data_at)
        if descriptor is None:
            return None
        crc, packed, size = descriptor
    if data_at + packed > until:
        return None
    return Entry(name, at, packed, size, method, crc, flags)


def _find_data_descriptor(zipped: VolumeReader, data_at: int) -> tuple[int, int, int] | None:
    """Find the data descriptor behind data of unknown length; return CRC, packed and unpacked size.

    It lies directly before the next header, with or without a signature, with sizes in 4 or 8
    bytes. It is the right one if its packed size is the length of the data. None if not found.
    """
    until = zipped.run_end(data_at)
    # A cut zip may end before the next header, or inside the 4 bytes of its signature.
    cut_ends = range(until, until - len(LOCAL_SIGNATURE), -1)
    found = islice(_signatures(zipped, data_at, _LOCAL_OR_CENTRAL), _MAX_SIGNATURES)
    for end in chain(found, cut_ends):
        for width, signature in ((4, 4), (4, 0), (8, 4), (8, 0)):
            packed = end - data_at - (signature + 4 + 2 * width)
            if packed < 0 or end > until:
                continue
            text = zipped.read(end - 4 - 2 * width, 4 + 2 * width)
            if int.from_bytes(text[4 : 4 + width], "little") == packed:
                crc = int.from_bytes(text[:4], "little")
                return crc, packed, int.from_bytes(text[4 + width :], "little")
    return None


def add_members(builder: MembersBuilder, volume_set: VolumeSet, listing: ZipListing) -> None:
    """Add the entries of a zip, except folders, to a builder, in the order of offset and name."""
    entries, container = listing.entries, volume_set.key
    limits = np.append(entries.fields["offset"][1:], listing.end)
    suspect = _find_suspects(volume_set, entries, limits)
    order = _order_entries(entries)
    for numbers in (order[first : first + _BLOCK] for first in range(0, len(order), _BLOCK)):
        fields = entries.fields[numbers]
        columns = (numbers, fields["name_at"], fields["name_length"], fields["size"])
        used, keys, drops = [], [], []
        for i, (number, file_name_at, length, size) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            raw = entries.text[file_name_at : file_name_at + length]
            if size == 0 and raw[-1:] in (b"/", b"\\"):
                continue
            name = decode_entry_name(raw)
            drop = drop_by_name(name)
            if drop is None and suspect[number]:
                drop = _drop_reason(volume_set, entries.entry(number), int(limits[number]))
            used.append(i)
            keys.append(f"{container}/{name}")
            drops.append(drop)
        fields = fields[used]
        shared = {
            "container": container,
            "path": volume_set.path,
            "modified": volume_set.modified,
            "packed_size": fields["packed"].tolist(),
        }
        per_entry = {name: fields[name].tolist() for name in ("size", "offset", "method", "crc")}
        builder.extend(keys, drops, shared | per_entry)


def _order_entries(entries: Entries) -> NDArray[np.int64]:
    """Return the order of entries by offset, then by name; `entries` are sorted by offset."""
    offsets = entries.fields["offset"]
    order = np.arange(len(offsets))
    same = np.flatnonzero(offsets[1:] == offsets[:-1])
    for offset in np.unique(offsets[same]).tolist():
        numbers = np.flatnonzero(offsets == offset)
        names = [decode_entry_name(entries.entry(number).name) for number in numbers.tolist()]
        order[numbers] = numbers[sorted(range(len(names)), key=names.__getitem__)]
    return order


def _find_suspects(
    volume_set: VolumeSet, entries: Entries, limits: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which entries may be unusable whatever their names, bool, (entries,)."""
    fields, ends = entries.fields, entries.ends()
    offsets, kinds = fields["offset"], fields["mode"] & 0o170000  # stat.S_IFMT of an array
    suspects: NDArray[np.bool_] = (kinds != 0) & (kinds != stat.S_IFREG)
    suspects |= fields["flags"] & ENCRYPTED != 0
    suspects |= ~np.isin(fields["method"], readable_methods())
    suspects |= (fields["size"] == 0) | (offsets < 0) | (ends > limits)
    for gap in volume_set.gaps:
        suspects |= (gap.start < ends) & (offsets < gap.end)
    return suspects


def _drop_reason(volume_set: VolumeSet, entry: Entry, limit: int) -> Drop | None:
    drop = entry.drop_reason(limit)
    if drop is None and (gap := volume_set.first_gap(entry.offset, entry.end)):
        return Drop(Reason.UNREADABLE, gap.detail)
    return drop

"""Lists the archive: every entry once, a photo or a reason why not."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.archive.directory import SpannedZip
from fertools.archive.folder import File, Files, RetryPolicy, base_of, read_fault, walk
from fertools.archive.members import SCHEMA, Members, MembersBuilder, keys_of, packed
from fertools.archive.names import decode_name, drop_by_name, is_hidden, is_zip, picture_format
from fertools.archive.volumes import (
    Volume,
    VolumeReader,
    VolumeSet,
    find_volumes,
    order_volumes,
    parse_volume_name,
)
from fertools.archive.zips import add_members, list_entries
from fertools.columns import BATCH, Columns, Ints
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from fertools.errors import SourceError, printable

_EMPTY = Drop(Reason.EMPTY)
_NOTHING = Drop(Reason.NOT_A_PHOTO, "a zip without entries")

_NUMBERED: Final = re.compile(r" #\d+\Z")


@dataclass(frozen=True, slots=True)
class Scan:
    """Every member in the order of the build, and what the user should know, a line each.

    The order is that of containers, then of offsets in a zip, so that it is read forward, or of
    names in a folder. It is the same on every file system. `faults` names what the system would
    not list or open, a line each: it may pass, and another scan may find more.
    """

    members: Members
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def scan(source: Path) -> Scan:
    """List what is in a folder, in a zip, or in the set that a piece of a zip belongs to.

    Nothing is extracted and no photo is opened: of a zip only its directory is read. Where SRC is
    a zip itself, paths are relative to the folder that it lies in.

    Raises SourceError if SRC is not there, is neither a folder nor a zip, or has no photo.
    """
    drops: dict[Drop, int] = {}
    loose, zipped = MembersBuilder(drops), MembersBuilder(drops)
    spans: list[_Span] = []
    warnings: list[str] = []
    faults: list[str] = []
    retries = RetryPolicy()
    with Files(base_of(source)) as files:
        zips = _list(source, files.base, loose, faults)
        for layout in sorted(zips, key=lambda layout: (layout.key, layout.path)):
            start = len(zipped)
            try:
                warnings += retries.retry(partial(_read_zip, layout, files, loose, zipped))
            except (OSError, ReadFault) as error:
                drop = (read_fault(error) if isinstance(error, OSError) else error).drop
                loose.add([_whole(layout, drop)])
                faults.append(f"{printable(layout.key)}: {drop.detail}")
            spans.append(_Span(layout.key, layout.path, start, len(zipped)))
    members = Members(_in_order(loose, zipped, spans), tuple(drops))
    warnings += _cures(members)
    _refuse_photoless(source, (loose, zipped), warnings)
    return Scan(members, (*sorted(warnings), *_twice(zips)), tuple(sorted(faults)))


def _list(source: Path, base: bytes, loose: MembersBuilder, faults: list[str]) -> list[VolumeSet]:
    """List SRC's zips, and add its loose files to a draft, and faults. Raises SourceError."""
    shown = printable(str(source))
    try:
        if source.is_dir():
            return _sort_out(walk(base), loose, faults)
        # Not Path.resolve, which answers a link in a loop with RuntimeError up to Python 3.12.
        name = os.path.basename(os.path.realpath(os.fsencode(source), strict=True))  # noqa: PTH119
        if source.is_file() and (is_zip(decode_name(name)) or parse_volume_name(name)):
            return [find_volumes(base, name)]
    except FileNotFoundError:
        raise SourceError(f"{shown} is not there: check the path") from None
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from None
    raise SourceError(f"{shown} is neither a folder nor a .zip: give what you downloaded")


def _sort_out(files: Iterable[File], loose: MembersBuilder, faults: list[str]) -> list[VolumeSet]:
    zips: defaultdict[tuple[bool, bytes], list[Volume]] = defaultdict(list)
    waiting: list[Member] = []
    for file in files:
        if file.fault and file.dropped and not is_hidden(file.key):
            faults.append(f"{printable(file.key)}: {file.dropped.detail}")
        numbered = parse_volume_name(file.path)
        if file.dropped or is_hidden(file.key) or not (numbered or is_zip(file.name)):
            waiting.append(_loose(file))
            if len(waiting) == BATCH:
                loose.add(waiting)
                waiting = []
            continue
        stem = numbered[0] if numbered else file.path
        piece = Volume(file.path, 0, file.size, file.modified)
        zips[numbered is None, stem].append(piece)
    loose.add(waiting)
    return [order_volumes(pieces) for pieces in zips.values()]


def _loose(file: File) -> Member:
    dropped = file.dropped or drop_by_name(file.key) or (None if file.size else _EMPTY)
    return Member(file.key, file.folder, file.path, file.size, file.modified, dropped=dropped)


def _read_zip(
    layout: VolumeSet, files: Files, loose: MembersBuilder, inside: MembersBuilder
) -> list[str]:
    """Add a zip's members, and a row for the zip itself if it is not sound; return warnings.

    Raises OSError or ReadFault, before anything is added, where the zip cannot be read.
    """
    name = printable(layout.key)
    try:
        layout = find_volumes(files.base, layout.path)
        zipped = VolumeReader(layout, files)
        contents = list_entries(zipped)
        now = find_volumes(files.base, layout.path)
        if (now.size, now.modified) != (layout.size, layout.modified):
            raise ReadFault(Reason.CHANGED, "it is being written to: wait until it is complete")
    except SpannedZip as split:
        last = printable(layout.key.rpartition("/")[2])
        cure = f"join it first, with: zip -s 0 '{last}' --out 'joined {last}'"
        loose.add([_whole(layout, split.drop)])
        return [f"{name}: {split.drop.detail}; {cure}"]
    except (OSError, ReadFault):
        files.close()  # so that the next try opens it again
        raise
    except Unusable as damage:
        loose.add([_whole(layout, damage.drop)])
        return [f"{name}: {damage.drop.detail}; nothing of it is used"]
    listed, photos = len(inside), inside.photos
    add_members(inside, zipped, contents)
    if contents.faults:
        photos = inside.photos - photos
        rest = f"{photos:,} of its photos can be used; to have all, download it again"
        loose.add([_whole(layout, Drop(Reason.DAMAGED_ARCHIVE, "; ".join(contents.faults)))])
        return [f"{name}: {fault}; {rest}" for fault in contents.faults]
    if len(inside) == listed:
        loose.add([_whole(layout, _NOTHING)])
    return []


def _whole(layout: VolumeSet, drop: Drop) -> Member:
    """Give a zip a row of its own."""
    folder = layout.key.rpartition("/")[0]
    return Member(layout.key, folder, layout.path, layout.size, layout.modified, dropped=drop)


@dataclass(frozen=True, slots=True)
class _Span:
    """A run of rows: those of one zip, or of one folder, whose path is then b""."""

    container: str
    path: bytes
    start: int
    stop: int


def _in_order(loose: MembersBuilder, zipped: MembersBuilder, zips: list[_Span]) -> Columns:
    """Put folders and zips in order, and number the members that share a key."""
    rows, folders = _sorted(loose.columns())
    hashes = (loose.hashes()[rows], zipped.hashes())
    listed = (_taken(loose.columns(), rows), zipped.columns())
    order = sorted([*folders, *zips], key=lambda span: (span.container, span.path))
    spans = [(span.start, span.stop, int(span.path != b"")) for span in order]
    columns = Columns(
        (batch for start, stop, which in spans for batch in listed[which].slices(start, stop)),
        SCHEMA,
    )
    every = [hashes[which][start:stop] for start, stop, which in spans]
    return _with_unique_keys(columns, np.concatenate([np.zeros(0, np.int64), *every]))


def _sorted(loose: Columns) -> tuple[Ints, list[_Span]]:
    """Return the rows of loose files by folder, then by name, and where each folder's are."""
    codes, folders = loose.codes("container")
    rank = np.argsort(np.array(sorted(range(len(folders)), key=folders.__getitem__), np.int64))
    rows = np.argsort(rank[codes], kind="stable")
    spans = []
    ends = np.cumsum(np.bincount(codes, minlength=len(folders))[np.argsort(rank)])
    for folder, start, stop in zip(sorted(folders), [0, *ends.tolist()], ends, strict=False):
        rows[start:stop] = _by_name(loose, rows[start:stop])
        spans.append(_Span(folder, b"", start, int(stop)))
    return rows, spans


def _by_name(loose: Columns, rows: Ints) -> Ints:
    batch = loose.take(rows)
    keys, paths = keys_of(batch).to_pylist(), batch["path"].to_pylist()
    # A path is null where it is the key.
    names = [(key, path or key.encode()) for key, path in zip(keys, paths, strict=True)]
    return rows[np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)]


def _taken(columns: Columns, rows: Ints) -> Columns:
    blocks = (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))
    return Columns((columns.take(block) for block in blocks), columns.schema)


def _with_unique_keys(columns: Columns, hashes: Ints) -> Columns:
    """Number those that share a key: a zip may list a name twice, and NFC makes twins.

    hashes   of the keys, by which those that may be shared are found
    """
    by_hash = np.argsort(hashes, kind="stable")
    same = hashes[by_hash[1:]] == hashes[by_hash[:-1]]
    if not same.any():
        return columns
    shared = np.zeros(len(hashes), np.bool_)
    shared[by_hash[1:][same]] = shared[by_hash[:-1][same]] = True
    batches, first, seen = [], 0, dict[str, int]()
    for batch in columns.slices():
        batches.append(_renamed(batch, shared[first : first + len(batch)], seen))
        first += len(batch)
    return Columns(batches, columns.schema)


def _renamed(
    batch: pa.RecordBatch, shared: NDArray[np.bool_], seen: dict[str, int]
) -> pa.RecordBatch:
    """Number the keys of a batch that are shared or look like numbered ones.

    seen   how often each was met, in earlier batches too
    """
    keys, rest, paths = (
        column.to_pylist() for column in (keys_of(batch), batch["rest"], batch["path"])
    )
    changed = False
    for i, name in enumerate(keys):
        if not (shared[i] or _NUMBERED.search(name)):
            continue
        key = name
        while key in seen:
            seen[name] += 1
            key = f"{name} #{seen[name]}"
        seen[key] = 1
        if key is not name:
            rest[i] += key[len(name) :]
            paths[i] = paths[i] or name.encode()
            changed = True
    if not changed:
        return batch
    own = {name: batch[name] for name in batch.schema.names}
    return pa.record_batch(own | {"rest": packed(rest, "rest"), "path": packed(paths, "path")})


def _twice(zips: Iterable[VolumeSet]) -> list[str]:
    """Warn of a zip that was joined and whose pieces were kept."""
    times = Counter(layout.key for layout in zips)
    cure = "its photos count twice; take one of the two away"
    return [
        f"{printable(key)} is there whole and in pieces: {cure}"
        for key, count in sorted(times.items())
        if count > 1
    ]


def _cures(members: Members) -> list[str]:
    """Warn of photos that the user can make usable, with the way to do it.

    One line a zip with a password, one for all pictures whose format is not read.
    """
    codes = members.dropped
    curable = [drop.reason in (Reason.ENCRYPTED, Reason.UNSUPPORTED) for drop in members.drops]
    locked: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    for member in members.take(np.flatnonzero(np.array([*curable, False])[codes])):
        if member.dropped and member.dropped.reason is Reason.ENCRYPTED:
            locked[member.container] += 1
        else:
            formats[picture_format(member.key)] += 1
    told = [
        f"{printable(container)}: {count:,} photos are behind a password: unpack it with the "
        "password, and give the folder instead"
        for container, count in locked.items()
    ]
    if formats:
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(formats.items()))
        told.append(f"{counts} pictures are left out, their format is not read: convert to JPEG")
    return told


def _refuse_photoless(source: Path, drafts: Iterable[MembersBuilder], warnings: list[str]) -> None:
    if any(draft.photos for draft in drafts):
        return
    reasons = sum((draft.reasons for draft in drafts), Counter[Reason]())
    counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
    why = warnings[0] if warnings else "give the folder that the zips or the photos lie in"
    shown = printable(str(source))
    raise SourceError(f"{shown} holds no photo that can be used ({counts or 'it is empty'}): {why}")

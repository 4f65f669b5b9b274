"""List every entry of the archive once, as a photo or with the reason why it is none."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from fertools.archive.containers.central_directory import SpannedZip
from fertools.archive.containers.locate import find_volumes, open_zip
from fertools.archive.containers.tar import add_tar_members, list_tar, zip_volumes
from fertools.archive.containers.volumes import Volume, VolumeSet, order_volumes, parse_volume_name
from fertools.archive.containers.zips import add_members, list_entries
from fertools.archive.folder import OpenFiles, RetryPolicy, base_folder, to_read_fault, walk
from fertools.archive.members import Members, MembersBuilder
from fertools.archive.names import (
    COMPRESSED_DROP,
    OTHER_FORMATS,
    decode_name,
    drop_by_name,
    is_hidden,
    is_tar,
    is_zip,
)
from fertools.archive.order import Span, order_rows
from fertools.archive.preset_files import find_preset_files
from fertools.columns import BATCH_ROWS
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from fertools.errors import SourceError, printable
from fertools.layouts.known import AIHUB
from fertools.layouts.listing import recognise
from fertools.layouts.preset import Preset

_EMPTY_FILE = Drop(Reason.EMPTY)
_EMPTY_ZIP = Drop(Reason.NOT_A_PHOTO, "a zip without entries")
_EMPTY_TAR = Drop(Reason.NOT_A_PHOTO, "a tar without entries")


@dataclass(frozen=True, slots=True)
class Scan:
    """Every member in the order of the build, with warnings for the user and faults, a line each.

    The order is that of `order.py`. A fault names a folder, file, zip or tar that could not be
    listed or opened: another scan may succeed.
    """

    members: Members
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def scan(source: Path, preset: Preset = AIHUB, *, photos_needed: bool = True) -> Scan:
    """List a folder, a zip, the zip that a volume belongs to, or a tar.

    preset   names the label files, and the CSVs whose rows are photos; SRC may be such a CSV

    Nothing is extracted and no photo is opened: only the directory of a zip and the headers of a
    tar are read. If SRC is a zip or tar itself, paths are relative to its folder.

    Raises SourceError if SRC does not exist, is none of these, or, unless `photos_needed` is false,
    has no photo.
    """
    with OpenFiles(base_folder(source)) as files:
        scanner = _Scanner(files)
        zips, tars = _list_source(source, files.base, scanner.loose, scanner.faults, preset)
        for tar in sorted(tars, key=_container_order):
            zips += scanner.add_tar(tar)
        for zipped in sorted(zips, key=_container_order):
            scanner.add_zip(zipped)
        rows = order_rows(scanner.loose, scanner.packed, scanner.spans)
        found = find_preset_files(Members(rows, tuple(scanner.drops)), files, preset)
    members = found.members
    warnings = [*scanner.warnings, *found.warnings, *_fixable_warnings(members)]
    if photos_needed:
        _check_has_photos(source, members, warnings, preset)
    faults = tuple(sorted([*scanner.faults, *found.faults]))
    return Scan(members, (*sorted(warnings), *_repeated_zip_warnings(zips)), faults)


def _container_order(container: VolumeSet) -> tuple[str, bytes]:
    return container.key, container.path


class _Scanner:
    """Collects the members of an archive, container by container.

    loose    files of folders, and a row for each zip or tar that is damaged or empty
    packed   members of zips and tars
    spans    the rows of each zip and tar in `packed`
    """

    def __init__(self, files: OpenFiles) -> None:
        self.drops: dict[Drop, int] = {}
        self.loose, self.packed = MembersBuilder(self.drops), MembersBuilder(self.drops)
        self.spans: list[Span] = []
        self.warnings: list[str] = []
        self.faults: list[str] = []
        self._files = files
        self._retries = RetryPolicy()

    def add_zip(self, zipped: VolumeSet) -> None:
        self._add(zipped, partial(_add_zip, zipped.path, self._files, self.loose, self.packed))

    def add_tar(self, tar: VolumeSet) -> list[VolumeSet]:
        """Add the photos of a tar; return its zips."""
        zips: list[Volume] = []
        self._add(tar, partial(_add_tar, tar, self._files.base, self.loose, self.packed, zips))
        return _group_volumes(zips)

    def _add(self, container: VolumeSet, add: Callable[[], list[str]]) -> None:
        start = len(self.packed)
        try:
            self.warnings += self._retries.retry(add)
        except (OSError, ReadFault) as error:
            drop = (to_read_fault(error) if isinstance(error, OSError) else error).drop
            self.loose.add([_container_member(container, drop)])
            self.faults.append(f"{printable(container.key)}: {drop.detail}")
        self.spans.append(Span(container.key, container.path, start, len(self.packed)))


def _list_source(
    source: Path, base: bytes, loose: MembersBuilder, faults: list[str], preset: Preset
) -> tuple[list[VolumeSet], list[VolumeSet]]:
    """Return SRC's zips and tars; add its loose files to `loose`, its faults to `faults`."""
    source_text = printable(str(source))
    try:
        if source.is_dir():
            return _separate_zips(walk(base, faults), loose)
        # Not Path.resolve, which raises RuntimeError for a link in a loop up to Python 3.12.
        name = os.path.basename(os.path.realpath(os.fsencode(source), strict=True))  # noqa: PTH119
        if source.is_file():
            if is_tar(decode_name(name)):
                return [], [find_volumes(base, name)]
            if is_zip(decode_name(name)) or parse_volume_name(name):
                return [find_volumes(base, name)], []
            if preset.pixels and decode_name(name).lower() in preset.pixels.files:
                return _separate_zips((f for f in walk(base, faults) if f.path == name), loose)
    except FileNotFoundError:
        raise SourceError(f"{source_text} is not there: check the path") from None
    except OSError as error:
        raise SourceError(
            f"{source_text} cannot be read: {error.strerror}: check its permissions and the disk"
        ) from None
    raise SourceError(
        f"{source_text} is neither a folder nor a .zip or .tar: give what you downloaded"
    )


def _separate_zips(
    files: Iterable[Member], loose: MembersBuilder
) -> tuple[list[VolumeSet], list[VolumeSet]]:
    volumes: list[Volume] = []
    tars: list[VolumeSet] = []
    batch: list[Member] = []
    for file in files:
        opened = not (file.dropped or is_hidden(file.key))
        if opened and (is_zip(file.key) or parse_volume_name(file.path)):
            volumes.append(Volume(file.path, 0, file.size, file.modified))
            continue
        if opened and is_tar(file.key):
            tars.append(VolumeSet((Volume(file.path, 0, file.size, file.modified),)))
            continue
        drop = file.dropped or drop_by_name(file.key) or (None if file.size else _EMPTY_FILE)
        batch.append(replace(file, dropped=drop) if drop else file)
        if len(batch) == BATCH_ROWS:
            loose.add(batch)
            batch = []
    loose.add(batch)
    return _group_volumes(volumes), tars


def _group_volumes(volumes: Iterable[Volume]) -> list[VolumeSet]:
    zips: defaultdict[tuple[bool, bytes], list[Volume]] = defaultdict(list)
    for volume in volumes:
        numbered = parse_volume_name(volume.path)
        zips[numbered is None, numbered[0] if numbered else volume.path].append(volume)
    return [order_volumes(group) for group in zips.values()]


def _container_member(container: VolumeSet, drop: Drop) -> Member:
    folder = container.key.rpartition("/")[0]
    return Member(
        container.key, folder, container.path, container.size, container.modified, dropped=drop
    )


def _add_tar(
    tar: VolumeSet,
    base: bytes,
    loose: MembersBuilder,
    packed: MembersBuilder,
    zips: list[Volume],
) -> list[str]:
    """Add the photos of a tar to `packed` and its zips to `zips`; else as `_add_zip`."""
    name = printable(tar.key)
    try:
        listing = list_tar(base, tar.path)
    except Unusable as damage:
        loose.add([_container_member(tar, damage.drop)])
        return [f"{name}: {damage.drop.detail}; nothing of it is used"]
    zips += zip_volumes(tar.path, listing)
    add_tar_members(packed, tar.path, listing)
    if listing.faults:
        loose.add([_container_member(tar, Drop(Reason.DAMAGED_ARCHIVE, "; ".join(listing.faults)))])
        rest = "what lies before is used; to have all, download it again"
        return [f"{name}: {fault}; {rest}" for fault in listing.faults]
    if not listing.entries:
        loose.add([_container_member(tar, _EMPTY_TAR)])
    return []


def _add_zip(
    path: bytes, files: OpenFiles, loose: MembersBuilder, packed: MembersBuilder
) -> list[str]:
    """Add the members of a zip to `packed`, and return warnings.

    A zip with a fault or without entries is itself added to `loose`. Raises OSError or ReadFault
    if the zip cannot be read; then nothing is added.
    """
    try:
        reader = open_zip(path, files)
        zipped = reader.volume_set
        name = printable(zipped.key)
        listing = list_entries(reader)
        now = find_volumes(files.base, path)
        if (now.size, now.modified) != (zipped.size, zipped.modified):
            raise ReadFault(Reason.CHANGED, "it is being written to: wait until it is complete")
    except SpannedZip as spanned:
        last = printable(zipped.key.rpartition("/")[2])
        advice = f"join it first, with: zip -s 0 '{last}' --out 'joined {last}'"
        loose.add([_container_member(zipped, spanned.drop)])
        return [f"{name}: {spanned.drop.detail}; {advice}"]
    except (OSError, ReadFault):
        files.close()  # so that the next try opens it again
        raise
    except Unusable as damage:
        loose.add([_container_member(zipped, damage.drop)])
        return [f"{name}: {damage.drop.detail}; nothing of it is used"]
    notes = [f"{name}: {note}" for note in zipped.notes]
    members_before, photos_before = len(packed), packed.photos
    add_members(packed, zipped, listing)
    if listing.faults:
        photos = packed.photos - photos_before
        rest = f"{photos:,} of its photos can be used; to have all, download it again"
        loose.add(
            [_container_member(zipped, Drop(Reason.DAMAGED_ARCHIVE, "; ".join(listing.faults)))]
        )
        return notes + [f"{name}: {fault}; {rest}" for fault in listing.faults]
    if len(packed) == members_before:
        loose.add([_container_member(zipped, _EMPTY_ZIP)])
    return notes


def _repeated_zip_warnings(zips: Iterable[VolumeSet]) -> list[str]:
    times = Counter(zipped.key for zipped in zips)
    advice = "its photos count twice; remove one of the two"
    return [
        f"{printable(key)} is there both whole and in volumes: {advice}"
        for key, count in sorted(times.items())
        if count > 1
    ]


def _fixable_warnings(members: Members) -> list[str]:
    """Return warnings about photos that the user can make usable, with advice.

    One line per zip with a password, one for all pictures in other formats, and one for all
    archives that are compressed as a whole.
    """
    codes = members.dropped
    fixable = [
        drop.reason in (Reason.ENCRYPTED, Reason.UNSUPPORTED) or drop == COMPRESSED_DROP
        for drop in members.drops
    ]
    locked: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    compressed: list[str] = []
    for member in members.take(np.flatnonzero(np.array([*fixable, False])[codes])):
        if member.dropped and member.dropped.reason is Reason.ENCRYPTED:
            locked[member.container] += 1
        elif member.dropped == COMPRESSED_DROP:
            compressed.append(member.key)
        else:
            formats[OTHER_FORMATS[member.key[member.key.rfind(".") :].lower()]] += 1
    warnings = [
        f"{printable(container)}: {count:,} photos are behind a password: unpack it with the "
        "password, and give the folder instead"
        for container, count in locked.items()
    ]
    if compressed:
        more = f" and {len(compressed) - 1:,} more" if len(compressed) > 1 else ""
        warnings.append(f"{printable(compressed[0])}{more}: {COMPRESSED_DROP.detail}")
    if formats:
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(formats.items()))
        warnings.append(
            f"{counts} pictures are left out, their format is not read: convert to JPEG"
        )
    return warnings


def _check_has_photos(source: Path, members: Members, warnings: list[str], preset: Preset) -> None:
    dropped = members.dropped
    if (dropped < 0).any():
        return
    reasons = Counter(members.drops[code].reason for code in dropped.tolist())
    counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
    advice = recognise(members.keys, preset)
    advice = advice or "give the folder that the zips or the photos lie in"
    cause = warnings[0] if warnings else advice
    source_text = printable(str(source))
    raise SourceError(
        f"{source_text} holds no photo that can be used ({counts or 'it is empty'}): {cause}"
    )

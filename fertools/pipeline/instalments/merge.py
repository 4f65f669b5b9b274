"""Join the members of what is there with those of what was seen and is gone.

    there    A.zip            C.zip            folder/1.jpg
    seen     A.zip    B.zip
    joined   A.zip    B.zip   C.zip            folder/1.jpg     as one scan of all would list them

A zip that was seen and is gone is no error. One that is there again must have all photos that it
had: another zip of the same name would replace photos that nobody can look at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.archive.folder import RetryPolicy
from fertools.archive.members import Members, MembersBuilder
from fertools.archive.order import Span, order_rows
from fertools.archive.reader import Reader
from fertools.columns import BATCH_ROWS
from fertools.data import Drop, ReadFault, Reason, Unusable
from fertools.errors import OutputError, printable
from fertools.files import remove_whole
from fertools.labels.annotations import Annotations
from fertools.pipeline.extraction import Extraction
from fertools.pipeline.instalments.seen import (
    SeenContainer,
    SeenStore,
    identity,
    is_label_drop,
)
from fertools.pipeline.labelling.catalog import boxes_to_crop, unreadable_source
from fertools.pipeline.plan import LARGEST
from fertools.pipeline.request import Request

#: The path of all loose files, which have none in common.
_LOOSE: Final = b""

#: Stands for a loose file in a column of offsets; those of zips are never so low.
_NO_OFFSET: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as far as it is known.

    members         of all that is there or was seen, in the order of the build
    there           of what is there, as the scan lists them
    gone            paths of zips, tars and loose files that were seen and are not there any more
    label_files     bytes of the label files of what is gone, by key
    seen            what is there, to be stored
    in_instalments  whether OUT is built in instalments; if not, all is as a scan says
    warnings        zips that have more photos than when they were seen
    """

    members: Members
    there: Members
    gone: frozenset[bytes] = frozenset()
    label_files: Mapping[str, bytes] = field(default_factory=dict)
    seen: tuple[SeenContainer, ...] = ()
    in_instalments: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def is_useful(self) -> bool:
        """Whether there is any photo or label file."""
        useful = {-1, *(i for i, drop in enumerate(self.members.drops) if is_label_drop(drop))}
        return bool(np.isin(self.members.dropped, [*useful]).any())

    def extraction(self, request: Request, annotations: Annotations, scanned: int) -> Extraction:
        """Return what is processed of it: all photos, in parts that depend on one zip alone.

        Which photos have a class is known only when all zips were seen. Boxes of annotators are
        part of a crop, so with them the label files must have been seen before.
        """
        rows = np.flatnonzero(self.members.dropped < 0)
        keys, faces = self.members.keys_at(rows), request.options.faces
        boxes = boxes_to_crop(annotations, keys, faces)
        return Extraction(request, self.members, rows, boxes, scanned, LARGEST, self.gone)


def known_archive(there: Members, store: SeenStore, *, overwrite: bool) -> Archive:
    """Return what is there, joined with what was seen if OUT is built in instalments."""
    if store.exists:
        return merge(there, store, overwrite=overwrite)
    return Archive(there, there, in_instalments=False)


def merge(there: Members, store: SeenStore, *, overwrite: bool) -> Archive:
    """Join the members that are there with what was seen.

    overwrite   replace what was seen of a zip by the zip of its name that is there, and forget what
                cannot be read

    Raises OutputError for a zip that is not the one that was seen, and for a damaged file of
    `store` whose zip is gone.
    """
    seen, damaged = store.read()
    present = {own.path: own for own in _divide(there)}
    _check_damage(store, damaged, present, overwrite=overwrite)
    warnings = []
    for path in present.keys() & seen.keys():
        warnings += _compare(seen[path], present[path], overwrite=overwrite)
    kept = {path: own for path, own in seen.items() if path not in present}
    if loose := _kept_loose(seen, present):
        kept[_LOOSE] = loose
    if not kept:
        return Archive(there, there, seen=tuple(present.values()), warnings=tuple(warnings))
    gone = {path for path in kept if path != _LOOSE}
    gone |= {member.path for member in loose.members} if loose else set()
    label_files = {key: data for own in kept.values() for key, data in own.label_files.items()}
    members = _join([*present.values(), *kept.values()])
    if loose:
        present[_LOOSE] = _with_loose(present.get(_LOOSE), loose)
    return Archive(
        members,
        there,
        frozenset(gone),
        label_files,
        tuple(present.values()),
        warnings=tuple(sorted(warnings)),
    )


def store_seen(archive: Archive, store: SeenStore, request: Request) -> None:
    """Store what is there, with the bytes of its label files, unless it is stored already.

    Raises SourceError for a label file that cannot be read, unless that is accepted, and
    OutputError if the disk does not take it.
    """
    retries = RetryPolicy()
    with Reader(request.source, kept=archive.label_files) as reader:
        for seen in archive.seen:
            if store.digest_of(seen.path) == seen.digest:
                continue
            label_files = {}
            for member in (m for m in seen.members if is_label_drop(m.dropped)):
                try:
                    label_files[member.key] = retries.retry(partial(reader.read, member))
                except Unusable:
                    continue
                except ReadFault as fault:
                    if not request.run.accept_unreadable:
                        line = f"{printable(member.key)}: {fault.drop.detail}"
                        raise unreadable_source([line]) from fault
            store.write(replace(seen, label_files=label_files))


def _divide(members: Members) -> Iterator[SeenContainer]:
    """Divide members by the zip or tar in which they are; loose files are one."""
    offsets = members.columns.numbers("offset", fill=_NO_OFFSET)
    packed = offsets != _NO_OFFSET
    paths, words = members.columns.codes("path")
    names: list[Any] = words  # bytes
    containers, keys = members.columns.codes("container")
    rows = np.flatnonzero(packed)
    rows = rows[np.argsort(paths[rows], kind="stable")]
    zips = [own for own in np.split(rows, np.flatnonzero(np.diff(paths[rows])) + 1) if len(own)]
    own_rows: dict[str, list[int]] = {keys[containers[own[0]]]: [] for own in zips}
    loose: list[int] = []
    others = np.flatnonzero(~packed)
    for row, key in zip(others.tolist(), members.keys_at(others), strict=True):
        own_rows.get(key, loose).append(row)
    for own in zips:
        key = keys[containers[own[0]]]
        both = np.concatenate([own, np.array(own_rows.pop(key, []), np.int64)])
        yield SeenContainer(key, names[paths[own[0]]], members.take(both))
    if loose:
        yield SeenContainer("", _LOOSE, members.take(np.array(loose, np.int64)))


def _compare(before: SeenContainer, now: SeenContainer, *, overwrite: bool) -> list[str]:
    """Compare a zip that is there again with what was seen; return a line if it has grown."""
    new = {identity(member) for member in now.members}
    keys = {key for key, *_ in new}
    old = [m for m in before.members if m.dropped is None or is_label_drop(m.dropped)]
    lost = [
        member.key
        for member in old
        if identity(member) not in new and (before.path != _LOOSE or member.key in keys)
    ]
    name = printable(before.container or "a loose file")
    if lost and not overwrite:
        raise OutputError(
            f"{name} is not the one that was seen: {len(lost):,} of its files are gone or "
            f"different, {printable(lost[0])} first: remove it or put the old one there, or "
            "--overwrite to use this one instead"
        )
    if lost:
        return [f"{name} is not the one that was seen: it replaces {len(lost):,} files"]
    more = len(now.photos) - len(before.photos)
    if more > 0 and before.path != _LOOSE:
        return [f"{name} has {more:,} usable photos more than when it was seen"]
    return []


def _kept_loose(
    seen: Mapping[bytes, SeenContainer], present: Mapping[bytes, SeenContainer]
) -> SeenContainer | None:
    """Return the loose files that are gone, without the rows of damaged zips."""
    if _LOOSE not in seen:
        return None
    there = {own.container for own in (*seen.values(), *present.values())}
    if _LOOSE in present:
        there.update(present[_LOOSE].members.keys)
    before = seen[_LOOSE]
    rows = [
        row
        for row, member in enumerate(before.members)
        if member.key not in there
        and not (member.dropped and member.dropped.reason is Reason.DAMAGED_ARCHIVE)
    ]
    if not rows:
        return None
    members = before.members.take(np.array(rows, np.int64))
    keys = set(members.keys)
    label_files = {key: data for key, data in before.label_files.items() if key in keys}
    return SeenContainer("", _LOOSE, members, label_files)


def _with_loose(present: SeenContainer | None, kept: SeenContainer) -> SeenContainer:
    """Return all loose files, those that are gone included."""
    own = [present] if present else []
    return SeenContainer("", _LOOSE, _join([*own, kept]))


def _join(containers: Iterable[SeenContainer]) -> Members:
    """Put the members of all containers into the order of a scan."""
    drops: dict[Drop, int] = {}
    loose, packed = MembersBuilder(drops), MembersBuilder(drops)
    spans = []
    for own in sorted(containers, key=lambda own: (own.container, own.path)):
        start = len(packed)
        for first in range(0, len(own.members), BATCH_ROWS):
            members = list(own.members[first : first + BATCH_ROWS])
            loose.add([member for member in members if member.packed is None])
            packed.add([member for member in members if member.packed])
        if own.path != _LOOSE:
            spans.append(Span(own.container, own.path, start, len(packed)))
    return Members(order_rows(loose, packed, spans), tuple(drops))


def _check_damage(
    store: SeenStore,
    damaged: Mapping[Path, str],
    present: Mapping[bytes, SeenContainer],
    *,
    overwrite: bool,
) -> None:
    """Raise OutputError for a damaged file whose container is not there to be seen again."""
    again = {store.file_of(path) for path in present}
    for file, name in damaged.items():
        if file in again:
            continue
        if not overwrite:
            what = printable(name) or "the zip of that"
            raise OutputError(
                f"{file} is damaged: put {what} there again, or --overwrite to do without it"
            )
        remove_whole(file)

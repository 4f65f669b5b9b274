"""Find the volumes of a zip, on the disk or in a tar, and open the zip.

a/NAME.zip                         a file
a/NAME.zip.part0                   a file, one of several volumes
a/download.tar/b/NAME.zip.part0    bytes of the file a/download.tar
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache

from fertools.archive.containers.misjoined import rejoin
from fertools.archive.containers.tar import list_tar, zip_volumes
from fertools.archive.containers.volumes import (
    Volume,
    VolumeReader,
    VolumeSet,
    order_volumes,
    parse_volume_name,
)
from fertools.archive.folder import OpenFiles
from fertools.data import Unusable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH116, PTH118, PTH120, PTH208


def open_zip(path: bytes, files: OpenFiles) -> VolumeReader:
    """Return a reader of the zip that has this path or a volume with this path.

    A zip whose volumes were joined in the wrong order is read in the right one (see misjoined.py).
    Raises as `find_volumes`, and ReadFault.
    """
    zipped = VolumeReader(find_volumes(files.base, path), files)
    return rejoin(zipped) or zipped


def find_volumes(base: bytes, path: bytes) -> VolumeSet:
    """Return the volumes that a zip has now.

    path   of any volume, or of the zip if it is one file; relative to the base

    A link is not a volume. Raises OSError if the file, or its folder or tar, is gone or not
    accessible, ReadFault if the tar is being written to.
    """
    parsed = parse_volume_name(path)
    tar = find_tar(base, path)
    candidates = _in_tar(base, tar) if tar else _on_disk(base, path)
    volumes = [
        volume
        for volume in candidates
        if volume.path == path or (parsed and _stem(volume.path) == parsed[0])
    ]
    if not volumes:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return order_volumes(volumes)


def find_tar(base: bytes, path: bytes) -> bytes | None:
    """Return the tar in which a path lies; None for a path that is a file of the disk itself.

    For d/download.tar/a.zip.part0 this is d/download.tar, unless that is a folder. Raises OSError
    if it does not exist.
    """
    at = 0
    while (at := path.lower().find(b".tar/", at)) >= 0:
        at += len(b".tar")
        if stat.S_ISREG(os.stat(os.path.join(base, path[:at]), follow_symlinks=False).st_mode):
            return path[:at]
    return None


def _stem(path: bytes) -> bytes | None:
    parsed = parse_volume_name(path)
    return parsed[0] if parsed else None


def _on_disk(base: bytes, path: bytes) -> list[Volume]:
    paths = [path]
    if stem := _stem(path):
        folder = os.path.dirname(path)
        beside = (os.path.join(folder, name) for name in os.listdir(os.path.join(base, folder)))
        paths = [other for other in beside if _stem(other) == stem]
    statuses = [(each, os.stat(os.path.join(base, each), follow_symlinks=False)) for each in paths]
    return [
        Volume(each, 0, status.st_size, status.st_mtime_ns)
        for each, status in statuses
        if stem is None or stat.S_ISREG(status.st_mode)
    ]


def _in_tar(base: bytes, tar: bytes) -> tuple[Volume, ...]:
    """Return all zips and volumes in a tar; the list is kept while the tar stays the same."""
    status = os.stat(os.path.join(base, tar), follow_symlinks=False)
    return _list_volumes(base, tar, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _list_volumes(base: bytes, tar: bytes, _size: int, _modified: int) -> tuple[Volume, ...]:
    try:
        return tuple(zip_volumes(tar, list_tar(base, tar)))
    except Unusable as damage:
        raise OSError(errno.EIO, damage.drop.detail) from damage

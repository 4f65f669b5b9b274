"""What lies in a folder, however deep: one `File` for each thing that is no folder itself."""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH112, PTH118, PTH120

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fertools.archive.files import Patience
from fertools.archive.names import decode, decode_path
from fertools.data import Drop, Reason
from fertools.errors import printable

#: Folders that systems put on a disk, and that often nobody may list.
SYSTEM_FOLDERS = frozenset({b"lost+found", b"$RECYCLE.BIN", b"System Volume Information"})

_SYSTEM = Drop(Reason.NOT_A_PHOTO, "a folder of the system's")

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class File:
    """A thing in a folder.

    path      relative to the base, as the file system spells it
    folder    where it lies, relative to the base, NFC, "" for the base itself
    name      NFC
    size      bytes
    modified  mtime in ns
    dropped   set for what is no regular file, or could not be looked at
    fault     whether the system refused to list or look at it, which may pass
    """

    path: bytes
    folder: str
    name: str
    size: int
    modified: int
    dropped: Drop | None = None
    fault: bool = False

    @property
    def key(self) -> str:
        """Folder and name, NFC, with "/" between."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


def base_of(source: Path) -> bytes:
    """Give the folder that every `Member.path` starts from: SRC, or where SRC, a zip, lies."""
    whole = os.path.realpath(os.fsencode(source))
    return whole if os.path.isdir(whole) else os.path.dirname(whole)


def walk(base: bytes) -> Iterator[File]:
    """List everything under a folder, in no order that matters; links are never followed.

    Works on bytes, since a name may be in any encoding, and without recursion, since folders
    may lie 200 deep. What the system refuses is tried again for some seconds. Raises OSError only
    if the base itself cannot be listed.
    """
    waiting, patience = [b""], Patience()
    while waiting:
        inside = waiting.pop()
        try:
            entries = patience.retry(partial(_listed, os.path.join(base, inside)))
        except OSError as error:
            if not inside:
                raise
            why = f"the folder cannot be listed: {error.strerror}"
            yield _refused(inside, Drop(Reason.UNREADABLE, why), fault=True)
            continue
        for entry in entries:
            path = os.path.join(inside, entry.name)
            if entry.name in SYSTEM_FOLDERS:
                yield _refused(path, _SYSTEM)
                continue
            try:
                found = patience.retry(partial(_look, base, path, entry))
            except OSError as error:
                why = error.strerror or "cannot be looked at"
                yield _refused(path, Drop(Reason.UNREADABLE, why), fault=True)
                continue
            if found is None:
                waiting.append(path)
            else:
                yield found


def _listed(folder: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(folder) as listing:
        return list(listing)


def _look(base: bytes, path: bytes, entry: os.DirEntry[bytes]) -> File | None:
    """Look at an entry; None for a folder. Raises OSError."""
    if entry.is_dir(follow_symlinks=False):
        return None
    if entry.is_symlink():
        return _refused(path, _follow(base, path))
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        return _refused(path, Drop(Reason.UNREADABLE, f"{kind}, not a file"))
    folder, name = os.path.split(path)
    return File(path, decode_path(folder), decode(name), status.st_size, status.st_mtime_ns)


def _follow(base: bytes, path: bytes) -> Drop:
    """Say what becomes of a link; where it points outside, that path is not repeated."""
    try:
        target = os.path.realpath(os.path.join(base, path), strict=True)
    except OSError as error:
        loop = error.errno == errno.ELOOP
        return Drop(Reason.UNREADABLE, "a link in a loop" if loop else "a link to nothing")
    if os.path.commonpath((base, target)) != base:
        return Drop(Reason.UNREADABLE, "a link that leaves SRC: put the file itself there")
    where = printable(decode_path(os.path.relpath(target, base)))
    return Drop(Reason.NOT_A_PHOTO, f"a link to {where}, which has a row of its own")


def _refused(path: bytes, drop: Drop, *, fault: bool = False) -> File:
    folder, name = os.path.split(path)
    return File(path, decode_path(folder), decode(name), 0, 0, dropped=drop, fault=fault)

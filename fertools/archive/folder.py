"""What lies in a folder, however deep: one `File` for each thing that is no folder itself."""

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH112, PTH118, PTH120

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fertools.archive.names import decode, decode_path, printable
from fertools.data import Drop, Reason

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
    dropped   set for what is no regular file, or a folder that could not be listed
    """

    path: bytes
    folder: str
    name: str
    size: int
    modified: int
    dropped: Drop | None = None

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
    may lie 200 deep. Raises OSError only if the base itself cannot be listed.
    """
    waiting = [b""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(os.path.join(base, inside)) as listing:
                entries = list(listing)
        except OSError as error:
            if not inside:
                raise
            yield _refused(inside, _unlisted(error))
            continue
        for entry in entries:
            path = os.path.join(inside, entry.name)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield _look(base, path, entry)


def _look(base: bytes, path: bytes, entry: os.DirEntry[bytes]) -> File:
    if entry.is_symlink():
        return _refused(path, _follow(base, path))
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return _refused(path, Drop(Reason.UNREADABLE, error.strerror or "cannot be asked for"))
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


def _unlisted(error: OSError) -> Drop:
    return Drop(Reason.UNREADABLE, f"the folder cannot be listed: {error.strerror}")


def _refused(path: bytes, drop: Drop) -> File:
    folder, name = os.path.split(path)
    return File(path, decode_path(folder), decode(name), size=0, modified=0, dropped=drop)

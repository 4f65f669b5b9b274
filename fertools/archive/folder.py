"""The user's files, opened for reading only, a few at a time."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from fertools.archive.names import decode_name, decode_path
from fertools.data import Drop, ReadFault, Reason
from fertools.errors import printable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH118


# O_NONBLOCK: a FIFO that took a photo's name would otherwise wait for a writer for ever.
# O_NOFOLLOW: the scan lists links as rows, so a link in a photo's place came afterwards.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY


#: Seconds before each try at what could not be read: together about as long as a disk that was
#: unplugged by mistake, or an NFS server that fails over, is away.
PAUSES: Final = (0.0, 0.3, 1.0, 2.5)

#: So many things in a row that stay unreadable, and waiting is given up.
IN_VAIN: Final = 2

T = TypeVar("T")


def open_file(path: bytes) -> int:
    """Open a regular file and give its descriptor, without ever waiting.

    Raises OSError, with ENXIO for a FIFO, socket, device or folder.
    """
    descriptor = os.open(path, _FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "no regular file any more")
    return descriptor


def read_fault(error: OSError) -> ReadFault:
    """Return what an error of the system means for the member that was being read.

    A file that is gone, or is a link or a pipe by now, is CHANGED; all else is UNREADABLE.
    """
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
    reason = Reason.CHANGED if gone else Reason.UNREADABLE
    return ReadFault(reason, error.strerror or "it cannot be read")


def read_at(descriptor: int, offset: int, count: int) -> bytes:
    """Give `count` bytes from `offset` on, fewer only where the file ends. Raises OSError."""
    data = os.pread(descriptor, count, offset)
    if len(data) == count:
        return data
    parts = [data]  # short reads: network disks, and Linux above 2 GiB
    while parts[-1] and (missing := count - sum(map(len, parts))):
        parts.append(os.pread(descriptor, missing, offset + count - missing))
    return b"".join(parts)


class RetryPolicy:
    """Waits for faults of reading to pass, until that has been in vain a few times.

    A thousand photos that may not be read would otherwise cost a wait each.
    """

    def __init__(self) -> None:
        self._futile = 0

    def pauses(self) -> tuple[float, ...]:
        """Return the seconds to wait before each try; the first is 0."""
        return PAUSES if self._futile < IN_VAIN else PAUSES[:2]

    def record(self, *, failed: bool) -> None:
        """Count a thing that stayed unreadable after all tries, or forget what was in vain."""
        self._futile = self._futile + 1 if failed else 0

    def retry(self, read: Callable[[], T]) -> T:
        """Call a function that reads until it raises no OSError or ReadFault; raise the last."""
        fault: OSError | ReadFault | None = None
        for pause in self.pauses():
            if pause:  # a sleep of 0 takes 50 µs, longer than looking at a file
                time.sleep(pause)
            try:
                found = read()
            except (OSError, ReadFault) as error:
                fault = error
                continue
            if pause:
                self.record(failed=False)
            return found
        self.record(failed=True)
        assert fault is not None  # there is at least one try
        raise fault


class Files:
    """A handful of open files: the one unused longest is closed for the next.

    Members come container by container, so two or three would do; a worker that holds 30 pieces
    of each of 60 zips open would meet the usual limit of 1,024.
    """

    def __init__(self, base: bytes, most: int = 8) -> None:
        self.base = base
        self._most = most
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def descriptor(self, path: bytes) -> int:
        """Give the descriptor of a file, by its path relative to the base. Raises OSError."""
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        if len(self._open) >= self._most:
            os.close(self._open.popitem(last=False)[1])
        descriptor = open_file(os.path.join(self.base, path))
        self._open[path] = descriptor
        return descriptor

    def close(self) -> None:
        """Close what is open; the next use opens again."""
        while self._open:
            with suppress(OSError):  # NFS may report there what reading has reported already
                os.close(self._open.popitem()[1])

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH112, PTH118, PTH120


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
    waiting, retries = [b""], RetryPolicy()
    while waiting:
        inside = waiting.pop()
        try:
            entries = retries.retry(partial(_listed, os.path.join(base, inside)))
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
                found = retries.retry(partial(_look, base, path, entry))
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
    return File(path, decode_path(folder), decode_name(name), status.st_size, status.st_mtime_ns)


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
    return File(path, decode_path(folder), decode_name(name), 0, 0, dropped=drop, fault=fault)

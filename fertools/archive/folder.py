"""Walk folders, open files for reading only, and retry faults that may pass."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from fertools.archive.names import decode_name, decode_path, is_hidden
from fertools.data import Drop, Member, ReadFault, Reason
from fertools.errors import printable

# Paths are bytes here: a name may be in any encoding, and pathlib takes text.
# ruff: noqa: PTH112, PTH118, PTH120

#: Seconds before each try to read: together about as long as a disk that was unplugged by mistake,
#: or an NFS server that fails over, is away.
PAUSES: Final = (0.0, 0.3, 1.0, 2.5)

#: After so many reads in a row that failed in every try, there are no more long pauses.
MAX_FAILED_READS: Final = 2

#: Folders that systems put on a disk, and that users often may not list.
SYSTEM_FOLDERS = frozenset({b"lost+found", b"$RECYCLE.BIN", b"System Volume Information"})

_SYSTEM_DROP = Drop(Reason.NOT_A_PHOTO, "a folder of the operating system")

_SPECIAL_FILES = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# O_NONBLOCK: a FIFO with a photo's name would otherwise block until a writer opens it.
# O_NOFOLLOW: the scan lists links as rows, so a link in a photo's place is newer than the scan.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY

T = TypeVar("T")


def base_folder(source: Path) -> bytes:
    """Return the folder that every `Member.path` starts from: SRC, or the folder of a zip SRC."""
    real = os.path.realpath(os.fsencode(source))
    return real if os.path.isdir(real) else os.path.dirname(real)


def walk(base: bytes, faults: list[str]) -> Iterator[Member]:
    """Yield a member for everything under a folder, in any order; links are never followed.

    `dropped` is set only for what is not a regular file. What the system refuses to list or examine
    is tried again for some seconds, then dropped, and added to `faults` unless it is hidden:
    another walk may find it.

    Works on bytes, since a name may be in any encoding, and without recursion, since folders
    may be nested 200 deep. Raises OSError only if the base itself cannot be listed.
    """
    pending, retries = [b""], RetryPolicy()
    while pending:
        folder = pending.pop()
        try:
            entries = retries.retry(partial(_list_folder, os.path.join(base, folder)))
        except OSError as error:
            if not folder:
                raise
            yield _make_refused(folder, f"the folder cannot be listed: {error.strerror}", faults)
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)
            try:
                member = retries.retry(partial(_examine, base, path, entry))
            except OSError as error:
                yield _make_refused(path, error.strerror or "cannot be examined", faults)
                continue
            if member is None:
                pending.append(path)
            else:
                yield member


def _list_folder(folder: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _examine(base: bytes, path: bytes, entry: os.DirEntry[bytes]) -> Member | None:
    """Return an entry of a folder as a member; None for a folder. Raises OSError."""
    if entry.name in SYSTEM_FOLDERS:
        return _make_member(path, _SYSTEM_DROP)
    if entry.is_dir(follow_symlinks=False):
        return None
    if entry.is_symlink():
        return _make_member(path, _drop_link(base, path))
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        kind = _SPECIAL_FILES.get(stat.S_IFMT(status.st_mode), "a special file")
        return _make_member(path, Drop(Reason.UNREADABLE, f"{kind}, not a file"))
    return _make_member(path, None, status.st_size, status.st_mtime_ns)


def _drop_link(base: bytes, path: bytes) -> Drop:
    """Return why a link is not read; a target outside SRC is not named."""
    try:
        target = os.path.realpath(os.path.join(base, path), strict=True)
    except OSError as error:
        loop = error.errno == errno.ELOOP
        return Drop(Reason.UNREADABLE, "a link in a loop" if loop else "a link to nothing")
    if os.path.commonpath((base, target)) != base:
        return Drop(Reason.UNREADABLE, "a link that leaves SRC: put the file itself there")
    name = printable(decode_path(os.path.relpath(target, base)))
    return Drop(Reason.NOT_A_PHOTO, f"a link to {name}, which has a row of its own")


def _make_refused(path: bytes, detail: str, faults: list[str]) -> Member:
    member = _make_member(path, Drop(Reason.UNREADABLE, detail))
    if not is_hidden(member.key):
        faults.append(f"{printable(member.key)}: {detail}")
    return member


def _make_member(path: bytes, drop: Drop | None, size: int = 0, modified: int = 0) -> Member:
    head, tail = os.path.split(path)
    folder, name = decode_path(head), decode_name(tail)
    key = f"{folder}/{name}" if folder else name
    return Member(key, folder, path, size, modified, dropped=drop)


class RetryPolicy:
    """Retries reads that fail, with pauses, until several in a row have failed in every try.

    A thousand photos without read permission would otherwise cost all pauses each.
    """

    def __init__(self) -> None:
        self._failed_reads = 0

    def pauses(self) -> tuple[float, ...]:
        """Return the seconds to wait before each try; the first is 0."""
        return PAUSES if self._failed_reads < MAX_FAILED_READS else PAUSES[:2]

    def record(self, *, failed: bool) -> None:
        """Count a read that failed in every try, or set the count back to 0."""
        self._failed_reads = self._failed_reads + 1 if failed else 0

    def retry(self, read: Callable[[], T]) -> T:
        """Call a function until it raises no OSError or ReadFault; raise the last one."""
        fault: OSError | ReadFault | None = None
        for pause in self.pauses():
            if pause:  # a sleep of 0 takes 50 µs, longer than examining a file
                time.sleep(pause)
            try:
                result = read()
            except (OSError, ReadFault) as error:
                fault = error
            else:
                if pause:
                    self.record(failed=False)
                return result
        self.record(failed=True)
        assert fault is not None  # there is at least one try
        raise fault


class OpenFiles:
    """Up to `most` open files: the one unused longest is closed for the next.

    Members come container by container, so two or three would be enough; a worker that holds 30
    volumes of each of 60 zips open would reach the usual limit of 1,024.
    """

    def __init__(self, base: bytes, most: int = 8) -> None:
        self.base = base
        self._most = most
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def descriptor(self, path: bytes) -> int:
        """Return the descriptor of a file, by its path relative to the base. Raises OSError."""
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        if len(self._open) >= self._most:
            os.close(self._open.popitem(last=False)[1])
        descriptor = open_file(os.path.join(self.base, path))
        self._open[path] = descriptor
        return descriptor

    def close(self) -> None:
        """Close the open files; the next use opens them again."""
        while self._open:
            with suppress(OSError):  # NFS may report again what reading has reported already
                os.close(self._open.popitem()[1])

    def __enter__(self) -> OpenFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_file(path: bytes) -> int:
    """Open a regular file and return its descriptor; never blocks.

    Raises OSError, with ENXIO for a FIFO, socket, device or folder.
    """
    descriptor = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "no longer a regular file")
    return descriptor


def read_at(descriptor: int, offset: int, count: int) -> bytes:
    """Return `count` bytes from `offset` on, fewer only where the file ends. Raises OSError."""
    data = os.pread(descriptor, count, offset)
    if len(data) == count:
        return data
    chunks = [data]  # short reads: network disks, and Linux above 2 GiB
    while chunks[-1] and (missing := count - sum(map(len, chunks))):
        chunks.append(os.pread(descriptor, missing, offset + count - missing))
    return b"".join(chunks)


def to_read_fault(error: OSError) -> ReadFault:
    """Return the ReadFault of an OSError.

    A file that is gone, or is now a link or a pipe, is CHANGED; everything else is UNREADABLE.
    """
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
    reason = Reason.CHANGED if gone else Reason.UNREADABLE
    return ReadFault(reason, error.strerror or "it cannot be read")

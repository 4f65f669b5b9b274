"""Walk folders, open files for reading only, and retry reads that fail."""

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

#: Seconds before each try to read. Their sum is about the time that a disk unplugged by mistake, or
#: an NFS server during a failover, is not available.
PAUSES: Final = (0.0, 0.3, 1.0, 2.5)

#: After so many reads in a row that failed in every try, the long pauses are omitted.
MAX_FAILED_READS: Final = 2

#: Folders that operating systems create on a disk; users often may not list them.
SYSTEM_FOLDERS = frozenset({b"lost+found", b"$RECYCLE.BIN", b"System Volume Information"})

_SYSTEM_DROP = Drop(Reason.NOT_A_PHOTO, "a folder of the operating system")

_SPECIAL_FILES = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# O_NONBLOCK: a FIFO with a photo's name would otherwise block until a writer opens it.
# O_NOFOLLOW: the scan never lists a link as a photo, so a link found here is newer than the scan.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY

T = TypeVar("T")


def base_folder(source: Path) -> bytes:
    """Return the folder that `Member.path` is relative to: SRC, or the folder of a zip SRC."""
    real = os.path.realpath(os.fsencode(source))
    return real if os.path.isdir(real) else os.path.dirname(real)


def walk(base: bytes, faults: list[str]) -> Iterator[Member]:
    """Yield a member for every entry under a folder, in any order; links are never followed.

    `dropped` is set only for entries that are not regular files. An entry that cannot be listed or
    examined is tried again for some seconds. Then it is yielded with a Drop and, unless it is
    hidden, added to `faults`: another walk may succeed.

    Paths are bytes, since a name may be in any encoding. There is no recursion, since folders may
    be nested 200 deep. Raises OSError only if the base itself cannot be listed.
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
    """Return a folder entry as a member; None if it is itself a folder. Raises OSError."""
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
    """Return why a link is not read. The detail does not name a target outside SRC."""
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
    """Retries reads that fail, with pauses that become short if several reads in a row fail.

    Otherwise each of a thousand photos without read permission would cost all pauses.
    """

    def __init__(self) -> None:
        self._failed_reads = 0

    def pauses(self) -> tuple[float, ...]:
        """Return the seconds to wait before each try; 0 before the first."""
        return PAUSES if self._failed_reads < MAX_FAILED_READS else PAUSES[:2]

    def record(self, *, failed: bool) -> None:
        """Count a read that failed in every try; a read that succeeded resets the count."""
        self._failed_reads = self._failed_reads + 1 if failed else 0

    def retry(self, read: Callable[[], T]) -> T:
        """Call `read` until it succeeds; else raise its last OSError or ReadFault."""
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
    """A cache of at most `max_open` open files; the least recently used file is closed first.

    Members come container by container, so two or three files would be enough. A worker that kept
    30 volumes of each of 60 zips open would exceed the usual limit of 1,024 files.
    """

    def __init__(self, base: bytes, max_open: int = 8) -> None:
        self.base = base
        self._max_open = max_open
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def descriptor(self, path: bytes) -> int:
        """Return the descriptor of the file at a path relative to the base. Raises OSError."""
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        if len(self._open) >= self._max_open:
            os.close(self._open.popitem(last=False)[1])
        descriptor = open_file(os.path.join(self.base, path))
        self._open[path] = descriptor
        return descriptor

    def close(self) -> None:
        """Close all files; `descriptor` opens them again."""
        while self._open:
            with suppress(OSError):  # NFS may report an error that reading has reported
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
    """Return `count` bytes from `offset` on, fewer only at the end of the file. Raises OSError."""
    data = os.pread(descriptor, count, offset)
    if len(data) == count:
        return data
    chunks = [data]  # short reads: network disks, and Linux above 2 GiB
    while chunks[-1] and (missing := count - sum(map(len, chunks))):
        chunks.append(os.pread(descriptor, missing, offset + count - missing))
    return b"".join(chunks)


def to_read_fault(error: OSError) -> ReadFault:
    """Convert an OSError to a ReadFault.

    CHANGED if the file is gone or is now a link or a pipe; UNREADABLE for all other errors.
    """
    gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
    reason = Reason.CHANGED if gone else Reason.UNREADABLE
    return ReadFault(reason, error.strerror or "it cannot be read")

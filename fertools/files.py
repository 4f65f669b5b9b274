"""Write, replace, lock and remove files and folders so that each is whole or absent.

    .name.<pid>-<random>.tmp    write · flush · fsync        the bytes are on the disk
              │ rename                                       one step: the old file or the new
            name                fsync of the folder          the name is on the disk too

A crash leaves at most a temporary file, which nothing reads. The random part is needed: writers in
two containers that share a disk often have the same process number, and one writer would rename
the unfinished file of the other.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fertools.errors import OutputError, printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: By error number: the reason why a file cannot be written, and advice for the user.
_ADVICE: Final = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("your share of the disk is used up", "make room"),
    errno.EACCES: ("writing there is not allowed", "allow it"),
    errno.EPERM: ("writing there is not allowed", "allow it"),
    errno.EROFS: ("the disk is read-only", "make it writable"),
    errno.EFBIG: ("files may not grow that large there", "raise that limit"),
    errno.EIO: ("the disk reports an error", "have the disk checked"),
    errno.ENOENT: ("its folder is gone", "make the folder again"),
    errno.EMFILE: ("too many files are open", "raise that limit (ulimit -n)"),
}


class WholeFile(io.BufferedWriter):
    """A file that is written in order and computes its size and SHA-256; see `whole_file`.

    `write` raises OutputError if the system cannot write.
    """

    def __init__(self, temporary: Path, path: Path) -> None:
        super().__init__(io.FileIO(temporary, "xb"), buffer_size=1 << 20)
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            written = super().write(data)
        except OSError as fault:
            raise write_error(self.path, fault) from fault
        self._hash.update(data)
        self.size += written
        return written

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes written so far, 64 hex digits; available after `close` too."""
        return self._hash.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[WholeFile]:
    """Open a temporary file for writing, and rename it to `path` when the block ends.

    The rename replaces an older file; then bytes and name are synced to the disk. After an
    exception in the block no new file exists, and an older file is unchanged. Raises OutputError if
    the system cannot write: one line with the path, the cause and advice.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        file = WholeFile(temporary, path)
    except OSError as fault:
        raise write_error(path, fault) from fault
    try:
        yield file
        _publish(file, temporary)
    except BaseException:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file with the contents `data`, as `whole_file` does."""
    with whole_file(path) as file:
        file.write(data)


def check_place(file: Path) -> None:
    """Raise OutputError, before the work, if a file that the user names cannot be there."""
    if not file.parent.is_dir():
        folder = printable(str(file.parent))
        raise OutputError(f"{folder} is not a folder: make it first, or give another FILE")
    if file.is_dir():
        raise OutputError(f"{printable(str(file))} is a folder: give another FILE")


def remove_whole(path: Path) -> None:
    """Remove a file if it exists, and sync its folder, so that a power failure cannot restore it.

    Raises OutputError if the system cannot remove it.
    """
    try:
        path.unlink()
        _sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as fault:
        raise write_error(path, fault) from fault


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, 64 hex digits; read it in blocks. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_leftover(name: str) -> bool:
    """Return whether a file name is that of a temporary file of `whole_file`."""
    return name.startswith(".") and name.endswith(".tmp")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; raise OutputError if that fails."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: give a folder for the run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise run_write_error(folder, fault) from fault


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is created if it is missing.

    The kernel (flock) releases the lock when the process ends, even by a crash. Raises OutputError
    with the text `busy` while another process holds the lock.
    """
    try:
        file = path.open("a+b")  # NFS needs a file that is open for reading and writing
    except OSError as fault:
        raise write_error(path, fault) from fault
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(busy) from None
        except OSError as fault:
            raise write_error(path, fault) from fault
        yield


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes; the caller must hold the folder's lock."""
    if folder.is_dir():
        remove(*(path for path in folder.iterdir() if is_leftover(path.name)))


def remove(*paths: Path) -> None:
    """Remove files and folders if they exist; raise OutputError if that fails."""
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:
            raise run_write_error(path, fault) from fault


def publish_folder(finished: Path, folder: Path, aside: Path) -> None:
    """Rename a finished folder to `folder`; rename an older folder of that name to `aside` first.

    Every file is synced first. Two renames are needed, because the system cannot rename a folder to
    a name whose folder has contents. If the process is killed between the renames, no folder of the
    name exists, but never an incomplete one.
    """
    for path in [*finished.rglob("*"), finished]:
        _sync(path)
    if folder.exists():
        folder.rename(aside)
    finished.rename(folder)
    _sync(folder.parent)


def run_write_error(path: Path, fault: OSError) -> OutputError:
    """Return the error for a file or folder of a training run that could not be written."""
    why = fault.strerror or " ".join(str(fault).split())
    return OutputError(f"{path} cannot be written: {why}: make it writable, or give another RUN")


def _publish(file: WholeFile, temporary: Path) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        temporary.replace(file.path)
        _sync(file.path.parent)
    except OSError as fault:
        raise write_error(file.path, fault) from fault


def _sync(path: Path) -> None:
    """Sync a file or folder; without it a power failure may undo a rename in the folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_error(path: Path, fault: OSError) -> OutputError:
    """Return the error for a file or folder of a command that continues where it stopped."""
    why, advice = _ADVICE.get(fault.errno or 0, (str(fault.strerror or fault), "solve that"))
    return OutputError(
        f"{path} could not be written, {why}; nothing half-written carries its name: "
        f"{advice}, and the same command continues where it stopped"
    )

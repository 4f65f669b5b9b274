"""Folders, locks and refusals of a run's files; the files themselves are `shards.whole_file`'s."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fertools.errors import OutputError
from fertools.shards import is_leftover


def cannot_write(path: Path, fault: OSError) -> OutputError:
    """Return the error that says in one line that the system refused to write."""
    why = fault.strerror or " ".join(str(fault).split())
    return OutputError(f"{path} cannot be written: {why}: make it writable, or give another RUN")


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; raise OutputError where the system refuses."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: give a folder for the run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise cannot_write(folder, fault) from fault


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is created where it is missing.

    The lock is the kernel's (flock): it ends with the process, however that ends. Raises
    OutputError with the text `busy` while another process holds it.
    """
    try:
        file = path.open("a+b")  # also for reading: NFS turns the lock into one that needs both
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(busy) from None
        except OSError as fault:
            raise cannot_write(path, fault) from fault
        yield


def sweep(folder: Path) -> None:
    """Remove what a killed process had not finished writing; the caller holds the lock."""
    if folder.is_dir():
        remove(*(path for path in folder.iterdir() if is_leftover(path.name)))


def remove(*paths: Path) -> None:
    """Remove files and folders, missing ones included; raise OutputError where one stays."""
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:
            raise cannot_write(path, fault) from fault


def publish_folder(made: Path, folder: Path, aside: Path) -> None:
    """Put a finished folder in place of an older one, which is moved to `aside`.

    Every file is synced first. The system renames no folder onto one with contents, so two renames
    are needed: a process killed between them leaves no folder of the name, never half of one.
    """
    for path in [*made.rglob("*"), made]:
        _sync(path)
    if folder.exists():
        folder.rename(aside)
    made.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

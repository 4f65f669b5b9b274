"""The folder of an export: whose it is, what is finished in it, and how it becomes whole.

    DEST/.export/export.json     of what this is an export: written first
    DEST/.export/files/…         finished files, under their later paths
    DEST/.export/units/NAME      SHA-256 of each file of a unit: written after the files
        when all units are finished, the files move to DEST, then
    DEST/SHA256SUMS              last: an export without it is not complete

So the tools that read DEST never see half a dataset. A unit is recognised by the SHA-256 of its
files: what a power failure has taken is written again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fertools.errors import OutputError, printable
from fertools.files import (
    is_leftover,
    locked,
    remove_leftovers,
    sha256_of,
    write_error,
    write_whole,
)

CHECKSUMS: Final = "SHA256SUMS"
EXPORT: Final = "export.json"
_WORK: Final = ".export"

#: SHA-256 by path, with "/" and relative to the export: the lines of SHA256SUMS.
Sums = dict[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """The folder of one export; `about` says of what, the contents of export.json."""

    folder: Path
    about: Mapping[str, str | int]

    @property
    def files(self) -> Path:
        """The folder for finished files, until all are finished."""
        return self._work / "files"

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the folder this export's own during the block, in which nobody else writes it.

        Raises OutputError if it holds something else, or if the system does not allow it.
        """
        self._check()
        with self._one_line():
            self._work.mkdir(parents=True, exist_ok=True)
            busy = f"another export is writing {self.folder}: wait for it, or give another DEST"
            with locked(self._work / "lock", busy):
                self._check()  # another export may have ended since
                remove_leftovers(self.folder)
                for folder in (self.files, self._units):
                    folder.mkdir(exist_ok=True)
                write_whole(self._work / EXPORT, self.about_bytes)
                yield

    @property
    def complete(self) -> bool:
        """Whether a complete export is there, this or another."""
        return (self.folder / CHECKSUMS).is_file()

    def check_complete(self) -> Sums:
        """Return the files of a complete export; raise OutputError unless they are unchanged."""
        self._check()
        shutil.rmtree(self._work, ignore_errors=True)
        sums = _read_sums(self.folder / CHECKSUMS)
        changed = [name for name, digest in sums.items() if _digest(self.folder / name) != digest]
        # Counted: some file systems return a Korean name in other characters than it was given.
        files = sum(path.is_file() for path in self.folder.rglob("[!.]*"))
        if changed or files != len(sums) + 1:
            what = f"{self.folder} has other files than {CHECKSUMS} lists"
            if changed:
                what = f"{self.folder / changed[0]} is not what was exported"
            raise OutputError(f"{what}: remove {self.folder} to export again, or give another DEST")
        return sums

    @property
    def about_bytes(self) -> bytes:
        """The contents of export.json."""
        return (json.dumps(self.about, ensure_ascii=False, indent=1) + "\n").encode()

    def finished(self, unit: str) -> Sums | None:
        """Return the files of a unit, None unless all of them are there and whole."""
        sums = _read_sums(self._units / unit)
        return sums if sums and all(map(self._is_whole, sums, sums.values())) else None

    def size(self, name: str) -> int:
        """Return the size in bytes of a finished file."""
        staged = self.files / name
        return (staged if staged.exists() else self.folder / name).stat().st_size

    def finish_unit(self, unit: str, sums: Sums) -> None:
        """Record that the files of a unit are written."""
        write_whole(self._units / unit, _sums_bytes(sums))

    def finish(self, sums: Sums) -> None:
        """Move all files to their places, then write SHA256SUMS."""
        for name in sums:
            # A file that is not there was moved by an earlier run that was killed.
            with suppress(FileNotFoundError):
                place = self.folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                (self.files / name).replace(place)
        os.sync()  # small files were not synced one by one
        write_whole(self.folder / CHECKSUMS, _sums_bytes(sums))
        shutil.rmtree(self._work, ignore_errors=True)

    @property
    def _work(self) -> Path:
        return self.folder / _WORK

    @property
    def _units(self) -> Path:
        return self._work / "units"

    def _is_whole(self, name: str, digest: str) -> bool:
        return digest in (_digest(self.files / name), _digest(self.folder / name))

    def _check(self) -> None:
        """Raise OutputError if the folder holds anything but this export."""
        with self._one_line():
            if not self.folder.exists():
                return
            if not self.folder.is_dir():
                raise OutputError(f"{self.folder} is a file: give a folder as DEST")
            if (begun := self._begun()) is not None:
                self._check_same(begun)
            elif other := [path.name for path in self.folder.iterdir() if not _is_ours(path)]:
                raise OutputError(
                    f"{self.folder} holds something else ({printable(min(other))}): give a new or "
                    "empty folder as DEST"
                )

    def _begun(self) -> bytes | None:
        for file in (self._work / EXPORT, self.folder / EXPORT):
            if file.is_file():
                return file.read_bytes()
        return None

    def _check_same(self, begun: bytes) -> None:
        if begun == self.about_bytes:
            return
        try:
            other = dict(json.loads(begun))
        except (TypeError, ValueError):
            other = {}
        differ = [name for name, value in self.about.items() if other.get(name) != value]
        raise OutputError(
            f"{self.folder} holds another export (of another {', '.join(differ)}): give another "
            "DEST, or remove that one"
        )

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise write_error(Path(fault.filename or self.folder), fault) from fault


def _is_ours(path: Path) -> bool:
    return path.name == _WORK or is_leftover(path.name)


def _sums_bytes(sums: Sums) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()


def _read_sums(file: Path) -> Sums:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split("  ", 1) for line in lines)
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _digest(file: Path) -> str | None:
    try:
        return sha256_of(file)
    except OSError:
        return None

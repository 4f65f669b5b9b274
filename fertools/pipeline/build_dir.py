"""Where a build keeps what it has done: OUT/.fertools, and the lock that keeps others out.

    OUT/
      faces-train.tfrecord-00000-of-00012 …   published shards
      dataset_info.json features.json label.labels.txt
      ledger.parquet                          every member's fate
      metadata.json                           the manifest, last: its presence means complete
      .fertools/
        lock                                  held while a build runs; --only-parts share it
        build.json                            options, versions and archive of the build
        secret                                what pseudonyms are keyed with
        plan.arrow                            the members to process, a batch a part
        unread.csv  unread-A-B.csv            photos that could not be read, until they can
        parts/<name>.part                     crops and outcomes of a few hundred photos
        shards/<fingerprint>/                 shards on their way out

A part's name covers everything its bytes depend on. So a part that is there is done, whatever
process made it and under whatever other options: resuming means looking for files.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fertools.checking import user_path
from fertools.dataset.manifest import HOME, MANIFEST, SECRET, Manifest
from fertools.errors import DatasetError, OutputError, printable
from fertools.files import is_leftover, remove_whole, write_whole
from fertools.pipeline.plan import planned_names

#: Seconds for which a share waits for a process that holds OUT and is not just beginning.
_PATIENCE: Final = 30

_BEGINNING: Final = b"beginning"
_BUILDING: Final = b"building"
_WORD: Final = 16


@dataclass(frozen=True, slots=True)
class BuildDir:
    """The folders and files of one build's output."""

    out: Path

    @property
    def home(self) -> Path:
        """Where the build's own files lie."""
        return self.out / HOME

    @property
    def request(self) -> Path:
        """What was asked for."""
        return self.home / "build.json"

    @property
    def secret(self) -> Path:
        """What pseudonyms are keyed with, in hex digits."""
        return self.home / SECRET

    def unread(self, share: str = "") -> Path:
        """Return where the photos that could not be read are listed: a file for each share."""
        return self.home / (f"unread-{share}.csv" if share else "unread.csv")

    def forget_unread(self, share: str = "") -> None:
        """Remove the list of a share, or all lists."""
        for path in [self.unread(share)] if share else self.home.glob("unread*.csv"):
            path.unlink(missing_ok=True)

    @property
    def plan(self) -> Path:
        """The members to process, a batch a part."""
        return self.home / "plan.arrow"

    @property
    def parts(self) -> Path:
        """The parts, a file each."""
        return self.home / "parts"

    @property
    def stages(self) -> Path:
        """Shards on their way out, a folder per shard plan."""
        return self.home / "shards"

    @property
    def manifest(self) -> Path:
        """The file whose presence means that the dataset is complete."""
        return self.out / MANIFEST

    def check(self, source: Path) -> None:
        """Refuse, before any work, an OUT that would harm or hold something else.

        Raises OutputError.
        """
        try:
            self._check(source)
        except (OSError, ValueError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else str(fault)
            raise OutputError(
                f"{printable(str(self.out))} cannot be used, {why}: give another OUT"
            ) from fault

    def _check(self, source: Path) -> None:
        # Not Path.resolve, which answers a link in a loop with RuntimeError up to Python 3.12.
        inside, outside = (Path(os.path.realpath(path)) for path in (self.out, source))
        if inside == outside or outside in inside.parents:
            raise OutputError(f"{self.out} lies inside {source}: give an OUT outside the archive")
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out} is a file: give a folder for the dataset")
        ours = self.home.is_dir() or self.manifest.is_file()
        if self.out.is_dir() and not ours and any(self.out.iterdir()):
            raise OutputError(
                f"{self.out} is not empty and was not made by fertools: give another OUT"
            )

    def open(self) -> None:
        """Make the folders; raise OutputError where that is not allowed."""
        try:
            for folder in (self.parts, self.stages):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.out} cannot be written: {error.strerror}") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other build out of OUT for as long as this one lives.

        The lock is the kernel's (flock), so that a process which died, however, holds none.
        Raises OutputError while another build has it, and for what the system refuses meanwhile.
        """
        with self._lock_file() as lock:
            if not _locked(lock):
                raise self._busy()
            _say(lock, _BUILDING)
            self._sweep()
            yield

    @contextmanager
    def share(self, begin: Callable[[], None]) -> Iterator[None]:
        """Work in OUT beside other processes that do their shares, and keep whole builds out.

        The first process to get the exclusive lock removes leftovers and calls `begin`; others
        wait for that as long as it takes. Raises as `lock` does.
        """
        with self._lock_file() as lock:
            until = time.monotonic() + _PATIENCE
            while True:
                if _locked(lock):
                    _say(lock, _BEGINNING)
                    self._sweep()
                    begin()
                # Downgrading a flock is not atomic; another process may take it first, so retry.
                if _locked(lock, shared=True):
                    break
                if _said(lock) == _BEGINNING:
                    until = time.monotonic() + _PATIENCE
                elif time.monotonic() > until:
                    raise self._busy()
                time.sleep(0.1)
            yield

    def agree(
        self,
        request: Mapping[str, Any],
        defaults: Mapping[str, Any],
        *,
        overwrite: bool,
        named: Callable[[], str] = str,
    ) -> list[str]:
        """Go on with what OUT was begun with, or begin; return lines that the user should know.

        defaults   the options' defaults: those of options that an older version did not have
        named      returns the first member in which the archive differs from the one begun with

        Raises OutputError on a difference. With `overwrite` the new request takes the old one's
        place; parts that it shares with the old one are kept.
        """
        begun, notes = self._begun()
        differing = _differences(begun, request, defaults) if begun is not None else []
        if differing and not overwrite:
            told = ", ".join(differing[:3]) + (
                f" and {len(differing) - 3} more" if len(differing) > 3 else ""
            )
            raise OutputError(
                f"{self.out} was begun with {told}{named()}: "
                "give another OUT, or --overwrite to replace it (finished faces that fit are kept)"
            )
        if differing or begun is None:
            # Synced: a manifest that came back would vouch for shards of another plan.
            remove_whole(self.manifest)
        wanted = _signed(request)
        if not self.request.is_file() or self.request.read_bytes() != wanted:
            write_whole(self.request, wanted)
        return notes

    def keep_secret(self, secret: bytes) -> None:
        """Write the secret down for `verify`, unless it stands there already."""
        text = f"{secret.hex()}\n".encode()
        if not self.secret.is_file() or self.secret.read_bytes() != text:
            write_whole(self.secret, text)

    def spare_parts(self) -> list[Path]:
        """Return the files of parts that are not in the plan, which other options may have left."""
        needed = frozenset(planned_names(self.plan))
        if not needed:  # no plan, or one that cannot be read: nothing is known to be spare
            return []
        return sorted(path for path in self.parts.iterdir() if path.stem not in needed)

    def tidy(self) -> None:
        """Remove the stages, whose shards are published, and what workers that died left."""
        shutil.rmtree(self.stages, ignore_errors=True)
        self._sweep()

    @contextmanager
    def _lock_file(self) -> Iterator[int]:
        try:
            (self.home / "lock").touch()
            # For reading as well: where NFS keeps the lock, a shared one needs that. Not for
            # appending: pwrite would then ignore its offset.
            with (self.home / "lock").open("r+b") as file:
                yield file.fileno()
        except OSError as fault:
            raise OutputError(
                f"{fault.filename or self.out}: {fault.strerror or fault}: "
                "mend that, and the same command goes on where it was"
            ) from fault

    def _busy(self) -> OutputError:
        return OutputError(f"another build is writing {self.out}: wait for it or give another OUT")

    def _sweep(self) -> None:
        """Remove what a killed run had not published; its own name tells what it is."""
        for folder in (self.out, self.home, self.parts, *self.stages.glob("*/")):
            for file in folder.iterdir():
                if is_leftover(file.name):
                    file.unlink(missing_ok=True)

    def _begun(self) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the request that OUT was begun with, None for none, and what there is to say."""
        try:
            text = self.request.read_bytes()
        except FileNotFoundError:
            return self._published(), []
        if (begun := _checked(text)) is not None:
            return begun, []
        return self._published(), [f"{self.request} was damaged and is written again"]

    def _published(self) -> Mapping[str, Any] | None:
        """Return what the manifest knows of the request, if there is one that can be read."""
        try:
            manifest = Manifest.read(self.out)
        except DatasetError:
            return None
        return {
            "options": manifest.options,
            "libraries": manifest.libraries,
            "source": {"fingerprint": manifest.source},
        }


def _signed(request: Mapping[str, Any]) -> bytes:
    """Return a request as JSON, with the SHA-256 by which damage shows."""
    text = json.dumps(request, ensure_ascii=False, sort_keys=True)
    signed = {"request": request, "sha256": sha256(text.encode()).hexdigest()}
    return (json.dumps(signed, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _checked(text: bytes) -> Mapping[str, Any] | None:
    """Read a request back; None where it is damaged."""
    try:
        signed = json.loads(text)
        if "request" not in signed:  # as fertools 0.1.0 wrote it
            return {name: dict(signed[name]) for name in ("options", "libraries", "source")}
        request: dict[str, Any] = signed["request"]
        return request if _signed(request) == text else None
    except (ValueError, KeyError, TypeError):
        return None


def _differences(
    begun: Mapping[str, Any], wanted: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[str]:
    """Name what differs, such as "size 224 (now 112)".

    What the request knows and the other does not is no difference: a manifest holds less.
    """
    old, new = dict(defaults) | begun["options"], dict(wanted["options"])
    # fertools 0.1.0 listed other versions, and does not know how crops are made today.
    groups = ["source", "libraries"] if "crops" in begun["libraries"] else ["source"]
    for group in groups:
        old |= begun[group]
        new |= wanted[group]
    return [
        f"{name} {old[name]} (now {new[name]})"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]


def _locked(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock without waiting, or turn the one that is held into a shared one."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say(descriptor: int, word: bytes) -> None:
    """Write into the lock file what its holder is at, for processes that wait."""
    os.pwrite(descriptor, word.ljust(_WORD), 0)


def _said(descriptor: int) -> bytes:
    return os.pread(descriptor, _WORD, 0).strip()


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What `clean` removed, and how many bytes of finished faces are kept."""

    out: Path
    files: int
    freed: int
    kept: int

    def text(self) -> str:
        """Return it as a line."""
        return (
            f"{printable(str(self.out))}: {self.files:,} files removed, "
            f"{self.freed / 1e6:,.1f} MB; "
            f"{self.kept / 1e6:,.1f} MB of finished faces kept"
        )


def clean(out: Path | str) -> CleanReport:
    """Remove the faces of other options, versions and photos than those of the last build of OUT.

    Raises DatasetError where `out` holds no build, OutputError where one is running.
    """
    place = BuildDir(user_path(out))
    if not place.plan.is_file():
        raise DatasetError(f"{place.out} holds nothing that a build has left: give a dataset's OUT")
    with place.lock():
        # Without a manifest a build was interrupted, and its finished shards are still needed.
        stages = place.stages.glob("*/*") if place.manifest.is_file() else ()
        spare = [*place.spare_parts(), *stages]
        freed = sum(path.stat().st_size for path in spare)
        for path in spare:
            path.unlink(missing_ok=True)
        kept = sum(path.stat().st_size for path in place.parts.iterdir())
    return CleanReport(place.out, len(spare), freed, kept)

"""Manage OUT/.fertools: what a build keeps between runs, and the lock that excludes other builds.

    OUT/
      faces-train.tfrecord-00000-of-00012 …   published shards
      dataset_info.json features.json label.labels.txt
      ledger.parquet                          every member's outcome
      metadata.json                           the manifest, last: its presence means complete
      .fertools/
        lock                                  held while a build runs; --only-parts share it
        build.json                            options, versions and archive of the build
        secret                                the key of the pseudonyms
        plan.arrow                            the members to process, a batch a part
        unread.csv  unread-A-B.csv            photos that could not be read at the last try
        parts/<name>.part                     crops and outcomes of a few hundred photos
        seen/<hash>.seen                      what was seen of a zip (--partial)
        shards/<fingerprint>/                 shards before they are published
        folds/<fingerprint>/                  predictions of `fertools suspects`

A part's name covers everything that its bytes depend on. So a part that exists is done, whichever
process made it and whatever the other options were: resuming means looking for files.

`clean` removes what no build with the current options needs.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fertools.checking import user_path
from fertools.dataset.manifest import BUILD_LOCK, FOLDS_DIR, MANIFEST, SECRET, WORK_DIR, Manifest
from fertools.errors import DatasetError, OutputError, printable
from fertools.files import is_leftover, remove_whole, write_whole
from fertools.options import BuildOptions
from fertools.pipeline.plan import planned_names

#: Seconds to wait for the shared lock while another process holds OUT and is not beginning.
_PATIENCE: Final = 30

#: In OUT/.fertools: what was seen of an archive in instalments.
SEEN: Final = "seen"

#: States of the lock's holder, in the lock file for processes that wait.
_BEGINNING: Final = b"beginning".ljust(16)
_BUILDING: Final = b"building".ljust(16)


class BuildDir:
    """The folders and files of one build's output; see the drawing above."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.manifest = out / MANIFEST
        self.home = home = out / WORK_DIR
        self.request = home / "build.json"
        self.secret = home / SECRET
        self.plan = home / "plan.arrow"
        self.parts = home / "parts"
        self.staging = home / "shards"
        self.seen = home / SEEN
        self.folds = home / FOLDS_DIR

    def check(self, source: Path) -> None:
        """Refuse, before any work, an OUT that would damage or mix with other files.

        Raises OutputError.
        """
        try:
            # Not Path.resolve, which answers a link in a loop with RuntimeError up to Python 3.12.
            out, archive = (Path(os.path.realpath(path)) for path in (self.out, source))
            if out == archive or archive in out.parents:
                raise OutputError(
                    f"{self.out} lies inside {source}: give an OUT outside the archive"
                )
            if self.out.exists() and not self.out.is_dir():
                raise OutputError(f"{self.out} is a file: give a folder for the dataset")
            ours = self.home.is_dir() or self.manifest.is_file()
            if self.out.is_dir() and not ours and any(self.out.iterdir()):
                raise OutputError(
                    f"{self.out} is not empty and was not made by fertools: give another OUT"
                )
        except (OSError, ValueError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else str(fault)
            raise OutputError(
                f"{printable(str(self.out))} cannot be used, {why}: give another OUT"
            ) from fault

    def create(self) -> None:
        """Create the folders; raise OutputError if that is not allowed."""
        try:
            for folder in (self.parts, self.staging):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.out} cannot be written: {error.strerror}") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the exclusive lock of OUT.

        The lock is the kernel's (flock): it ends with the process, however that ends. Raises
        OutputError while another build holds it, and for system errors in the block.
        """
        with self._lock_file() as lock:
            if not _flock(lock):
                raise self._busy()
            os.pwrite(lock, _BUILDING, 0)
            self._sweep()
            yield

    @contextmanager
    def shared_lock(self, begin: Callable[[], None]) -> Iterator[None]:
        """Hold the shared lock of OUT, as every process with --only-parts does.

        The first process to get the exclusive lock removes leftovers and calls `begin`; others
        wait for that as long as it takes. Raises as `lock` does.
        """
        with self._lock_file() as lock:
            until = time.monotonic() + _PATIENCE
            while True:
                if _flock(lock):
                    os.pwrite(lock, _BEGINNING, 0)
                    self._sweep()
                    begin()
                # Downgrading a flock is not atomic; another process may take it first, so retry.
                if _flock(lock, shared=True):
                    break
                if os.pread(lock, 16, 0) == _BEGINNING:
                    until = time.monotonic() + _PATIENCE
                elif time.monotonic() > until:
                    raise self._busy()
                time.sleep(0.1)
            yield

    def check_request(
        self,
        request: Mapping[str, Any],
        *,
        overwrite: bool,
        first_difference: Callable[[], str],
        grows: bool = False,
    ) -> list[str]:
        """Compare a request with the one that OUT was begun with, and write it; return warnings.

        first_difference  returns the first member in which the two archives differ
        grows             whether another archive is no difference: it comes in instalments

        Raises OutputError on a difference. With `overwrite` the new request replaces the old one;
        parts that both need are kept.
        """
        begun, warnings = self._begun()
        differing = _differences(begun, request, "libraries") if begun is not None else []
        grown = _differences(begun, request, "source") if begun is not None else []
        refused = differing if grows else sorted([*differing, *grown])
        self._check_same(refused, overwrite, first_difference)
        if differing or grown or begun is None:
            # Synced: a manifest that came back would vouch for shards of another plan.
            remove_whole(self.manifest)
        _update(self.request, _signed(request))
        return warnings

    def check_faces(self, request: Mapping[str, Any], *, overwrite: bool) -> list[str]:
        """Compare a request of face options alone, for `--partial`, as `check_request` does.

        The request of a whole build stays: its manifest is of what it names.
        """
        begun, warnings = self._begun()
        differing = _differences(begun, request, "libraries") if begun is not None else []
        self._check_same(differing, overwrite, lambda: "")
        if differing or begun is None:
            remove_whole(self.manifest)
            _update(self.request, _signed({"source": {}, "partial": True} | dict(request)))
        return warnings

    def _check_same(
        self, differing: Sequence[str], overwrite: bool, first_difference: Callable[[], str]
    ) -> None:
        if differing and not overwrite:
            listed = ", ".join(differing[:3]) + (
                f" and {len(differing) - 3} more" if len(differing) > 3 else ""
            )
            raise OutputError(
                f"{self.out} was begun with {listed}{first_difference()}: "
                "give another OUT, or --overwrite to replace it (finished faces that fit are kept)"
            )

    def keep_secret(self, secret: bytes) -> None:
        """Write the secret for `verify`, in hex digits."""
        _update(self.secret, f"{secret.hex()}\n".encode())

    def complete_manifest(self) -> tuple[Manifest | None, list[str]]:
        """Return the manifest if all that it lists is there, as far as sizes tell; and warnings."""
        if not self.manifest.is_file():
            return None, []
        try:
            manifest = Manifest.read(self.out)
        except DatasetError:
            return None, [f"{self.manifest} was damaged: the dataset is assembled again"]
        shards = [shard for split in manifest.splits.values() for shard in split.shards]
        if not all(_size(self.out / shard.file) == shard.bytes for shard in shards):
            return None, []
        return (manifest if (self.out / manifest.ledger.file).is_file() else None), []

    def write_unread(self, unread: Iterable[tuple[str, str]], part_range: str) -> Path:
        """Write key and cause of each photo that could not be read, in a file for each range."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([("key", "why"), *unread])
        path = self.home / (f"unread-{part_range}.csv" if part_range else "unread.csv")
        write_whole(path, text.getvalue().encode("utf-8", "backslashreplace"))
        return path

    def remove_unread(self, part_range: str) -> None:
        """Remove the list of a part range, or, without one, all lists."""
        for path in self.home.glob(f"unread-{part_range}.csv" if part_range else "unread*.csv"):
            path.unlink(missing_ok=True)

    def spare_parts(self) -> list[Path]:
        """Return the files of parts that are not in the plan, which other options may have left."""
        needed = frozenset(planned_names(self.plan))
        if not needed:  # no plan, or one that cannot be read: nothing is known to be spare
            return []
        return sorted(path for path in self.parts.iterdir() if path.stem not in needed)

    def spare_warnings(self) -> list[str]:
        """Return a line on the disk space of spare parts, if there are any."""
        if not (spare := self.spare_parts()):
            return []
        size = sum(_size(path) or 0 for path in spare)
        return [
            f"{size / 1e6:,.1f} MB of faces in {self.parts} are of other options, "
            f"versions or photos: fertools clean {self.out} removes them"
        ]

    def remove_staging(self) -> None:
        """Remove the staging folders, whose shards are published, and workers' leftovers."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self._sweep()

    @contextmanager
    def _lock_file(self) -> Iterator[int]:
        try:
            (self.home / BUILD_LOCK).touch()
            # Also for reading: a shared lock on NFS needs that. Not for appending: pwrite would
            # then ignore its offset.
            with (self.home / BUILD_LOCK).open("r+b") as file:
                yield file.fileno()
        except OSError as fault:
            raise OutputError(
                f"{fault.filename or self.out}: {fault.strerror or fault}: "
                "fix that, and the same command continues where it stopped"
            ) from fault

    def _busy(self) -> OutputError:
        return OutputError(f"another build is writing {self.out}: wait for it or give another OUT")

    def _sweep(self) -> None:
        """Remove the temporary files of a killed run, which are known by their names."""
        for folder in (self.out, self.home, self.parts, *self.staging.glob("*/")):
            for file in folder.iterdir():
                if is_leftover(file.name):
                    file.unlink(missing_ok=True)

    def _begun(self) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the request that OUT was begun with, None for none; and warnings."""
        try:
            text = self.request.read_bytes()
        except FileNotFoundError:
            return self._published(), []
        if (begun := _checked(text)) is not None:
            return begun, []
        return self._published(), [f"{self.request} was damaged and is written again"]

    def _published(self) -> Mapping[str, Any] | None:
        """Return the request as far as a manifest that can be read holds it."""
        try:
            manifest = Manifest.read(self.out)
        except DatasetError:
            return None
        return {
            "options": manifest.options,
            "libraries": manifest.libraries,
            "source": {"fingerprint": manifest.source},
        }


def clean(out: Path | str) -> CleanReport:
    """Remove faces that the last build of OUT did not need, and the predictions of `suspects`.

    Raises DatasetError if `out` holds no build, OutputError if one is running.
    """
    build_dir = BuildDir(user_path(out))
    if not build_dir.plan.is_file():
        raise DatasetError(
            f"{build_dir.out} holds nothing that a build has left: give a dataset's OUT"
        )
    with build_dir.lock():
        # Without a manifest a build was interrupted, and its finished shards are still needed.
        staged = build_dir.staging.glob("*/*") if build_dir.manifest.is_file() else ()
        folds = [path for path in build_dir.folds.rglob("*") if path.is_file()]
        spare = [*build_dir.spare_parts(), *staged, *folds]
        freed = sum(path.stat().st_size for path in spare)
        for path in spare:
            path.unlink(missing_ok=True)
        shutil.rmtree(build_dir.folds, ignore_errors=True)
        kept = sum(path.stat().st_size for path in build_dir.parts.iterdir())
    return CleanReport(build_dir.out, len(spare), freed, kept)


@dataclass(frozen=True, slots=True)
class CleanReport:
    """The result of `clean`: files removed, bytes freed, and bytes of finished faces kept."""

    out: Path
    files: int
    freed: int
    kept: int

    def text(self) -> str:
        return (
            f"{printable(str(self.out))}: {self.files:,} files removed, "
            f"{self.freed / 1e6:,.1f} MB; "
            f"{self.kept / 1e6:,.1f} MB of finished faces kept"
        )


def _update(path: Path, data: bytes) -> None:
    """Write a file unless it has these bytes already."""
    if not path.is_file() or path.read_bytes() != data:
        write_whole(path, data)


def _signed(request: Mapping[str, Any]) -> bytes:
    """Return a request as JSON with its SHA-256, by which damage is noticed."""
    text = json.dumps(request, ensure_ascii=False, sort_keys=True)
    signed = {"request": request, "sha256": sha256(text.encode()).hexdigest()}
    return (json.dumps(signed, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _checked(text: bytes) -> Mapping[str, Any] | None:
    """Return the request that `_signed` wrote, None if it is damaged."""
    try:
        signed = json.loads(text)
        if "request" not in signed:  # as fertools 0.1.0 wrote it
            return {name: dict(signed[name]) for name in ("options", "libraries", "source")}
        request: dict[str, Any] = signed["request"]
        return request if _signed(request) == text else None
    except (ValueError, KeyError, TypeError):
        return None


def _differences(begun: Mapping[str, Any], wanted: Mapping[str, Any], group: str) -> list[str]:
    """Return what differs, such as "size 224 (now 112)".

    group  "source", or "libraries" for options and libraries

    A value that only one of the two has is no difference: a manifest holds less than a request.
    """
    old, new = dict(begun[group]), dict(wanted[group])
    if group == "libraries":
        # fertools 0.1.0 listed other versions, and does not know how crops are made today.
        old = old if "crops" in old else {}
        # Defaults for options that an older version lacked; a partial build states no others.
        defaults = {} if begun.get("partial") else BuildOptions().flat()
        old |= defaults | begun["options"]
        new |= wanted["options"]
    return [
        f"{name} {old[name]} (now {new[name]})"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]


def _flock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock without waiting, or downgrade it to a shared one; return whether it worked."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None

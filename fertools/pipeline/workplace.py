"""Where a build keeps what it has done: OUT/.fertools, and the lock that keeps others out.

    OUT/
      faces-train.tfrecord-00000-of-00012 …   published shards
      dataset_info.json features.json label.labels.txt
      ledger.parquet                          every member's fate
      metadata.json                           the manifest, last: its presence means complete
      .fertools/
        lock                                  held while a build runs; --only-parts share it
        build.json                            what was asked for, and of which source
        plan.arrow                            the members to look at, a batch a part
        parts/<fingerprint>.crops             finished crops, TFRecord framed
        parts/<fingerprint>.rows              what became of each member, Parquet, written last
        shards/<fingerprint>/                 shards on their way out

A part's fingerprint covers everything its bytes depend on. So a part that is there is done,
whoever made it and under whatever other options: resuming is nothing but looking.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fertools.errors import OutputError
from fertools.shards import HOME, MANIFEST, is_leftover, remove_whole, write_whole

#: Seconds for which a share waits until OUT is not somebody's alone.
_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True)
class Workplace:
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
    def plan(self) -> Path:
        """The members to look at."""
        return self.home / "plan.arrow"

    @property
    def parts(self) -> Path:
        """Finished parts, two files each."""
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
        inside, outside = self.out.resolve(), source.resolve()
        if inside == outside or outside in inside.parents:
            raise OutputError(f"{self.out} lies inside {source}: give an OUT outside the archive")
        if self.out.exists() and not self.out.is_dir():
            raise OutputError(f"{self.out} is a file: give a folder for the dataset")
        if self.out.is_dir() and not self.home.is_dir() and any(self.out.iterdir()):
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
            self._sweep()
            yield

    @contextmanager
    def share(self, begin: Callable[[], None]) -> Iterator[None]:
        """Work in OUT together with others who do their shares, and keep whole builds out.

        Who finds nobody there begins, alone: sweeps, and calls `begin`. Raises as `lock` does.
        """
        with self._lock_file() as lock:
            until = time.monotonic() + _PATIENCE
            while True:
                if _locked(lock):
                    self._sweep()
                    begin()
                # Gives up being alone, and somebody may come in between: then wait for him.
                if _locked(lock, shared=True):
                    break
                # Who begins a share takes seconds, a build stays.
                if time.monotonic() > until:
                    raise self._busy()
                time.sleep(0.1)
            yield

    def agree(self, request: Mapping[str, Any], *, overwrite: bool) -> None:
        """Go on with what OUT was begun with, or begin; raise OutputError on a difference.

        With `overwrite` the new request takes the old one's place; parts that it shares with the
        old one are kept.
        """
        wanted = json.dumps(request, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        begun = self._begun()
        if begun is not None and begun != json.loads(wanted) and not overwrite:
            raise OutputError(
                f"{self.out} was begun with {_difference(begun, request)}: "
                "give another OUT, or --overwrite to replace it (finished faces that fit are kept)"
            )
        if begun != json.loads(wanted):
            # Synced: a manifest that came back would vouch for shards of another plan.
            remove_whole(self.manifest)
            write_whole(self.request, wanted.encode())

    def tidy(self) -> None:
        """Remove the stages: their shards are published, and parts can make them again."""
        shutil.rmtree(self.stages, ignore_errors=True)

    @contextmanager
    def _lock_file(self) -> Iterator[int]:
        try:
            # For reading as well: where NFS keeps the lock, a shared one needs that.
            with (self.home / "lock").open("a+b") as file:
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
        for folder in (self.out, self.home, self.parts):
            for file in folder.iterdir():
                if is_leftover(file.name):
                    file.unlink(missing_ok=True)

    def _begun(self) -> dict[str, Any] | None:
        try:
            begun = json.loads(self.request.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return begun if isinstance(begun, dict) else {}


def _difference(begun: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Name what differs, such as "size 224 (now 112)", at most three of it."""
    old, new = _flat(begun), _flat(wanted)
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    told = [f"{name} {old.get(name)} (now {new.get(name)})" for name in names[:3]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(told) + more if told else "a request that cannot be read"


def _flat(request: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in request.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _locked(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock without waiting, or turn the one that is held into a shared one."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

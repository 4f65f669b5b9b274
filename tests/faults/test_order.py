"""What a power cut could lose or reorder: nothing that a later step relies on.

A recording layer stands under every file that a build writes. What it has heard is held against
the protocol of `fertools.files`; then every sync is taken out of the record, one after the
other, and each must be missed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import fertools
from fertools import files
from tests.fakes import BrightSpot, write_archive

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="a descriptor's path is looked up in /proc"
)


class Step(NamedTuple):
    """Something that was asked of the disk: write, sync, rename or remove."""

    what: str
    path: Path
    target: Path | None = None


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Step]]:
    """Record the steps of a build that runs in this process."""
    steps: list[Step] = []
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    class Recorded(io.FileIO):
        def write(self, data: Any, /) -> int:
            steps.append(Step("write", Path(str(self.name))))
            return super().write(data)

    class Io:
        FileIO = Recorded

    def syncs(descriptor: int) -> None:
        steps.append(Step("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def renames(path: Path, target: Path) -> Path:
        steps.append(Step("rename", path, target))
        return replace(path, target)

    def removes(path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            steps.append(Step("remove", path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(files, "io", Io)
    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(Path, "replace", renames)
    monkeypatch.setattr(Path, "unlink", removes)
    yield steps


def troubles(steps: list[Step], out: Path) -> list[str]:
    """Name what a power cut could undo or leave half-done after something has relied on it."""
    found: list[str] = []
    written: set[Path] = set()
    unsynced: set[Step] = set()
    for number, (what, path, target) in enumerate(steps):
        match what:
            case "write":
                written.add(path)
            case "sync":
                written.discard(path)
                unsynced -= {step for step in unsynced if step.path == path}
            case "rename" if target is not None:
                if path in written:
                    found.append(f"{target.name} got its name before its bytes were safe")
                if target == out / "metadata.json":
                    found += [f"{step.what} {step.target} may be undone" for step in unsynced]
                if path.suffix == ".tmp" and steps[number + 1 : number + 2] != [
                    Step("sync", target.parent)
                ]:
                    found.append(f"{target.name} may be gone when the next file is there")
                if target.parent == out and any(step.what == "remove" for step in unsynced):
                    found.append(f"{target.name} may stand beside the manifest of another build")
                unsynced.add(Step("rename", target.parent, target))
            case "remove" if path == out / "metadata.json":
                unsynced.add(Step("remove", out, path))
    return found


def build(source: Path, out: Path, **options: Any) -> None:
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, out, shard_size="3KB", **look | options)


def test_every_sync_counts_and_all_are_there(disk: list[Step], tmp_path: Path) -> None:
    source, out = write_archive(tmp_path / "src", people=6), tmp_path / "out"
    build(source, out)
    build(source, out, seed=1, overwrite=True)
    assert troubles(disk, out) == []
    syncs = [i for i, step in enumerate(disk) if step.what == "sync"]
    assert len(syncs) > 100
    unmissed = [disk[i] for i in syncs if not troubles(disk[:i] + disk[i + 1 :], out)]
    assert unmissed == []

"""A disk that refuses, at any step and for any reason: one line, nothing half-written, and on."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

import fertools
from fertools.errors import OutputError
from fertools.pipeline.plan import planned_names
from tests.fakes import BrightSpot, write_archive
from tests.faults.conftest import ERRORS, Disk
from tests.faults.history import digests


def build(source: Path, out: Path) -> None:
    fertools.build_dataset(
        source, out, detector=BrightSpot(), size=16, shard_size="3KB", quiet=True, jobs=1
    )


def steps_of_a_build(disk: Disk, source: Path, out: Path) -> int:
    disk.reset(None)
    build(source, out)
    assert set(disk.asked) == {"open", "write", "fsync", "rename", "mkdir"}
    return disk.asked.total()


def test_twenty_refusals_are_twenty_lines_and_twenty_equal_endings(
    disk: Disk, tmp_path: Path
) -> None:
    source = write_archive(tmp_path / "src", people=6)
    steps = steps_of_a_build(disk, source, tmp_path / "fresh")
    whole = digests(tmp_path / "fresh")
    dice = random.Random(3)
    points = [*dice.sample(range(steps), 15), *range(steps - 5, steps)]
    for number, at in enumerate(points):
        out = tmp_path / f"out {number}"
        disk.reset(at, ERRORS[number % len(ERRORS)])
        with pytest.raises(OutputError) as refused:
            build(source, out)
        assert "\n" not in str(refused.value)
        assert "the same command" in str(refused.value) or not out.exists()
        _nothing_is_half_written(out, tmp_path / "fresh")
        disk.reset(None)
        build(source, out)
        assert digests(out) == whole
        assert fertools.verify(out, source, quiet=True).ok


def _nothing_is_half_written(out: Path, fresh: Path) -> None:
    """Hold every file that is there against that of an undisturbed build."""
    for path in out.rglob("*"):
        same = fresh / path.relative_to(out)
        if path.name == "plan.arrow":  # it holds the time of the scan
            assert planned_names(path) == planned_names(same)
        elif path.is_file() and "shards" not in path.parts and path.name != "lock":
            assert path.read_bytes() == same.read_bytes(), path
    assert not list(out.rglob("*.tmp")) or not (out / "metadata.json").exists()


def test_each_refusal_says_what_to_do(disk: Disk, tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=6)
    steps = steps_of_a_build(disk, source, tmp_path / "fresh")
    said = {}
    for error in ERRORS:
        disk.reset(steps // 2, error)
        with pytest.raises(OutputError) as refused:
            build(source, tmp_path / f"out {error}")
        said[error] = str(refused.value)
    assert "the disk is full" in said[errno.ENOSPC]
    assert "make room" in said[errno.EDQUOT]
    assert "not allowed" in said[errno.EACCES]
    assert "read-only" in said[errno.EROFS]
    assert "have the disk checked" in said[errno.EIO]


def test_a_refused_overwrite_leaves_nothing_that_passes_for_complete(
    disk: Disk, tmp_path: Path
) -> None:
    source, out = write_archive(tmp_path / "src", people=6), tmp_path / "out"
    build(source, out)
    more = {"detector": BrightSpot(), "size": 24, "quiet": True, "jobs": 1, "overwrite": True}
    disk.reset(20)
    with pytest.raises(OutputError):
        fertools.build_dataset(source, out, **more)  # type: ignore[arg-type]
    disk.reset(None)
    assert not (out / "metadata.json").exists()
    fertools.build_dataset(source, out, **more)  # type: ignore[arg-type]
    assert fertools.verify(out, source, quiet=True).ok

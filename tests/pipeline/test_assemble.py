"""Shards are written in groups, and each group's crops are read in one forward pass."""

from __future__ import annotations

import errno
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fertools.options import FaceOptions
from fertools.pipeline import assemble
from fertools.pipeline.assemble import available_memory, group_shards, requests, write_shards
from fertools.pipeline.parts import PartFiles, read_table
from fertools.pipeline.shards import ShardTask, StagingDir
from tests.fakes import write_archive
from tests.pipeline.test_dataset import build, digests

needs_advice = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="no posix_fadvise")

OPTIONS = {"shard_size": "3KB", "augment": 1}

#: The name of a part, an offset and a length.
Piece = tuple[str, int, int]


@dataclass
class Disk:
    """What was asked of the kernel, in order: passes over the parts, and direct reads."""

    passes: list[list[Piece]] = field(default_factory=list)
    read: list[Piece] = field(default_factory=list)
    _released: bool = True

    def advise(self, handle: int, offset: int, length: int, advice: int) -> None:
        if advice == os.POSIX_FADV_WILLNEED:
            if self._released:
                self.passes.append([])
            self.passes[-1].append((_path(handle).stem, offset, length))
        self._released = advice == os.POSIX_FADV_DONTNEED

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        if (path := _path(handle)).suffix == ".part":  # photos are read as well
            self.read.append((path.stem, offset, length))
        return path.read_bytes()[offset : offset + length]


def _path(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}").readlink()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("source"), people=12)


@pytest.fixture(scope="module")
def published(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a dataset whose crops were all in memory at once."""
    out = tmp_path_factory.mktemp("published")
    build(source, out, **OPTIONS)
    return digests(out)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Stands between a build in one process and the kernel."""
    disk = Disk()
    monkeypatch.setattr(os, "posix_fadvise", disk.advise)
    monkeypatch.setattr(os, "pread", disk.pread)
    return disk


def set_memory(monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    """Let the crops of so many shards of 3 KB fit into their share of the memory."""
    monkeypatch.setattr(assemble, "available_memory", lambda: 4 * 3000 * shards)


def crops_of(out: Path) -> Counter[Piece]:
    """Give the places of all crops in the parts."""
    pieces: Counter[Piece] = Counter()
    for path in (out / ".fertools" / "parts").glob("*.part"):
        for row in read_table(PartFiles(path.parent, path.stem)).to_pylist():
            pieces[path.stem, row["offset"], row["length"]] += 1
    return pieces


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Sort pieces, and join those that follow each other."""
    out: list[Piece] = []
    for piece in sorted(pieces):
        name, offset, length = piece
        if out and (out[-1][0], sum(out[-1][1:])) == (name, offset):
            _, start, before = out.pop()
            out.append((name, start, before + length))
        else:
            out.append(piece)
    return out


@needs_advice
def test_every_crop_is_read_once_in_few_forward_passes_and_nothing_else(
    source: Path, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 16, item 4: before, each shard was a pass of its own.

    A byte beside a crop would not be in the page cache, and the kernel would read on from there.
    """
    set_memory(monkeypatch, shards=3)
    manifest = build(source, tmp_path, shard_size="3KB")
    shards = sum(len(split.shards) for split in manifest.splits.values())
    assert 1 < len(disk.passes) == -(-shards // 3)
    written = {
        path.stem: path.stat().st_mtime_ns for path in (tmp_path / ".fertools/parts").iterdir()
    }
    for pieces in disk.passes:
        places = [(written[name], offset) for name, offset, _ in pieces]
        assert places == sorted(set(places))
    crops, asked = crops_of(tmp_path), [piece for pieces in disk.passes for piece in pieces]
    assert set(crops.values()) == {1}
    assert joined(asked) == joined(crops)
    assert Counter(disk.read) == crops


@pytest.mark.parametrize(("shards", "jobs"), [(0, 1), (4, 2)])
def test_the_memory_decides_no_byte(
    *,
    shards: int,
    jobs: int,
    source: Path,
    published: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_memory(monkeypatch, shards)
    build(source, tmp_path, **OPTIONS, jobs=jobs)
    assert digests(tmp_path) == published


@needs_advice
@pytest.mark.parametrize("unknown", [False, True])
def test_advice_that_the_system_does_not_take_changes_nothing(
    *,
    unknown: bool,
    source: Path,
    published: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    set_memory(monkeypatch, 4)
    monkeypatch.setattr(os, "posix_fadvise", refuse)
    if unknown:
        monkeypatch.delattr(os, "posix_fadvise")
    build(source, tmp_path, **OPTIONS)
    assert digests(tmp_path) == published


def test_a_part_that_vanishes_before_its_pass_is_made_again(
    source: Path, published: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Path] = []

    def lose_one() -> int:
        if not lost:
            lost.append(next((tmp_path / ".fertools" / "parts").glob("*.part")))
            lost[0].unlink()
        return 4 * 3000 * 4

    monkeypatch.setattr(assemble, "available_memory", lose_one)
    build(source, tmp_path, **OPTIONS)
    assert lost
    assert lost[0].exists()
    assert digests(tmp_path) == published


def test_a_group_has_as_many_shards_as_fit_and_one_for_each_worker() -> None:
    def sizes(*arguments: int) -> list[list[int]]:
        return [list(group) for group in group_shards(*arguments)]

    assert sizes(5, 10, 25, 1) == [[0, 1], [2, 3], [4]]
    assert sizes(5, 10, 1000, 1) == [[0, 1, 2, 3, 4]]
    assert sizes(5, 10, 0, 2) == [[0, 1], [2, 3], [4]]
    assert sizes(9, 10, 45, 1) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert sizes(0, 10, 45, 1) == []


def test_crops_that_follow_each_other_are_one_request() -> None:
    def asked(*pieces: tuple[int, int]) -> list[tuple[int, int]]:
        offsets, lengths = np.array(pieces).T
        return list(requests(offsets, lengths))

    assert asked((0, 10), (10, 10), (40, 10)) == [(0, 20), (40, 10)]
    assert asked((0, 10), (0, 10), (10, 10)) == [(0, 20)]  # a crop and its augmented copies
    assert asked((5, 300_000)) == [(5, 131_072), (131_077, 131_072), (262_149, 37_856)]


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
def test_a_container_has_no_more_memory_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = available_memory()
    limit = tmp_path / "memory.max"
    groups = {"": (tmp_path, limit.name), "memory": (tmp_path, limit.name)}
    monkeypatch.setattr(assemble, "_CGROUPS", groups)
    limit.write_text("1000000\n")
    assert available_memory() == 1_000_000 < unlimited
    limit.write_text("max\n")
    assert available_memory() > 1_000_000


@needs_advice
def test_a_pass_holds_the_places_of_crops_and_not_the_crops(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten parts of 100 crops of a megabyte."""
    staging, crops = StagingDir(tmp_path, tmp_path), np.arange(1000)
    parts = [PartFiles(tmp_path, f"{part}") for part in range(10)]
    for part in parts:
        part.whole.write_bytes(b"")
        os.truncate(part.whole, 100 << 20)
    columns = {
        "part": [f"{crop % 10}" for crop in crops],
        "offset": crops // 10 << 20,
        "length": np.full(1000, 1 << 20),
    }
    batch = pa.record_batch(columns)
    with pa.ipc.new_file(staging.plan, batch.schema) as writer:
        writer.write_batch(batch)
    monkeypatch.setattr(assemble, "run_tasks", lambda *_: iter(()))
    tasks = [ShardTask(staging, 0, "one", FaceOptions(), seed=0)]
    list(write_shards(tasks, parts, shard_bytes=1 << 30, jobs=1))  # modules are imported once
    tracemalloc.start()
    try:
        list(write_shards(tasks, parts, shard_bytes=1 << 30, jobs=1))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(length for _, _, length in disk.passes[0]) == 2 * 1000 << 20  # both times
    assert most < 2 << 20

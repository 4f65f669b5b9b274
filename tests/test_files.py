from __future__ import annotations

import errno
import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fertools.errors import OutputError
from fertools.files import WholeFile, is_leftover, whole_file, write_whole


def test_a_file_is_written_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "사진", b"one")
    write_whole(tmp_path / "사진", b"two")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("사진", b"two")]


def test_a_file_knows_its_size_and_checksum(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        for n in range(300):
            file.write(bytes((n % 256,)) * 10_000)

    data = (tmp_path / "a").read_bytes()
    assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert len(data) == 3_000_000


def test_parquet_is_written_through_it(tmp_path: Path) -> None:
    table = pa.table({"key": [f"{n}.jpg" for n in range(1000)]})
    with whole_file(tmp_path / "rows") as file:
        pq.write_table(table, file)
    assert pq.read_table(tmp_path / "rows").equals(table)
    assert file.sha256 == hashlib.sha256((tmp_path / "rows").read_bytes()).hexdigest()


@pytest.mark.parametrize("fault", [RuntimeError("no"), KeyboardInterrupt(), OSError(5, "read")])
def test_an_exception_leaves_the_older_file(tmp_path: Path, fault: BaseException) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"older")
    with pytest.raises(type(fault)) as raised, whole_file(path) as file:
        file.write(b"newer")
        raise fault
    assert raised.value is fault
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"older")]


def test_until_the_block_ends_only_a_leftover_is_there(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a"):
        (found,) = tmp_path.iterdir()
        assert is_leftover(found.name)
        assert found.name.startswith(f".a.{os.getpid()}-")
    assert not is_leftover("a")


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as first, whole_file(tmp_path / "a") as second:
        first.write(b"1" * 10)
        second.write(b"2" * 20)
    assert (tmp_path / "a").read_bytes() == b"1" * 10  # the outer block ended last


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_we_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def sync(handle: int) -> None:
        target = Path(f"/proc/self/fd/{handle}").readlink()
        size = "" if target.is_dir() else f" of {target.stat().st_size} bytes"
        steps.append(f"sync {'folder' if target.is_dir() else 'file'}{size}")

    replace = Path.replace

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    write_whole(tmp_path / "a", b"x" * 9)
    assert steps == ["sync file of 9 bytes", "rename", "sync folder"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "the disk reports an error"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EBADF, os.strerror(errno.EBADF)),
    ],
)
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_disk_that_refuses_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, words: str
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(step, refuse)
    path = tmp_path / "a"
    with pytest.raises(OutputError) as raised:
        write_whole(path, b"data")
    text = str(raised.value)
    assert text.startswith(f"{path} could not be written, {words}; nothing half-written ")
    assert text.endswith("the same command continues where it stopped")
    assert "\n" not in text
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [10_000, 3_000_000])  # refused at the flush, or on the way
def test_a_file_that_may_not_grow_is_taken_away(tmp_path: Path, size: int) -> None:
    with (
        files_of_at_most(5_000),
        pytest.raises(OutputError, match="files may not grow that large"),
        whole_file(tmp_path / "a") as file,
    ):
        for _ in range(size // 10_000):
            file.write(b"x" * 10_000)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_or_in_the_way_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder is gone"):
        write_whole(tmp_path / "no" / "a", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        write_whole(tmp_path / "folder", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_nothing_that_is_there_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to("theirs")
    with pytest.raises(FileExistsError):
        WholeFile(tmp_path / "link", tmp_path / "a")
    write_whole(tmp_path / "link", b"ours")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"

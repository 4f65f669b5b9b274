"""Shares of a build: what machines that know nothing of each other do in one OUT."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.errors import OptionError, OutputError
from fertools.pipeline import build_dir as workplace
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.plan import parse_part_range
from tests.fakes import BrightSpot, write_archive
from tests.pipeline.test_dataset import Forbidden, digests

LOOK: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Ten people, two photos each of three emotions: 15 parts of 4."""
    return write_archive(tmp_path / "src")


def test_shares_and_then_the_plain_command_give_the_same_bytes(
    archive: Path, tmp_path: Path
) -> None:
    fertools.build_dataset(archive, tmp_path / "plain", **LOOK)
    out = tmp_path / "out"
    first = fertools.build_parts(archive, out, "0-6", **LOOK)
    assert (first.share, first.done, first.parts, first.complete) == (range(7), 7, 15, False)
    assert not (out / "metadata.json").exists()
    rest = fertools.build_parts(archive, out, "7-511", **LOOK)
    assert (rest.share, rest.done, rest.complete) == (range(7, 15), 15, True)
    assert "15 of all 15" in rest.text()
    fertools.build_dataset(archive, out, **LOOK | {"detector": Forbidden()})
    assert digests(out) == digests(tmp_path / "plain")


def test_a_share_does_its_parts_and_no_other(archive: Path, tmp_path: Path) -> None:
    fertools.build_parts(archive, tmp_path / "out", "3", **LOOK)
    assert len(list((tmp_path / "out").rglob("*.part"))) == 1
    again = fertools.build_parts(
        archive, tmp_path / "out", "3-3", **LOOK | {"detector": Forbidden()}
    )
    assert again.done == 1


def test_a_share_beyond_the_end_says_how_many_parts_there_are(
    archive: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=r"--only-parts 15-20: there are 15 parts, 0 to 14"):
        fertools.build_parts(archive, tmp_path / "out", "15-20", **LOOK)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "a-b", "5-4", "-3", "1-", "1-2-3", "1.5", "٣"])
def test_a_share_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--only-parts"):
        parse_part_range(text)


def test_shares_of_a_dataset_that_was_begun_otherwise_are_refused(
    archive: Path, tmp_path: Path
) -> None:
    fertools.build_parts(archive, tmp_path / "out", "0", **LOOK)
    with pytest.raises(OutputError, match=r"size 16 \(now 24\)"):
        fertools.build_parts(archive, tmp_path / "out", "1", **LOOK | {"size": 24})
    other = fertools.build_parts(
        archive, tmp_path / "out", "1", overwrite=True, **LOOK | {"size": 24}
    )
    assert other.done == 1


def test_shares_work_side_by_side_and_keep_whole_builds_out(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workplace, "_PATIENCE", 0.3)
    out = tmp_path / "out"
    fertools.build_parts(archive, out, "0", **LOOK)
    leftover = out / ".fertools" / "parts" / ".of a neighbour.tmp"
    with BuildDir(out).shared_lock(lambda: None):
        leftover.touch()
        assert fertools.build_parts(archive, out, "1", **LOOK).done == 2
        assert leftover.exists(), "what a neighbour is writing is not swept away"
        with pytest.raises(OutputError, match=r"size 16 \(now 24\)"):
            fertools.build_parts(archive, out, "1", overwrite=True, **LOOK | {"size": 24})
        with pytest.raises(OutputError, match="another build is writing"):
            fertools.build_dataset(archive, out, **LOOK)
    with (
        BuildDir(out).lock(),
        pytest.raises(OutputError, match="another build is writing"),
    ):
        fertools.build_parts(archive, out, "2", **LOOK)
    fertools.build_dataset(archive, out, **LOOK)
    assert not leftover.exists()


def test_of_many_that_come_at_once_one_begins(tmp_path: Path) -> None:
    build_dir = BuildDir(tmp_path / "out")
    build_dir.create()
    begun: list[int] = []
    inside = threading.Barrier(8, timeout=20)

    def work(number: int) -> None:
        with build_dir.shared_lock(lambda: begun.append(number)):
            inside.wait()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken
    assert begun


def test_a_share_waits_for_one_that_is_writing_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: at millions of members that takes longer than the patience with whole builds."""
    monkeypatch.setattr(workplace, "_PATIENCE", 0.2)
    build_dir = BuildDir(tmp_path / "out")
    build_dir.create()
    began = threading.Event()
    order: list[str] = []

    def begin() -> None:
        began.set()
        time.sleep(1)
        order.append("planned")

    def first() -> None:
        with build_dir.shared_lock(begin):
            pass

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(10)
    with build_dir.shared_lock(lambda: None):
        order.append("shared")
    thread.join()
    assert order == ["planned", "shared"]

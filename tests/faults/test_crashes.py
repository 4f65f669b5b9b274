"""A photo that kills, hangs or bloats who looks at it costs itself only."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fertools
from fertools.data import Face, Reason
from fertools.errors import DependencyError, FertoolsError
from fertools.options import FaceOptions
from fertools.pipeline import process_part
from fertools.workers import pool
from fertools.workers import tasks as engine
from fertools.workers.inflight import InFlightLog
from fertools.workers.pool import WorkersUnavailable, watchdog
from fertools.workers.tasks import run_isolated, run_tasks
from tests.fakes import BrightSpot, photo, photo_name, write_archive
from tests.faults.killers import DEEDS, Deadly

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="workers are watched on Linux")


def plant(source: Path, sides: list[int]) -> dict[str, int]:
    """Add deadly photos to the archive, and give their names and sides."""
    home = next(path for path in source.rglob("*TRAIN_01") if "기쁨" in path.name)
    names = {photo_name(shot % 10, "기쁨", 10 + shot): side for shot, side in enumerate(sides)}
    for name, side in names.items():
        (home / name).write_bytes(photo((20, 16, side)))
    return names


def build(source: Path, out: Path, **options: object) -> dict[str, dict[str, object]]:
    usual = {"detector": Deadly(), "jobs": 2, "photo_seconds": 1.0}
    fertools.build_dataset(
        source,
        out,
        size=16,
        quiet=True,
        **usual | options,  # type: ignore[arg-type]
    )
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    return {str(row["key"]).rpartition("/")[2]: row for row in rows}


@needs_linux
@pytest.mark.slow
def test_every_kind_of_poison_costs_itself_only(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    names = plant(source, list(DEEDS))
    rows = build(source, tmp_path / "out")
    fates = {DEEDS[side][0]: rows[name]["outcome"] for name, side in names.items()}
    assert fates == {
        "segmentation fault": "crashed",
        "abort": "crashed",
        "exit": "crashed",
        "hang in Python": "timed_out",
        "hang in C": "timed_out",
        "memory": "too_large",
        "exception": "crashed",
    }
    assert all(rows[name]["digest"] for name in names)
    assert Counter(row["outcome"] for row in rows.values())["kept"] == 60
    assert not list((tmp_path / "out").rglob("*.diary"))


@needs_linux
@pytest.mark.slow
def test_poison_in_every_part_stops_the_build_with_a_message_of_its_own(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    plant(source, [32] * 12)
    with pytest.raises(FertoolsError, match=r"9 photos have crashed .* photos are not the cause"):
        build(source, tmp_path / "out")
    assert not (tmp_path / "out" / "metadata.json").exists()


def test_a_detector_that_always_fails_stops_the_build_before_a_row_says_so(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    for path in source.rglob("*.jpg"):
        path.write_bytes(photo((20, 16, 36)))
    with pytest.raises(FertoolsError, match="IndexError: the detector's own fault"):
        build(source, tmp_path / "out", jobs=1)
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_network_that_cannot_be_loaded_is_no_photos_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is loaded before a photo is logged as the one in progress."""
    begun: list[int] = []

    def fail(_: FaceOptions) -> None:
        raise DependencyError("OpenVINO cannot be imported")

    monkeypatch.setattr(process_part, "cached_detector", fail)
    monkeypatch.setattr(process_part, "in_worker", lambda: True)
    monkeypatch.setattr(InFlightLog, "start", lambda _, number: begun.append(number))
    monkeypatch.setattr(engine, "_pool_for_size", no_pool)
    with pytest.raises(DependencyError, match="OpenVINO"):
        build(write_archive(tmp_path / "src"), tmp_path / "out", jobs=1, detector=None)
    assert begun == []


def test_a_build_without_workers_warns_and_the_next_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_archive(tmp_path / "src")
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_pool_for_size", no_pool)
        first = warnings_of(source, tmp_path / "out", jobs=2)
    assert "no worker process can be started (none here)" in first
    assert "no worker process" not in warnings_of(source, tmp_path / "again", jobs=1)


def warnings_of(source: Path, out: Path, jobs: int) -> str:
    """Build with a detector that crashes nobody."""
    found = fertools.build_dataset(
        source, out, size=16, quiet=True, detector=BrightSpot(), jobs=jobs
    )
    return "\n".join(found.warnings)


def no_pool(_: int) -> None:
    raise WorkersUnavailable from OSError("none here")


class Dies:
    """A task that ends its process the first time, as somebody with `kill` would."""

    number = signal.SIGKILL

    def __init__(self, mark: Path, *, always: bool = False) -> None:
        self.mark, self.always = mark, always

    def __call__(self) -> str:
        if self.always or not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), self.number)
        return self.mark.name


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_worker_costs_one_more_try(tmp_path: Path, jobs: int) -> None:
    tasks = [Dies(tmp_path / str(i)) for i in range(2)]
    assert sorted(run_tasks(tasks, jobs, isolate=True)) == ["0", "1"]


class Stops(Dies):
    """A task that stops its process the first time, as Ctrl-Z or a debugger that left would."""

    number = signal.SIGSTOP


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_stopped_worker_is_not_waited_for(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "watchdog", partial(watchdog, pause=0.05))
    tasks = [Stops(tmp_path / str(i)) for i in range(2)]
    assert sorted(run_tasks(tasks, jobs, isolate=True)) == ["0", "1"]


@pytest.mark.slow
def test_workers_that_always_die_end_in_one_line(tmp_path: Path) -> None:
    tasks = [Dies(tmp_path / "mark", always=True)]
    with pytest.raises(FertoolsError, match="worker processes have died 5 times"):
        list(run_tasks(tasks, 1, isolate=True))


@pytest.mark.slow
def test_a_trial_tells_the_dead_from_the_living(tmp_path: Path) -> None:
    began = time.monotonic()
    deaths = list(run_isolated([int, Dies(tmp_path / "x", always=True), _fails, int]))
    assert [died is None for died in deaths] == [True, False, True, True]
    assert deaths[1] is not None
    assert 0 < deaths[1] < time.monotonic() - began


def _fails() -> None:
    raise ValueError("a task that raises has outlived it")


def test_a_diary_names_the_last_one_that_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "part.diary"
    diary = InFlightLog(path)
    assert (diary.last_started(), diary.fatal_items()) == (None, {})
    diary.start(0)
    diary.start(7)
    assert InFlightLog(path).last_started() == 7
    diary.resolve(7, Reason.TIMED_OUT)
    diary.start(3)
    diary.resolve(3, None)
    assert InFlightLog(path).last_started() is None
    assert InFlightLog(path).fatal_items() == {7: Reason.TIMED_OUT}
    diary.start(9)
    diary.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0\0\xff nonsense\n8 looking\n8 crashed 00000000\n")
    assert InFlightLog(path).last_started() == 9
    for at in range(len(whole)):  # a flipped byte accuses no other photo
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert InFlightLog(path).fatal_items() in ({}, {7: Reason.TIMED_OUT})
        assert InFlightLog(path).last_started() in (None, 9)
    diary.remove()
    assert not path.exists()


@dataclass(frozen=True)
class Raises(BrightSpot):
    """Raises at photos of which one side is longer than the other by so much."""

    always: bool = False

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        faces = super().detect(image)
        if self.always or faces[0].box.width == 30:
            raise ValueError("what is this?")
        return faces


def test_a_part_whose_few_photos_all_crash_costs_those_photos(tmp_path: Path) -> None:
    """A6: a container of two photos is a part of two photos."""
    source = write_archive(tmp_path / "src")
    home = source / "2.Validation" / "[원천]EMOIMG_기쁨_VALID"
    home.mkdir(parents=True)
    for shot in (20, 21):
        (home / photo_name(1, "기쁨", shot)).write_bytes(photo((20, 16, 30), seed=shot))
    options = {"detector": Raises(), "jobs": 1}
    fates = Counter(row["outcome"] for row in build(source, tmp_path / "out", **options).values())
    assert fates == {"kept": 60, "crashed": 2}
    assert fertools.verify(tmp_path / "out", quiet=True).ok


def test_a_detector_that_always_raises_is_not_believed(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    with pytest.raises(FertoolsError, match=r"ValueError: what is this\?.*not the photos"):
        build(source, tmp_path / "out", detector=Raises(always=True), jobs=1)
    assert not list(tmp_path.rglob("*.part"))

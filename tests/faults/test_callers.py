"""A build in somebody's Python process: their settings, processes and threads stay as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import pytest

import fertools
from fertools.errors import SourceError
from fertools.workers import pool
from fertools.workers.pool import watchdog
from fertools.workers.tasks import end_workers, run_tasks
from tests.fakes import BrightSpot, write_archive
from tests.faults.history import REPOSITORY, children
from tests.faults.test_crashes import Dies, Stops

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

#: Build SRC with two workers in a Python process; `{}` stands before and after it.
BUILD = """
from tests.fakes import BrightSpot
import fertools
def build(out="out", **options):
    options = {{"jobs": 2}} | options
    fertools.build_dataset("src", out, detector=BrightSpot(), size=16, quiet=True, **options)
{}
"""


def in_python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code beside an archive `src`, with `build` defined."""
    write_archive(folder / "src", people=4, shots=1)
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    names = ("LD_LIBRARY_PATH", "KMP_INIT_AT_FORK")
    return subprocess.run(
        [sys.executable, "-c", BUILD.format(code)],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in names} | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_opencv_has_its_threads_and_its_log_back_after_a_build(tmp_path: Path) -> None:
    """A4: one job runs in the caller's process, with one OpenCV thread and a silent log."""
    source = write_archive(tmp_path / "src", people=4, shots=1)
    log = cv2.utils.logging
    before = cv2.getNumThreads(), log.getLogLevel()
    try:
        cv2.setNumThreads(3)
        log.setLogLevel(log.LOG_LEVEL_ERROR)
        fertools.build_dataset(
            source, tmp_path / "out", detector=BrightSpot(), size=16, quiet=True, jobs=1
        )
        assert (cv2.getNumThreads(), log.getLogLevel()) == (3, log.LOG_LEVEL_ERROR)
        with pytest.raises(SourceError):
            list(run_tasks([raises], 1))
        assert (cv2.getNumThreads(), log.getLogLevel()) == (3, log.LOG_LEVEL_ERROR)
    finally:
        cv2.setNumThreads(before[0])
        log.setLogLevel(before[1])


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_environment_and_signals_are_as_before(tmp_path: Path, jobs: int) -> None:
    """T15: LD_LIBRARY_PATH is OpenCV's, KMP_INIT_AT_FORK joblib's."""
    done = in_python(
        tmp_path,
        f"""
import os, signal
def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    return dict(os.environ), handlers, signal.pthread_sigmask(signal.SIG_BLOCK, [])
before = state()
build(jobs={jobs})
assert state() == before, (before, state())
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_linux
@pytest.mark.slow
def test_no_worker_thread_or_semaphore_is_left_after_a_build(tmp_path: Path) -> None:
    """T15; Python's own resource trackers cannot be ended by public means."""
    done = in_python(
        tmp_path,
        """
import os, pathlib, threading
from tests.faults.history import children
build()
left = [said for said in children(os.getpid()).values() if "resource_tracker" not in said]
assert left == [], left
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
assert not list(pathlib.Path("/dev/shm").glob(f"*-{os.getpid()}-*"))
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_linux
@pytest.mark.slow
def test_a_build_with_one_job_starts_no_helper(tmp_path: Path) -> None:
    """T15."""
    done = in_python(
        tmp_path,
        """
import os
from tests.faults.history import children
build(jobs=1)
assert not children(os.getpid()), children(os.getpid())
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_interpreter_does_not_end_amid_the_removal_of_a_semaphore(tmp_path: Path) -> None:
    """T14: on a busy machine the queue's thread, a daemon, was cut off between two steps.

    It had removed the semaphore and had not told the resource tracker, which then reported
    "leaked semlock objects". Here that thread is slow and the interpreter ends between the steps.
    """
    done = in_python(
        tmp_path,
        """
import atexit, importlib, threading, time
from multiprocessing.connection import Connection
between = threading.Event()
def close(connection, plain=Connection.close):
    plain(connection)
    if threading.current_thread().daemon:
        time.sleep(0.5)
Connection.close = close
for home in ("loky", "joblib.externals.loky"):
    synchronize = importlib.import_module(f"{home}.backend.synchronize")
    def remove(name, plain=synchronize.sem_unlink):
        plain(name)
        if threading.current_thread().daemon:
            between.set()
            time.sleep(1)
    synchronize.sem_unlink = remove
build()
atexit.register(between.wait, 2)
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_another_pool_of_the_process_goes_on(tmp_path: Path) -> None:
    """joblib's reusable pool belongs to the caller: a build uses and ends its own."""
    done = in_python(
        tmp_path,
        """
import os, joblib
def pids():
    return set(joblib.Parallel(2)(joblib.delayed(os.getpid)() for _ in range(20)))
mine = set()
while len(mine) < 2:
    mine |= pids()
build()
for pid in mine:
    os.kill(pid, 0)
assert pids() <= mine
""",
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_linux
@pytest.mark.slow
def test_the_watchdog_ends_its_own_workers_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A5: a child that the caller has stopped is the caller's."""
    monkeypatch.setattr(pool, "watchdog", partial(watchdog, pause=0.05))
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            other.send_signal(signal.SIGSTOP)
            tasks = [Stops(tmp_path / str(i)) for i in range(2)]
            assert sorted(run_tasks(tasks, 2, isolate=True)) == ["0", "1"]
            assert other.poll() is None
        finally:
            end_workers()
            other.kill()


@pytest.mark.slow
def test_one_task_runs_apart_as_well(tmp_path: Path) -> None:
    """A task that dies must not take the caller's process along because there is only one."""
    assert list(run_tasks([Dies(tmp_path / "mark")], 2, isolate=True)) == ["mark"]
    end_workers()


def raises() -> None:
    try:
        raise OSError(5, "Input/output error", "사진.zip")
    except OSError as fault:
        raise SourceError("사진.zip cannot be read now: the same command continues") from fault


def raises_os_error() -> None:
    raise OSError(116, "Stale file handle", "사진.zip")


class Notes:
    """A task that takes a moment and leaves a file."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / str(number)

    def __call__(self) -> None:
        time.sleep(0.2)
        self.path.touch()


@needs_linux
@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_task_raises_arrives_whole_and_ends_the_run_at_once(
    tmp_path: Path, jobs: int
) -> None:
    others: list[Callable[[], None]] = [Notes(tmp_path, i) for i in range(40)]
    before = children(os.getpid()).keys()
    with pytest.raises(SourceError, match=r"^사진.zip cannot be read now: the same command"):
        tasks: list[Callable[[], object]] = [*others[:2], raises, *others[2:]]
        list(run_tasks(tasks, jobs, isolate=True))
    new = {p: said for p, said in children(os.getpid()).items() if p not in before}
    assert [said for said in new.values() if "resource_tracker" not in said] == []
    done = len(list(tmp_path.iterdir()))
    assert done < 20
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) == done
    with pytest.raises(OSError, match="Stale file handle") as caught:
        list(run_tasks([raises_os_error], jobs, isolate=True))
    assert (caught.value.errno, caught.value.filename) == (116, "사진.zip")

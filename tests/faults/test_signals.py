"""Ctrl-C, SIGTERM and SIGHUP in any stage: soon over, one line, its exit code, and on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes import write_archive
from tests.faults.history import COMMAND, REPOSITORY, digests, survivors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]

STOPPED = "fertools: stopped; the same command continues where it stopped"


def start(source: Path, out: Path, jobs: int) -> subprocess.Popen[str]:
    words = ["build-dataset", source, out, "--size", 16, "--jobs", jobs, "--shard-size", "3KB"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_each_signal_ends_a_build_in_any_stage(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    source = write_archive(tmp_path / "src", people=12, shots=4)
    with start(source, tmp_path / "fresh", 2) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        lasts = time.monotonic() - began
    dice, out, stopped = random.Random(number), tmp_path / "out", 0
    for attempt in range(5):
        with start(source, out, 2) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.1, 0.5) * lasts / (1 + attempt / 2))
            os.killpg(process.pid, number)
            _, said = process.communicate(timeout=60)
            if process.returncode != 0:
                assert process.returncode == code, said
                assert said.strip().splitlines()[-1] == STOPPED
                assert "Traceback" not in said
                stopped += 1
        assert survivors(process.pid) == {}
    assert stopped >= 1
    with start(source, out, 2) as process:
        assert process.wait() == 0
    assert digests(out) == digests(tmp_path / "fresh")


def interrupt() -> None:
    """Press Ctrl-C for the parent, from the worker that it has just started."""
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)


def test_ctrl_c_while_a_worker_starts_leaves_no_pool_to_wait_for() -> None:
    code = (
        "from fertools.workers import pool, tasks;"
        "from tests.faults.test_signals import interrupt;"
        "pool._ping = interrupt; list(tasks.run_isolated([int]))"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert b"KeyboardInterrupt" in said
    assert survivors(process.pid) == {}

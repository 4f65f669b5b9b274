"""A killed or refused export ends in the same bytes by the same command."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fertools import options as declared
from fertools.errors import OutputError
from tests.benchmarks.bench_report import repeat
from tests.exports.conftest import FORMAT1, contents
from tests.exports.test_export import every_format, exported
from tests.faults.conftest import ERRORS, Disk
from tests.faults.history import REPOSITORY, survivors


@every_format
def test_a_disk_that_refuses_is_one_line_and_the_same_bytes_afterwards(
    disk: Disk, tmp_path: Path, options: dict[str, Any]
) -> None:
    disk.reset(None)
    exported(FORMAT1, tmp_path / "fresh", **options)
    steps, whole = disk.asked.total(), contents(tmp_path / "fresh")
    assert set(disk.asked) == {"open", "write", "fsync", "rename", "mkdir"}
    points = [*random.Random(3).sample(range(steps), 12), *range(steps - 4, steps)]
    for number, at in enumerate(points):
        dest = tmp_path / f"dest {number}"
        disk.reset(at, ERRORS[number % len(ERRORS)])
        with pytest.raises(OutputError) as refused:
            exported(FORMAT1, dest, **options)
        assert "\n" not in str(refused.value)
        assert str(refused.value).endswith("the same command continues where it stopped")
        disk.reset(None)
        there = contents(dest) if dest.exists() else {}
        for name, data in there.items():  # under its final name a file is whole
            assert name.startswith(".export") or data == whole[name]
        exported(FORMAT1, dest, **options)
        assert contents(dest) == whole


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
@every_format
def test_kills_change_no_byte_and_leave_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(declared, "_FOLDERS_UNIT", 50_000)
    out, dest, dice = tmp_path / "out", tmp_path / "dest", random.Random(5)
    repeat(FORMAT1, out, 3000)
    options = options | {"jobs": 2} | ({"shard_size": "50KB"} if "shard_size" in options else {})
    code = (
        "import fertools, json, sys; from fertools import options;"
        "options._FOLDERS_UNIT = 50_000; out, dest, chosen = sys.argv[1:];"
        "fertools.export_dataset(out, dest, **json.loads(chosen))"
    )
    command = [sys.executable, "-c", code, str(out), str(dest), json.dumps(options)]
    kills = 0
    for finished in (0, 1, 2):
        with subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True) as process:
            _wait_for_units(dest, finished, process)
            time.sleep(dice.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            assert survivors(process.pid) == {}
    assert kills >= 1
    exported(out, dest, **options)
    exported(out, tmp_path / "fresh", **options)
    assert contents(dest) == contents(tmp_path / "fresh")


def _wait_for_units(dest: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many units are finished, or the process has ended."""
    while process.poll() is None and len([*dest.glob(".export/units/*")]) < 10 * number:
        time.sleep(0.002)

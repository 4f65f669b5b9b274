"""SIGKILL and SIGSTOP at any moment, of any process: the same command ends in the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes import write_archive
from tests.faults import history

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]


def test_twenty_kills_change_no_byte_and_leave_nobody_behind(tmp_path: Path) -> None:
    story = history.tell(tmp_path, kills=20, each=5)
    assert story.faults == []
    assert story.survivors == []
    assert story.killed("main") >= 4
    assert story.killed("worker, killed") >= 1
    assert story.killed("worker, stopped") >= 1
    assert set(story.endings) == {True}


def test_no_worker_is_left_to_wait_for_when_a_build_has_ended(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=6)
    code = (
        "from tests.faults.history import *;"
        f"build(Path({str(source)!r}), Path({str(tmp_path / 'out')!r})); time.sleep(1);"
        "print(workers(os.getpgrp()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=history.REPOSITORY,
        start_new_session=True,
        capture_output=True,
    )
    assert done.stdout == b"[]\n"

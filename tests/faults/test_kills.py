"""SIGKILL at any moment, of anybody: the same command goes on, to the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults import history

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc"),
]


def test_twenty_kills_change_no_byte_and_leave_nobody_behind(tmp_path: Path) -> None:
    story = history.tell(tmp_path, kills=20)
    assert story.faults == []
    assert story.survivors == []
    assert story.kills["main"] >= 4
    assert story.kills["worker"] >= 2
    assert set(story.endings) == {True}

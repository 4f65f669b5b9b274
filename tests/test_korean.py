"""The Korean lines: each belongs to a message that the package has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fertools
from fertools.cli.korean import HINTS, korean_hints

KOREAN = {"LANG": "ko_KR.UTF-8"}


def test_each_line_belongs_to_a_message() -> None:
    home = Path(fertools.__file__).parent
    sources = [file for file in home.rglob("*.py") if file.name != "korean.py"]
    text = "".join(file.read_text("utf-8") for file in sources)
    for part, hint in HINTS.items():
        assert part in text, part
        assert any("가" <= char <= "힣" for char in hint)


@pytest.mark.parametrize(
    ("environment", "korean"),
    [
        (KOREAN, True),
        ({"LC_ALL": "C", **KOREAN}, False),
        ({"LC_MESSAGES": "ko_KR", "LANG": "C"}, True),
        ({}, False),
    ],
)
def test_only_a_korean_user_gets_them(environment: dict[str, str], korean: bool) -> None:
    lines = korean_hints("faces/x: the disk is full: make room", environment)
    assert (lines == [HINTS["the disk is full"]]) == korean


def test_a_korean_line_follows_the_message(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "fertools", "stats", str(tmp_path)],
        env={**os.environ, "LC_ALL": "ko_KR.UTF-8", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    message, hint = done.stderr.splitlines()
    assert message.startswith("fertools: ")
    assert hint == HINTS["holds no photo that can be used"]
    assert done.returncode == 1

"""The examples run as they are, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fertools
from tests.fakes import BrightSpot, write_archive

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_read_shards(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    look = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, tmp_path / "out", **look)  # type: ignore[arg-type]
    shown = run("read_shards.py", tmp_path / "out", "train").split()
    assert shown[:5] == ["48", "images", "of", "(16,", "16,"]
    assert shown[shown.index("기쁨") - 1] == "16"


@pytest.mark.parametrize(
    "name", [pytest.param("read_shards.py", marks=pytest.mark.slow), "own_detector.py"]
)
def test_a_missing_argument_is_one_line(name: str) -> None:
    """T15: it was an IndexError."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "faces"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("give the ")


def test_own_detector(tmp_path: Path) -> None:
    fertools.make_sample(tmp_path / "src", people=4, photos=16, megapixels=0.3)
    shown = run("own_detector.py", tmp_path / "src", tmp_path / "out")
    assert "examples of" in shown

"""Progress fits into its terminal, and tables line up, Korean or not."""

from __future__ import annotations

from collections import Counter

import pytest
from tqdm import tqdm

from fertools.console import Progress, _bar_format, display_width, table


@pytest.mark.parametrize(("width", "last"), [(40, "left"), (60, "left"), (80, "dropped 100000")])
def test_the_end_of_the_bar_is_not_cut(width: int, last: str) -> None:
    """T15: 40 columns cut off the time that is left."""
    line = tqdm.format_meter(
        n=400_000,
        total=500_000,
        elapsed=4 * 3600,
        ncols=width,
        prefix="faces",
        unit=" photos",
        postfix="kept 300000, dropped 100000",
        bar_format=_bar_format(width),
    )
    assert len(line) <= width
    assert line.rstrip().endswith(last)
    assert "400000/500000, 1:00:00 left" in line


def test_a_wide_terminal_has_tqdms_own_bar() -> None:
    assert _bar_format(120) is None


def test_lines_show_outcomes_and_not_the_rate_of_an_earlier_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Progress("faces", 100, unit="photos", quiet=False, done=50) as shown:
        shown.add(10, Counter(kept=8, no_face=2))
        now[0] += 10
        shown.add(10, Counter(kept=10))
    assert (
        capsys.readouterr().err.splitlines()
        == ["faces: 70 of 100 photos, 2.0/s, 0:00:15 left, kept 18, dropped 2"] * 2
    )


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("faces", 2, unit="photos", quiet=True, pause=0) as shown:
        shown.add(1)
        shown.print("a line")
    assert capsys.readouterr().err == ""


def test_a_hangul_syllable_takes_two_columns() -> None:
    assert display_width("기쁨 joy") == 8
    assert display_width("joy") == 3


def test_columns_line_up_and_the_foot_has_a_rule() -> None:
    rows = [("기쁨 joy", 1200, 0.5), ("hurt", 7, 12.25), ("all", 1207, "")]
    assert table(("class", "n", "%"), rows, foot=True).splitlines() == [
        "class         n      %",
        "────────  ─────  ─────",
        "기쁨 joy  1,200   0.50",
        "hurt          7  12.25",
        "────────  ─────  ─────",
        "all       1,207",
    ]


def test_control_characters_are_escaped_and_counted() -> None:
    """V15: an escape sequence takes the columns of its escaped form, in heads too."""
    assert table(("a\x1b[2J", "n"), [("b\nc\u202e", 1)]).splitlines() == [
        r"a\x1b[2J    n",
        "──────────  ─",
        r"b\nc\u202e  1",
    ]

"""Tables line up, Korean or not."""

from __future__ import annotations

from fertools.console import columns, table


def test_a_hangul_syllable_takes_two_columns() -> None:
    assert columns("기쁨 joy") == 8
    assert columns("joy") == 3


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

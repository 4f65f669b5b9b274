"""What a build shows while it runs fits into its terminal."""

from __future__ import annotations

import pytest
from tqdm import tqdm

from fertools.console import _bar_format


@pytest.mark.parametrize(("columns", "last"), [(40, "left"), (60, "left"), (80, "dropped 100000")])
def test_the_end_of_the_bar_is_not_cut(columns: int, last: str) -> None:
    """T15: 40 columns cut off the time that is left."""
    line = tqdm.format_meter(
        n=400_000,
        total=500_000,
        elapsed=4 * 3600,
        ncols=columns,
        prefix="faces",
        unit=" photos",
        postfix="kept 300000, dropped 100000",
        bar_format=_bar_format(columns),
    )
    assert len(line) <= columns
    assert line.rstrip().endswith(last)
    assert "400000/500000, 1:00:00 left" in line


def test_a_wide_terminal_has_tqdms_own_bar() -> None:
    assert _bar_format(120) is None

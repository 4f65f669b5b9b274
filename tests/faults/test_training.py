"""SIGKILL while a network is trained: the same command continues, to the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import training


@pytest.mark.slow
def test_three_kills_end_in_the_run_of_an_undisturbed_training(tmp_path: Path) -> None:
    """V5: twenty with `python -m tests.faults.training 20`."""
    story = training.tell(tmp_path, kills=3, seed=3)
    assert story.faults == []
    assert story.endings == {True: 3}

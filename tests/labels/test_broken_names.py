"""Korean names in another encoding: unpacking tools take CP949 for something else."""

from __future__ import annotations

import pytest

from fertools.errors import SourceError
from fertools.labels.broken_names import first_broken, repaired
from fertools.labels.filename import EMOTIONS
from fertools.labels.labeller import Labeller
from fertools.options import LabelOptions


@pytest.mark.parametrize("taken_for", ["latin-1", "cp437", "cp850"])
@pytest.mark.parametrize("written_in", ["cp949", "utf-8"])
def test_every_emotion_is_recognised(taken_for: str, written_in: str) -> None:
    for word in EMOTIONS:
        broken = word.encode(written_in).decode(taken_for)
        assert repaired(broken) == word


@pytest.mark.parametrize("name", ["기쁨", "happy", "café", "Ångström", "Müller", "日本", ""])
def test_other_names_are_left_alone(name: str) -> None:
    assert repaired(name) is None


def test_broken_folders_are_one_line_that_says_what_to_do() -> None:
    broken = [f"{word}/1.jpg".encode("cp949").decode("cp437") for word in ("기쁨", "슬픔")]
    labeller = Labeller.of(LabelOptions(), broken)
    assert labeller.warnings[0].startswith(f"names look broken: {broken[0][:-6]} is 기쁨: give the")
    with pytest.raises(SourceError, match=r"names look broken: .* is 기쁨"):
        Labeller.of(LabelOptions(), broken[:1])
    assert first_broken(["a/b.jpg"]) is None

"""The annotators: as often of the name's opinion as those of the archive."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product

import pytest

from fertools.data import Box
from fertools.sample.people import EXPRESSIONS
from fertools.sample.schedule import schedule
from fertools.sample.storage import label_record

FACE = Box(100, 120, 300, 380)
SHOTS = schedule(0, 30, 7000)
RECORDS = [label_record(0, shot, FACE) for shot in SHOTS.training + SHOTS.validation]


@pytest.mark.parametrize(
    ("emotion", "share"), [("기쁨", 0.975), ("중립", 0.946), ("당황", 0.775), ("불안", 0.378)]
)
def test_majorities_agree_as_published(emotion: str, share: float) -> None:
    mine = [r for r in RECORDS if r["faceExp_uploader"] == emotion]
    agreed = sum(sum(r[f"annot_{a}"]["faceExp"] == emotion for a in "ABC") >= 2 for r in mine)
    assert agreed / len(mine) == pytest.approx(share, abs=0.05)


def test_votes_are_emotions_or_unknown() -> None:
    votes = Counter(r[f"annot_{a}"]["faceExp"] for r, a in product(RECORDS, "ABC"))
    assert set(votes) == {*EXPRESSIONS, "알수없음"}
    assert votes["알수없음"] < 0.06 * len(RECORDS) * 3


def test_annotators_boxes_are_near_the_face_and_never_alike() -> None:
    for r in islice(RECORDS, 200):
        boxes = [tuple(r[f"annot_{a}"]["boxes"].values()) for a in "ABC"]
        assert len(set(boxes)) == 3
        for x0, y0, x1, y1 in boxes:
            assert abs(x0 - 100) + abs(y0 - 120) + abs(x1 - 300) + abs(y1 - 380) < 70

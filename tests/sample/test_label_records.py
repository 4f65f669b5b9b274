"""The annotators: as often of the name's opinion as those of the archive."""

from __future__ import annotations

from collections import Counter
from itertools import islice, product

import numpy as np
import pytest

from fertools.data import Box
from fertools.labels.filename import EMOTIONS
from fertools.sample.annotators import VOTES, confusion
from fertools.sample.people import EXPRESSIONS
from fertools.sample.schedule import schedule
from fertools.sample.storage import label_record
from fertools.votes.dawid_skene import fit
from tests.votes.drawn import calibration_error

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


def test_the_known_matrices_are_found_in_the_votes_of_5000_photos() -> None:
    assert [*VOTES] == [*EMOTIONS]
    counts, shown = np.zeros((5000, 7), np.int64), np.zeros(5000, np.int64)
    for photo, record in enumerate(RECORDS[:5000]):
        shown[photo] = [*EMOTIONS].index(record["faceExp_uploader"])
        words = [record[f"annot_{a}"]["faceExp"] for a in "ABC"]
        counts[photo] = [words.count(emotion) for emotion in EMOTIONS]
    model = fit(counts, shown)
    assert model.uploader is not None
    assert np.abs(model.annotator - confusion()).max() <= 0.03
    assert np.abs(model.uploader - np.eye(7)).max() <= 0.03
    assert calibration_error(model.posterior(counts, shown), shown) <= 0.03
    alone = fit(counts)
    assert calibration_error(alone.posterior(counts), shown) <= 0.03

"""Who decides: the name, or as many annotators as were asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from fertools.columns import Words
from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError
from fertools.labels.annotations import Annotations
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS
from fertools.labels.labeller import Labeller
from fertools.labels.votes import (
    SLOTS,
    Agreement,
    Likely,
    VoteTable,
    decide_emotion,
)
from fertools.options import LabelOptions
from tests.labels.label_json import entry, label_file

Votes = tuple[str | None, ...]

CANNOT_TELL = "알수없음"
TWO = ("슬픔", "불안", "슬픔")
THREE = ("슬픔", "슬픔", "슬픔")
SPREAD = ("불안", "슬픔", CANNOT_TELL)
LONE = (None, "슬픔", CANNOT_TELL)
NONE = (CANNOT_TELL, None, CANNOT_TELL)


def table_of(*records: tuple[str | None, Votes] | None) -> VoteTable:
    """Make the table of photos with these uploaders and votes, through a label file."""
    entries = [
        entry(f"{i}.jpg", record[1], uploader=record[0])
        for i, record in enumerate(records)
        if record
    ]
    found = Annotations.of([("labels.json", label_file(*entries))])
    return VoteTable.of((found.said(f"x/{i}.jpg") for i in range(len(records))), len(records))


@pytest.mark.parametrize(
    ("labels", "two", "three", "spread", "lone"),
    [
        ("name", "불안", "불안", "불안", "불안"),
        ("majority", "슬픔", "슬픔", None, None),
        ("unanimous", None, "슬픔", None, None),
        ("at-least:1", "슬픔", "슬픔", "불안", "슬픔"),  # of a tie the name's word
        ("at-least:2", "슬픔", "슬픔", None, None),
        ("at-least:3", None, "슬픔", None, None),
    ],
)
def test_as_many_of_three_as_were_asked_for(
    labels: str, two: str | None, three: str | None, spread: str | None, lone: str | None
) -> None:
    cases: tuple[tuple[Votes, str | None], ...] = (
        (TWO, two),
        (THREE, three),
        (SPREAD, spread),
        (LONE, lone),
    )
    for found, emotion in cases:
        answer = decide_emotion(LabelOptions(labels=labels), "불안", found)
        assert (None if isinstance(answer, Drop) else answer) == emotion
        kept = decide_emotion(LabelOptions(labels=labels, disputed="keep"), "불안", found)
        assert kept == (emotion or "불안")


def test_a_tie_without_the_names_word_decides_nothing() -> None:
    tie = ("슬픔", "상처", CANNOT_TELL)
    assert isinstance(decide_emotion(LabelOptions(labels="at-least:1"), "불안", tie), Drop)


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        ((CANNOT_TELL, "슬픔", "불안"), "불안 1, 슬픔 1, 알수없음 1"),
        ((CANNOT_TELL, CANNOT_TELL, "슬픔"), "슬픔 1, 알수없음 2"),
        ((None, "중립", "기쁨"), "기쁨 1, 중립 1, no vote 1"),
        (("기쁨", "중립", "중립"), "중립 2, 기쁨 1"),
        (("중립", CANNOT_TELL, None), "중립 1, no vote 1, 알수없음 1"),
        (NONE, "알수없음 2, no vote 1"),
        (None, "no label record tells what the annotators saw"),
    ],
)
def test_a_disputed_photo_tells_the_votes(found: Votes | None, detail: str) -> None:
    drop = decide_emotion(LabelOptions(labels="unanimous"), "불안", found)
    assert drop == Drop(Reason.DISPUTED, detail)
    assert (
        decide_emotion(LabelOptions(labels="unanimous", disputed="keep"), "불안", found) == "불안"
    )
    assert decide_emotion(LabelOptions(), "불안", found) == "불안"


def test_votes_label_a_photo_whose_name_says_nothing() -> None:
    assert decide_emotion(LabelOptions(labels="majority"), None, TWO) == "슬픔"
    assert decide_emotion(LabelOptions(labels="majority", disputed="keep"), None, SPREAD) is None


@pytest.mark.parametrize(
    ("probability", "answer"),
    [
        (0.8, "슬픔"),
        (0.7999, Drop(Reason.DISPUTED, "슬픔 2, 불안 1; most likely 슬픔, 0.800")),
    ],
)
def test_a_probability_decides_where_it_is_asked_for(
    probability: float, answer: str | Drop
) -> None:
    options, likely = LabelOptions(labels="posterior:0.8"), Likely("슬픔", probability)
    assert decide_emotion(options, "불안", TWO, likely) == answer
    kept = decide_emotion(replace(options, disputed="keep"), "불안", TWO, likely)
    assert kept == ("슬픔" if answer == "슬픔" else "불안")
    assert decide_emotion(options, "불안", None, likely) == Drop(
        Reason.DISPUTED, "no label record tells what the annotators saw"
    )


@pytest.mark.parametrize("named", EMOTIONS)
def test_whatever_the_votes_the_verdict_is_one_of_them_or_none(named: str) -> None:
    words = [*list(EMOTIONS)[:3], CANNOT_TELL, None]
    for votes in product(words, repeat=3):
        majority = decide_emotion(LabelOptions(labels="majority"), named, votes)
        counts = {word: votes.count(word) for word in votes if word in EMOTIONS}
        assert [majority] == [word for word in counts if counts[word] >= 2] or (
            isinstance(majority, Drop) and max(counts.values(), default=0) < 2
        )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"labels": "at-least:11"}, "--labels at-least:11: choose name, majority, unanimous"),
        ({"labels": "at-least:0"}, "at-least:1, at-least:2 or at-least:3"),
        ({"labels": ""}, "--labels : choose"),
        ({"labels": "posterior:0.8", "classes": "folders"}, "use --labels name"),
        ({"disputed": "ask"}, "--disputed ask: choose drop or keep"),
        ({"labels": "majority", "classes": "folders"}, "use --labels name"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(options: dict[str, str], text: str) -> None:
    with pytest.raises(OptionError) as error:
        LabelOptions(**options)  # type: ignore[arg-type]
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_annotators_know_no_class_folders() -> None:
    with pytest.raises(OptionError, match="folders"):
        Labeller.of(LabelOptions(labels="majority"), ["tense/1.jpg", "loose/2.jpg"])
    assert Labeller.of(LabelOptions(labels="majority"), ["기쁨/1.jpg"]).options.rule.votes == 2


def test_votes_are_the_annotators_alone_and_the_uploader_stands_apart() -> None:
    classes = ClassMap.of(LabelOptions("aihub7"), ())
    table, rows = table_of(("불안", TWO), (CANNOT_TELL, SPREAD), None, (None, NONE)), np.arange(4)
    assert table.votes(rows, classes).tolist() == [
        [0, 0, 0, 1, 0, 2, 0],
        [0, 0, 0, 1, 0, 1, 0],
        [0] * 7,
        [0] * 7,
    ]
    assert table.uploader(rows, classes).tolist() == [3, -1, -1, -1]
    assert table.recorded.tolist() == [True, True, False, True]


def test_cannot_tell_and_no_vote_are_kept_apart() -> None:
    table = table_of((CANNOT_TELL, LONE), None, (None, NONE))
    assert [table.words(slot, 0, 3).to_pylist() for slot in SLOTS] == [
        [CANNOT_TELL, None, None],
        [None, None, CANNOT_TELL],
        ["슬픔", None, None],
        [CANNOT_TELL, None, CANNOT_TELL],
    ]


def test_a_pattern_is_what_was_said() -> None:
    table = table_of(
        ("불안", TWO), None, ("불안", TWO), ("불안", NONE), ("슬픔", TWO), (None, NONE)
    )
    patterns = table.patterns()
    assert patterns[0] == patterns[2]
    assert len(set(patterns.tolist())) == 5
    assert [table.spoken(row) for row in (0, 1, 3)] == [[*TWO], None, [*NONE]]


def test_an_archive_without_records_has_a_table_that_says_nothing() -> None:
    table = VoteTable.empty(2)
    assert table.words("annot_a", 0, 2).to_pylist() == [None, None]
    assert not table.recorded.any()


def test_votes_follow_renames_and_forget_what_is_dropped() -> None:
    joined = ClassMap.of(LabelOptions("aihub7", rename=("불안=불편", "상처=불편")), ())
    table, rows = table_of(("상처", ("불안", "상처", "슬픔"))), np.arange(1)
    at = joined.names.index("불편")
    assert table.votes(rows, joined)[0, at] == 2
    assert table.uploader(rows, joined).tolist() == [at]
    talk = ClassMap.of(LabelOptions("talk5"), ())
    assert table.votes(rows, talk).tolist() == [[0, 0, 0, 0, 1]]
    assert table.uploader(rows, talk).tolist() == [-1]
    assert talk.class_of(Label("슬픔")) == 4


def test_agreement_is_counted_by_the_names_emotion() -> None:
    photos: list[tuple[str | None, Votes | None]] = [
        ("불안", TWO),
        ("불안", ("불안", "불안", None)),
        ("불안", ("불안", "불안", "불안")),
        ("불안", NONE),
        ("슬픔", TWO),
        ("슬픔", THREE),
        ("기쁨", None),
        (None, THREE),
        ("놀람", THREE),
    ]
    words = sorted({name for name, _ in photos if name})
    codes = [words.index(name) if name else -1 for name, _ in photos]
    table = table_of(*(("상처", votes) if votes else None for _, votes in photos))
    agreement = table.agreement(Words(np.array(codes, np.int32), words))
    assert agreement == {
        "불안": Agreement(records=4, majority=2, unanimous=1),
        "슬픔": Agreement(records=2, majority=2, unanimous=1),
    }
    assert list(agreement) == ["불안", "슬픔"]

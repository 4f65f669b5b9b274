"""Who decides: the name, or as many annotators as were asked for."""

from __future__ import annotations

from itertools import product

import pytest

from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError
from fertools.labels.annotations import Agreement, count_agreement, decide_emotion, vote_counts
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS
from fertools.labels.labeller import Labeller
from fertools.labels.records import LabelRecord
from fertools.options import LabelOptions, LabelSource

Votes = tuple[str | None, str | None, str | None]


def record(*votes: str | None, uploader: str | None = "불안") -> LabelRecord:
    return LabelRecord("a.jpg", uploader, votes, ())


TWO = record("슬픔", "불안", "슬픔")
THREE = record("슬픔", "슬픔", "슬픔")
SPREAD = record("불안", "슬픔", None)
LONE = record(None, "슬픔", None)
NONE = record(None, None, None)


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
    labels: LabelSource, two: str | None, three: str | None, spread: str | None, lone: str | None
) -> None:
    for found, emotion in ((TWO, two), (THREE, three), (SPREAD, spread), (LONE, lone)):
        answer = decide_emotion(LabelOptions(labels=labels), "불안", found)
        assert (None if isinstance(answer, Drop) else answer) == emotion
        kept = decide_emotion(LabelOptions(labels=labels, disputed="keep"), "불안", found)
        assert kept == (emotion or "불안")


def test_a_tie_without_the_names_word_decides_nothing() -> None:
    tie = record("슬픔", "상처", None)
    assert isinstance(decide_emotion(LabelOptions(labels="at-least:1"), "불안", tie), Drop)


@pytest.mark.parametrize(
    ("found", "detail"),
    [
        (record(None, "슬픔", "불안"), "불안 1, 슬픔 1, 알수없음 1"),
        (record(None, None, "슬픔"), "슬픔 1, 알수없음 2"),
        (record(None, "중립", "기쁨"), "기쁨 1, 중립 1, 알수없음 1"),
        (record("기쁨", "중립", "중립"), "중립 2, 기쁨 1"),
        (record("중립", None, None), "중립 1, 알수없음 2"),
        (NONE, "알수없음 3"),
        (None, "no label record tells what the annotators saw"),
    ],
)
def test_a_disputed_photo_tells_the_votes(found: LabelRecord | None, detail: str) -> None:
    drop = decide_emotion(LabelOptions(labels="unanimous"), "불안", found)
    assert drop == Drop(Reason.DISPUTED, detail)
    assert (
        decide_emotion(LabelOptions(labels="unanimous", disputed="keep"), "불안", found) == "불안"
    )
    assert decide_emotion(LabelOptions(), "불안", found) == "불안"


def test_the_uploader_is_no_voter() -> None:
    one = record("슬픔", "상처", "불안", uploader="슬픔")
    assert isinstance(decide_emotion(LabelOptions(labels="majority"), "슬픔", one), Drop)


def test_votes_label_a_photo_whose_name_says_nothing() -> None:
    assert decide_emotion(LabelOptions(labels="majority"), None, TWO) == "슬픔"
    assert decide_emotion(LabelOptions(labels="majority", disputed="keep"), None, SPREAD) is None


@pytest.mark.parametrize("named", EMOTIONS)
def test_whatever_the_votes_the_verdict_is_one_of_them_or_none(named: str) -> None:
    words = [*list(EMOTIONS)[:3], None]
    for votes in product(words, repeat=3):
        one = record(*votes)
        majority = decide_emotion(LabelOptions(labels="majority"), named, one)
        counts = {word: votes.count(word) for word in votes if word}
        assert [majority] == [word for word in counts if counts[word] >= 2] or (
            isinstance(majority, Drop) and max(counts.values(), default=0) < 2
        )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"labels": "at-least:4"}, "--labels at-least:4: choose name, majority, unanimous"),
        ({"labels": "at-least:0"}, "at-least:1, at-least:2 or at-least:3"),
        ({"labels": ""}, "--labels : choose"),
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
    assert Labeller.of(LabelOptions(labels="majority"), ["기쁨/1.jpg"]).options.votes_needed == 2


def test_a_soft_label_counts_annotators_and_uploader() -> None:
    classes = ClassMap.of(LabelOptions("aihub7"), ())
    assert vote_counts(TWO, classes) == (0, 0, 0, 2, 0, 2, 0)
    assert vote_counts(SPREAD, classes) == (0, 0, 0, 2, 0, 1, 0)
    assert vote_counts(None, classes) == (0,) * 7


def test_a_soft_label_follows_renames_and_forgets_what_is_dropped() -> None:
    joined = ClassMap.of(LabelOptions("aihub7", rename=("불안=불편", "상처=불편")), ())
    both = record("불안", "상처", "슬픔")
    assert vote_counts(both, joined)[joined.names.index("불편")] == 3
    talk = ClassMap.of(LabelOptions("talk5"), ())
    assert vote_counts(both, talk) == (0, 0, 0, 0, 1)
    assert talk.class_of(Label("슬픔")) == 4


def test_agreement_is_counted_by_the_names_emotion() -> None:
    photos = [
        ("불안", TWO),
        ("불안", record("불안", "불안", None)),
        ("불안", record("불안", "불안", "불안")),
        ("불안", NONE),
        ("슬픔", TWO),
        ("슬픔", THREE),
        ("기쁨", None),
        (None, THREE),
        ("놀람", THREE),
    ]
    assert count_agreement(photos) == {
        "불안": Agreement(records=4, majority=2, unanimous=1),
        "슬픔": Agreement(records=2, majority=2, unanimous=1),
    }
    assert list(count_agreement(photos)) == ["불안", "슬픔"]

"""Class sets, renames and drops: which emotion becomes which class."""

from __future__ import annotations

import pytest

from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError, SourceError
from fertools.labels import EMOTIONS, ClassMap, LabelRule

NAMED = "a_여_30_기쁨_20210202.jpg"


def classes(rule: LabelRule, *emotions: str) -> ClassMap:
    return ClassMap.of(rule, emotions)


def test_the_archives_seven_stand_in_its_own_order_with_english_beside() -> None:
    found = classes(LabelRule("aihub7"))
    assert found.names == ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")
    assert found.english[:3] == ("joy", "embarrassment", "anger")
    assert [found.class_of(Label(e)) for e in EMOTIONS] == list(range(7))


def test_the_talks_five_rename_two_and_drop_two() -> None:
    found = classes(LabelRule("talk5"))
    assert found.names == ("짜증", "당황", "행복", "중립", "슬픔")
    assert found.class_of(Label("분노")) == 0
    assert found.class_of(Label("기쁨")) == 2
    dropped = found.class_of(Label("불안"))
    assert isinstance(dropped, Drop)
    assert dropped.reason is Reason.CLASS_DROPPED
    assert "불안" in dropped.detail


def test_renames_may_join_classes() -> None:
    rule = LabelRule("aihub7", rename=("불안=불편", "hurt=불편"))
    found = classes(rule)
    assert found.names == ("기쁨", "당황", "분노", "불편", "슬픔", "중립")
    assert found.class_of(Label("상처")) == found.class_of(Label("불안")) == 3


def test_a_drop_counts_after_the_rename() -> None:
    found = classes(LabelRule("aihub7", rename=("불안=불편",), drop=("불편", "anger")))
    assert found.names == ("기쁨", "당황", "상처", "슬픔", "중립")
    assert isinstance(found.class_of(Label("불안")), Drop)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (LabelRule("aihub7", drop=("기븜",)), "--drop 기븜: no such class"),
        (LabelRule("aihub7", drop=("ange",)), "did you mean anger?"),
        (LabelRule("talk5", rename=("불안=x",)), "--rename 불안: no such class"),
        (LabelRule("talk5", drop=("짜증", "당황", "행복", "중립")), "only 1 class is left"),
    ],
)
def test_what_cannot_be_meant_names_what_there_is(rule: LabelRule, text: str) -> None:
    with pytest.raises(OptionError) as error:
        classes(rule)
    assert text in str(error.value)


@pytest.mark.parametrize("pair", ["기쁨", "=x", "기쁨=", ""])
def test_a_rename_needs_both_sides(pair: str) -> None:
    with pytest.raises(OptionError, match="OLD=NEW"):
        LabelRule(rename=(pair,))


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(OptionError, match="aihub8"):
        LabelRule("aihub8")


def test_auto_takes_the_archives_classes_where_a_name_follows_the_grammar() -> None:
    rule = LabelRule().resolve([f"x/{NAMED}", "x/IMG_1.jpg", "y/IMG_2.jpg"])
    assert rule.classes == "aihub7"
    assert rule.label(f"x/{NAMED}").emotion == "기쁨"
    assert rule.label("x/IMG_1.jpg") == Label()


def test_auto_takes_folders_of_other_words_as_the_classes() -> None:
    keys = ["happy/1.jpg", "neutral/2.jpg", "angry/3.jpg"]
    rule = LabelRule().resolve(keys)
    assert rule.classes == "folders"
    found = ClassMap.of(rule, [rule.label(k).emotion for k in keys])
    assert found.names == ("angry", "happy", "neutral")
    assert found.class_of(rule.label("happy/1.jpg")) == 1


def test_auto_keeps_the_archives_classes_for_folders_named_by_emotions() -> None:
    rule = LabelRule().resolve(["슬픔/1.jpg", "joy/2.jpg"])
    assert rule.classes == "aihub7"
    assert [rule.label(k).emotion for k in ("슬픔/1.jpg", "joy/2.jpg")] == ["슬픔", "기쁨"]


def test_folders_keep_the_subject_that_a_name_says() -> None:
    label = LabelRule("folders").label(f"tense/{NAMED}")
    assert (label.emotion, label.subject) == ("tense", "a")


def test_photos_that_say_nothing_are_refused() -> None:
    with pytest.raises(SourceError, match="one folder per class"):
        LabelRule().resolve(["x/1.jpg", "x/2.jpg"])


def test_an_unknown_emotion_is_a_row_that_names_it() -> None:
    drop = classes(LabelRule("aihub7")).class_of(Label("놀람"))
    assert isinstance(drop, Drop)
    assert (drop.reason, "놀람" in drop.detail) == (Reason.NO_LABEL, True)

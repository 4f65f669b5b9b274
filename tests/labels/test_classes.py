"""Class sets, renames and drops: which emotion becomes which class."""

from __future__ import annotations

import pytest

from fertools.data import Drop, Label, Reason
from fertools.errors import OptionError
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS
from fertools.labels.labeller import Labeller
from fertools.options import LabelOptions

NAMED = "a_여_30_기쁨_20210202.jpg"


def classes(options: LabelOptions, *emotions: str) -> ClassMap:
    return ClassMap.of(options, emotions)


def test_the_archives_seven_stand_in_its_own_order_with_english_beside() -> None:
    found = classes(LabelOptions("aihub7"))
    assert found.names == ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")
    assert found.english[:3] == ("joy", "embarrassment", "anger")
    assert [found.class_of(Label(e)) for e in EMOTIONS] == list(range(7))


def test_the_talks_five_rename_two_and_drop_two() -> None:
    found = classes(LabelOptions("talk5"))
    assert found.names == ("짜증", "당황", "행복", "중립", "슬픔")
    assert found.class_of(Label("분노")) == 0
    assert found.class_of(Label("기쁨")) == 2
    dropped = found.class_of(Label("불안"))
    assert isinstance(dropped, Drop)
    assert dropped.reason is Reason.CLASS_DROPPED
    assert "불안" in dropped.detail


def test_renames_may_join_classes() -> None:
    options = LabelOptions("aihub7", rename=("불안=불편", "hurt=불편"))
    found = classes(options)
    assert found.names == ("기쁨", "당황", "분노", "불편", "슬픔", "중립")
    assert found.class_of(Label("상처")) == found.class_of(Label("불안")) == 3


def test_a_drop_counts_after_the_rename() -> None:
    found = classes(LabelOptions("aihub7", rename=("불안=불편",), drop=("불편", "anger")))
    assert found.names == ("기쁨", "당황", "상처", "슬픔", "중립")
    assert isinstance(found.class_of(Label("불안")), Drop)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (LabelOptions("aihub7", drop=("기븜",)), "--drop 기븜: no such class"),
        (LabelOptions("aihub7", drop=("ange",)), "did you mean anger?"),
        (LabelOptions("talk5", rename=("불안=x",)), "--rename 불안: no such class"),
        (LabelOptions("talk5", drop=("짜증", "당황", "행복", "중립")), "only 1 class is left"),
    ],
)
def test_what_cannot_be_meant_names_what_there_is(options: LabelOptions, text: str) -> None:
    with pytest.raises(OptionError) as error:
        classes(options)
    assert text in str(error.value)


@pytest.mark.parametrize("pair", ["기쁨", "=x", "기쁨=", ""])
def test_a_rename_needs_both_sides(pair: str) -> None:
    with pytest.raises(OptionError, match="OLD=NEW"):
        LabelOptions(rename=(pair,))


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(OptionError, match="aihub8"):
        LabelOptions("aihub8")  # type: ignore[arg-type]


def test_auto_takes_the_archives_classes_where_a_name_follows_the_grammar() -> None:
    found = Labeller.of(LabelOptions(), [f"x/{NAMED}", "x/IMG_1.jpg", "y/IMG_2.jpg"])
    assert found.options.classes == "aihub7"
    assert found.label(f"x/{NAMED}").emotion == "기쁨"
    assert found.label("x/IMG_1.jpg") == Label()


def test_auto_takes_folders_of_other_words_as_the_classes() -> None:
    keys = ["happy/1.jpg", "neutral/2.jpg", "angry/3.jpg"]
    labeller = Labeller.of(LabelOptions(), keys)
    assert labeller.options.classes == "folders"
    found = ClassMap.of(labeller.options, [labeller.label(k).emotion for k in keys])
    assert found.names == ("angry", "happy", "neutral")
    assert found.class_of(labeller.label("happy/1.jpg")) == 1


def test_folders_keep_the_subject_that_a_name_says() -> None:
    label = Labeller.of(LabelOptions("folders"), [f"tense/{NAMED}"]).label(f"tense/{NAMED}")
    assert (label.emotion, label.subject) == ("tense", "a")


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "a\0b", "\udcff", " a", ""])
def test_a_class_that_the_label_file_cannot_hold_is_refused_before_the_work(name: str) -> None:
    """V7, T3: this was a ValueError of the last stage, after all faces had been found."""
    with pytest.raises(OptionError, match="one line of text") as error:
        classes(LabelOptions("folders"), "sad", name or " ")
    assert "\n" not in str(error.value)


def test_a_rename_cannot_make_such_a_class_and_can_cure_one() -> None:
    """V7: a line break in NEW, and one in a folder's name."""
    with pytest.raises(OptionError, match="one line of text"):
        classes(LabelOptions("aihub7", rename=("기쁨=a\nb",)))
    found = classes(LabelOptions("folders", rename=("a\nb=ab",)), "a\nb", "sad")
    assert found.names == ("ab", "sad")


def test_one_text_is_one_value_and_a_dict_is_renames() -> None:
    """T13, A9: `drop="hurt"` was taken letter by letter, a dict was refused."""
    options = LabelOptions("aihub7", drop="hurt", rename={"불안": "불편", "당황": "불편"})  # type: ignore[arg-type]
    assert options.drop == ("hurt",)
    assert options.rename == ("불안=불편", "당황=불편")
    assert classes(options).names == ("기쁨", "불편", "분노", "슬픔", "중립")


def test_an_unknown_emotion_is_a_row_that_names_it() -> None:
    drop = classes(LabelOptions("aihub7")).class_of(Label("놀람"))
    assert isinstance(drop, Drop)
    assert (drop.reason, "놀람" in drop.detail) == (Reason.NO_LABEL, True)

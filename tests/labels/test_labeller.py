"""T2: the class of a photo in a tree of folders is what a person would say it is."""

from __future__ import annotations

import random

import pytest

from fertools.data import Label
from fertools.errors import SourceError
from fertools.labels.labeller import Labeller
from fertools.options import LabelOptions

#: A tree's photos with the class and the person that each must have.
Tree = dict[str, tuple[str | None, str | None]]

AIHUB: dict[str, Tree] = {
    "the archive's words at the top": {"슬픔/1.jpg": ("슬픔", None), "joy/2.jpg": ("기쁨", None)},
    "persons below them": {
        "기쁨/anna/1.jpg": ("기쁨", "anna"),
        "기쁨/ben/2.jpg": ("기쁨", "ben"),
        "슬픔/anna/3.jpg": ("슬픔", "anna"),
    },
    "one emotion with persons below it": {
        "기쁨/anna/1.jpg": ("기쁨", "anna"),
        "기쁨/ben/2.jpg": ("기쁨", "ben"),
    },
    "persons above them": {
        "anna/기쁨/1.jpg": ("기쁨", "anna"),
        "ben/기쁨/2.jpg": ("기쁨", "ben"),
        "cleo/슬픔/3.jpg": ("슬픔", "cleo"),
    },
    "wrappers and a level that says nothing": {
        "01.데이터/1.Training/원천데이터/당황/사진/1.jpg": ("당황", None),
        "01.데이터/2.Validation/원천데이터/기쁨/사진/1.jpg": ("기쁨", None),
    },
    "zips named by emotions": {"중립.zip/1.jpg": ("중립", None), "기쁨.zip/2.jpg": ("기쁨", None)},
    "a stray beside them": {
        "기쁨/1.jpg": ("기쁨", None),
        "슬픔/2.jpg": ("슬픔", None),
        "cover.jpg": (None, None),
    },
    "levels that differ": {
        "a/b/기쁨/1.jpg": ("기쁨", None),
        "슬픔/1.jpg": ("슬픔", None),
        "불안/2.jpg": ("불안", None),
    },
}

FOLDERS: dict[str, Tree] = {
    "a folder a class": {"tense/1.jpg": ("tense", None), "calm/2.jpg": ("calm", None)},
    "words of other sets": {
        "happy/1.jpg": ("happy", None),
        "neutral/2.jpg": ("neutral", None),
        "angry/3.jpg": ("angry", None),
    },
    "an unknown word beside them": {
        "happy/anna/1.jpg": ("happy", "anna"),
        "sad/ben/2.jpg": ("sad", "ben"),
        "pensive/ben/3.jpg": ("pensive", "ben"),
    },
    "persons in some of the folders": {
        "happy/anna/1.jpg": ("happy", "anna"),
        "happy/ben/1.jpg": ("happy", "ben"),
        "happy/2.jpg": ("happy", None),
        "sad/3.jpg": ("sad", None),
    },
    "unknown words with persons below": {
        "tense/anna/1.jpg": ("tense", "anna"),
        "tense/ben/2.jpg": ("tense", "ben"),
        "loose/anna/3.jpg": ("loose", "anna"),
    },
    "persons above known words": {
        "S001/happy/1.jpg": ("happy", "S001"),
        "S002/sad/1.jpg": ("sad", "S002"),
        "S003/sad/1.jpg": ("sad", "S003"),
    },
    "two collections above known words are no persons": {
        "studio/happy/1.jpg": ("happy", None),
        "street/sad/1.jpg": ("sad", None),
    },
    "a person named by an emotion's word": {
        "happy/joy/1.jpg": ("happy", "joy"),
        "sad/ben/2.jpg": ("sad", "ben"),
        "sad/anna/3.jpg": ("sad", "anna"),
    },
    "wrappers and splits": {
        "data/train/happy/1.jpg": ("happy", None),
        "data/train/sad/2.jpg": ("sad", None),
        "data/validation/happy/3.jpg": ("happy", None),
        "data/test/sad/4.jpg": ("sad", None),
    },
    "splits around unknown words": {
        "train/tense/1.jpg": ("tense", None),
        "test/tense/2.jpg": ("tense", None),
        "test/loose/3.jpg": ("loose", None),
    },
    "splits below the classes": {
        "tense/train/1.jpg": ("tense", None),
        "loose/test/2.jpg": ("loose", None),
    },
    "splits with a wrapper inside each": {
        "train_set/images/tense/1.jpg": ("tense", None),
        "2.Validation/images/loose/2.jpg": ("loose", None),
    },
    "a stray in the wrapper": {
        "data/cover.jpg": (None, None),
        "data/tense/1.jpg": ("tense", None),
        "data/loose/2.jpg": ("loose", None),
    },
    "dates and storage are no persons": {
        "tense/2021-02-02/1.jpg": ("tense", None),
        "tense/20210203/2.jpg": ("tense", None),
        "loose/batch_01/3.jpg": ("loose", None),
        "loose/batch_02/4.jpg": ("loose", None),
    },
    "numbers are persons": {
        "tense/001/1.jpg": ("tense", "001"),
        "tense/002/1.jpg": ("tense", "002"),
        "loose/001/1.jpg": ("loose", "001"),
    },
    "a level between class and person": {
        "tense/raw/anna/1.jpg": ("tense", "anna"),
        "loose/raw/ben/1.jpg": ("loose", "ben"),
    },
    "a zip in a class folder": {
        "sad/photos.zip/1.jpg": ("sad", None),
        "joyful/2.jpg": ("joyful", None),
    },
    "zips in class folders": {
        "tense/a.zip/1.jpg": ("tense", None),
        "loose/b.zip/2.jpg": ("loose", None),
    },
    "a zip a class": {"sad.zip/1.jpg": ("sad", None), "tense.ZIP/2.jpg": ("tense", None)},
    "a zip a class, unknown words": {
        "loose.zip/1.jpg": ("loose", None),
        "tense.zip/2.jpg": ("tense", None),
    },
    "one zip with class folders": {
        "all.zip/tense/1.jpg": ("tense", None),
        "all.zip/loose/2.jpg": ("loose", None),
    },
    "two zips with class folders": {
        "a.zip/tense/1.jpg": ("tense", None),
        "b.zip/tense/2.jpg": ("tense", None),
        "b.zip/loose/3.jpg": ("loose", None),
    },
    "a zip a class, each with persons": {
        "sad.zip/anna/1.jpg": ("sad", "anna"),
        "happy.zip/ben/2.jpg": ("happy", "ben"),
    },
    "a zip a class, each with its own name inside": {
        "tense.zip/tense/1.jpg": ("tense", None),
        "loose.zip/loose/2.jpg": ("loose", None),
    },
    "a zip a class, each with the same folder inside": {
        "tense.zip/images/1.jpg": ("tense", None),
        "loose.zip/images/2.jpg": ("loose", None),
    },
    "blanks around a name": {"tense /1.jpg": ("tense", None), "loose/2.jpg": ("loose", None)},
    "numbered emotions": {
        "0_angry/anna/1.jpg": ("0_angry", "anna"),
        "1_happy/ben/1.jpg": ("1_happy", "ben"),
    },
}


def read(tree: Tree) -> tuple[str, Tree]:
    labeller = Labeller.of(LabelOptions(), list(tree))
    labels = {key: labeller.label(key) for key in tree}
    return labeller.options.classes, {k: (v.emotion, v.subject) for k, v in labels.items()}


@pytest.mark.parametrize("name", AIHUB)
def test_trees_of_the_archives_words(name: str) -> None:
    assert read(AIHUB[name]) == ("aihub7", AIHUB[name])


@pytest.mark.parametrize("name", FOLDERS)
def test_trees_of_other_words(name: str) -> None:
    assert read(FOLDERS[name]) == ("folders", FOLDERS[name])


@pytest.mark.parametrize("name", [*AIHUB, *FOLDERS])
def test_the_order_of_the_photos_changes_nothing(name: str) -> None:
    tree = (AIHUB | FOLDERS)[name]
    keys = list(tree)
    random.Random(7).shuffle(keys)
    found = Labeller.of(LabelOptions(), keys)
    assert found == Labeller.of(LabelOptions(), list(tree))


def test_what_was_taken_is_told() -> None:
    keys = [f"data/train/{c}/p{i}/1.jpg" for c in ("happy", "sad") for i in range(20)]
    assert Labeller.of(LabelOptions(), keys).warnings == (
        "classes from the folders at level 3: happy, sad; persons from those at level 4: "
        "p0, p1, p10, p11, p12, p13, p14, p15 and 12 more",
    )


def test_folders_of_src_itself_need_no_word() -> None:
    assert Labeller.of(LabelOptions(), ["happy/1.jpg", "sad/1.jpg"]).warnings == ()


NAMED = "a_여_30_기쁨_20210202.jpg"


def test_names_of_the_archives_grammar_count_before_all_folders() -> None:
    keys = [f"1.Training/[원천]EMOIMG_당황_TRAIN_01/{NAMED}", f"슬픔/ben/{NAMED}"]
    labeller = Labeller.of(LabelOptions(), [*keys, "슬픔/ben/IMG_1.jpg"])
    assert labeller.warnings == ()
    assert [labeller.label(key).emotion for key in keys] == ["기쁨", "기쁨"]
    assert [labeller.label(key).subject for key in keys] == ["a", "a"]
    assert labeller.label("슬픔/ben/IMG_1.jpg").emotion == "슬픔"
    assert labeller.label("1.Training/[원천]EMOIMG_당황_TRAIN_01/IMG_1.jpg") == Label()


def test_the_archives_own_folders_are_classes_where_folders_are_asked_for() -> None:
    keys = [f"1.Training/[원천]EMOIMG_{c}_TRAIN_01.zip/{NAMED}" for c in ("기쁨", "당황")]
    labeller = Labeller.of(LabelOptions("folders"), keys)
    assert [labeller.label(key).emotion for key in keys] == [
        "[원천]EMOIMG_기쁨_TRAIN_01",
        "[원천]EMOIMG_당황_TRAIN_01",
    ]
    assert labeller.label(keys[0]).subject == "a"


@pytest.mark.parametrize("keys", [["x/1.jpg", "x/2.jpg"], ["1.jpg"], ["a/b/1.jpg"], []])
def test_photos_that_say_nothing_are_refused(keys: list[str]) -> None:
    with pytest.raises(SourceError, match="one folder per class"):
        Labeller.of(LabelOptions(), keys)

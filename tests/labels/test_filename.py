"""Names in the wild: every form reads the same fields."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from fertools.data import Label
from fertools.labels.filename import EMOTIONS, PLACES, folder_emotion, folder_of, parse_name

SUBJECT = "1076beea687a23fbe148127b9eb4c2e02024f0947f8752a8fc7f63f15c72d656"
FULL = f"{SUBJECT}_여_30_기쁨_공공시설&종교&의료시설_20210202151813-001-009.jpeg"
LABEL = Label("기쁨", SUBJECT, "여", 30, "공공시설&종교&의료시설", "20210202151813", 9)


@pytest.mark.parametrize(
    "name",
    [
        FULL,
        unicodedata.normalize("NFD", FULL),
        FULL.replace("&", "_"),
        FULL.replace("&종교", "_종교"),
        FULL.replace(".jpeg", ".JPG"),
        FULL.replace(".jpeg", " (1).jpeg"),
        FULL.replace(".jpeg", "(2).jpeg"),
        f"1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip/{FULL}",
    ],
)
def test_every_form_of_the_full_name_reads_alike(name: str) -> None:
    assert parse_name(name) == LABEL


def test_the_talks_short_form() -> None:
    assert parse_name("제목_남_20_슬픔_20210202.jpg") == Label(
        "슬픔", "제목", "남", 20, None, "20210202", None
    )


@pytest.mark.parametrize(("talk", "archive"), [("짜증", "분노"), ("행복", "기쁨")])
def test_the_talks_words_become_the_archives(talk: str, archive: str) -> None:
    label = parse_name(f"a_b_여_40_{talk}_20210202151813.png")
    assert label is not None
    assert (label.emotion, label.subject) == (archive, "a_b")


@pytest.mark.parametrize(
    "name",
    [
        "IMG_0001.jpg",
        "",
        ".jpg",
        "x_여_기쁨_20210202.jpg",
        "x_무_30_기쁨_20210202.jpg",
        "x_여_30_기쁨_곳_20210202-001-009.jpg",  # a stamp without its time, behind a place
        FULL.removesuffix(".jpeg"),  # no ending: not the archive's
    ],
)
def test_other_names_say_nothing(name: str) -> None:
    assert parse_name(name) is None


def test_a_word_that_nobody_uses_comes_back_as_it_is() -> None:
    label = parse_name(FULL.replace("기쁨", "놀람"))
    assert label is not None
    assert label.emotion == "놀람"


def test_thirty_thousand_names_all_read_right() -> None:
    """The archive's frequencies: every place, 2 % jpeg; a quarter each NFD and `&` as `_`."""
    draw = np.random.default_rng(7)
    for i in range(30_000):
        code = f"{draw.integers(1, 11):03d}"
        want = Label(
            emotion=list(EMOTIONS)[draw.integers(7)],
            subject=f"{draw.integers(585):064x}",
            sex="남여"[draw.integers(2)],
            age=int(draw.integers(1, 7)) * 10,
            place=PLACES[code],
            stamp=f"202101{draw.integers(1, 29):02d}{draw.integers(24):02d}0000",
            shot=int(draw.integers(1, 30)),
        )
        end = "jpeg" if draw.random() < 0.02 else "jpg"
        who = f"{want.subject}_{want.sex}_{want.age}_{want.emotion}"
        name = f"{who}_{want.place}_{want.stamp}-{code}-{want.shot:03d}.{end}"
        name = unicodedata.normalize("NFD", name) if i % 4 == 1 else name
        name = name.replace("&", "_") if i % 4 == 2 else name
        assert parse_name(name) == want, name


@pytest.mark.parametrize(
    ("folder", "emotion"),
    [
        ("01.데이터/1.Training/원천데이터/당황", "당황"),
        ("원천데이터_0114_add/기쁨", "기쁨"),
        ("all.zip/sadness", "슬픔"),
        ("행복", "기쁨"),
        ("행복/anna", "기쁨"),
        ("중립.zip", "중립"),
        ("1.Training/[원천]EMOIMG_당황_TRAIN_01", None),
        ("", None),
    ],
)
def test_the_innermost_folder_named_by_an_emotion_counts(folder: str, emotion: str | None) -> None:
    assert folder_emotion(folder) == emotion
    assert folder_of(f"{folder}/IMG_0001.jpg") == folder


def test_a_photo_in_src_itself_lies_in_no_folder() -> None:
    assert folder_of("IMG_0001.jpg") == ""

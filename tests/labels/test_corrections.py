"""A person's corrections: read however they were saved, and refused in one line."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from fertools.data import Drop, Reason
from fertools.errors import OptionError
from fertools.hashing import pseudonym
from fertools.labels.classes import ClassMap
from fertools.labels.corrections import Correction, Corrections
from fertools.options import LabelOptions

CLASSES = ClassMap.of(LabelOptions("talk5"), ())
KEYS = ["상처.zip/가.jpg", "b.jpg", "labels.json"]
PHOTO = np.array([True, True, False])
SECRET = b"secret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fixes.csv"


def read(file: Path, text: str, encoding: str = "utf-8") -> Corrections:
    file.write_bytes(text.encode(encoding))
    return Corrections.read(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_spreadsheets_save_it(file: Path, encoding: str, end: str) -> None:
    lines = ["key,label,who,why", '상처.zip/가.jpg,슬픔,김,"운다, 많이"', "", "b.jpg, drop ,,", ""]
    found = read(file, end.join(lines), encoding)
    assert found.by_key == {
        KEYS[0]: Correction("슬픔", "김", "운다, 많이", 2),
        KEYS[1]: Correction("drop", "", "", 4),
    }
    assert [each.reason for each in found.by_key.values()] == ["by 김: 운다, 많이", "by hand"]


def test_a_list_of_suspects_is_read_with_the_column_that_was_added(file: Path) -> None:
    text = (
        "key,label,suggested,quality,corrected\n가.jpg,불안,슬픔,0.1,\nb.jpg,불안,슬픔,0.2,슬픔\n"
    )
    assert read(file, text).by_key == {"b.jpg": Correction("슬픔", "", "", 3)}


def test_without_that_column_the_label_is_what_is_meant(file: Path) -> None:
    text = "key,label,suggested,quality\n가.jpg,불안,슬픔,0.1\nb.jpg,,슬픔,0.2\n"
    assert [each.word for each in read(file, text).by_key.values()] == ["불안", "drop"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "its first line must name the columns key and label (or corrected)"),
        ("name,label\na.jpg,슬픔\n", "its first line must name the columns key and label"),
        ("key;label\na.jpg;슬픔\n", "with commas between them"),
        ("key,label\n", "corrects nothing: fill it in, or leave it out"),
        ("key,label,corrected\na.jpg,슬픔,\n", "corrects nothing"),
        ("key,label\n,슬픔\n", "line 2: its key is empty"),
        ("key,label,why\na.jpg,슬픔,sad, very\n", "line 2: 3 values expected"),
        ("key,label,why\na.jpg,슬픔\n", "line 2: 3 values expected"),
        (
            "key,label\na,슬픔\nb,슬픔\na,중립\n",
            "line 4: a is in line 2 already: keep one of the two",
        ),
        ("key,label\na,슬픔\na,슬픔\n", "line 3: a is in line 2 already"),
    ],
)
def test_what_cannot_be_meant_is_one_line(file: Path, text: str, line: str) -> None:
    with pytest.raises(OptionError) as error:
        read(file, text)
    assert str(error.value).startswith(f"--labels {file}")
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text_or_is_not_there(file: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        Corrections.read(file)
    with pytest.raises(OptionError, match="neither UTF-8 nor CP949: save it as CSV UTF-8"):
        read(file, "key,label\n", "utf-16")


def test_photos_are_found_by_key_or_by_pseudonym(file: Path) -> None:
    found = read(file, f"key,label\n{unicodedata.normalize('NFD', KEYS[0])},슬픔\nb.jpg,중립\n")
    assert {row: each.word for row, each in found.by_row(KEYS, PHOTO, SECRET).items()} == {
        0: "슬픔",
        1: "중립",
    }
    found = read(file, f"key,label\n{pseudonym(SECRET, 'b.jpg', 'key')},슬픔\n")
    assert list(found.by_row(KEYS, PHOTO, SECRET)) == [1]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["b.jpg", "c.jpg"], "line 3: c.jpg is no photo of the archive: take keys from"),
        (["c.jpg", "d.jpg", "e.jpg"], "line 2: c.jpg is no photo of the archive, nor are 2 other"),
        (["labels.json"], "line 2: labels.json is no photo"),
        ([pseudonym(b"another", "b.jpg", "key")], "is no photo of the archive: take keys"),
    ],
)
def test_a_photo_that_does_not_exist_is_named(file: Path, keys: list[str], line: str) -> None:
    found = read(file, "\n".join(["key,label", *(f"{key},슬픔" for key in keys)]))
    with pytest.raises(OptionError) as error:
        found.by_row(KEYS, PHOTO, SECRET)
    assert line in str(error.value)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("슬픔", 4),
        ("sadness", 4),
        ("행복", 2),
        ("기쁨", 2),  # the archive's word for the class
        ("joy", 2),
        ("annoyance", 0),
        ("불안", Drop(Reason.CLASS_DROPPED, "불안 is not among the classes asked for")),
        ("drop", Drop(Reason.REJECTED, "by kim: why")),
    ],
)
def test_a_class_is_named_in_korean_or_english(file: Path, word: str, found: int | Drop) -> None:
    corrections = read(file, "key,label\nb.jpg,슬픔\n")
    assert corrections.class_of(Correction(word, "kim", "why", 2), CLASSES) == found


def test_a_word_that_is_no_class_is_named_with_its_line(file: Path) -> None:
    corrections = read(file, "key,label\nb.jpg,슬픔\n")
    with pytest.raises(OptionError) as error:
        corrections.class_of(Correction("sadnes", "", "", 7), CLASSES)
    assert str(error.value).startswith(
        f"--labels {file}, line 7: sadnes: no such class (did you mean sadness?); there are 짜증"
    )

"""A split as a CSV: what is written can be read, and what cannot be meant is named."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from fertools.errors import OptionError
from fertools.splits.split_file import SplitTable, write_splits

KEYS = ["z.zip/a.jpg", "z.zip/b, c.jpg", "기쁨/d.jpg"]
SUBJECTS = ["kim", "lee", None]


def table(path: Path, text: str | bytes) -> SplitTable:
    path = path / "s.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return SplitTable.read(path)


def splits(path: Path, text: str | bytes) -> list[int]:
    found: list[int] = table(path, text).assign(KEYS, SUBJECTS).tolist()
    return found


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [
        {"key": "z.zip/b, c.jpg", "subject": "lee", "split": "test"},
        {"key": "기쁨/d.jpg", "subject": None, "split": None},
        {"key": "z.zip/a.jpg", "subject": "kim", "split": "train"},
    ]
    batches = pa.Table.from_pylist(rows).to_batches(max_chunksize=2)
    assert splits(tmp_path, b"".join(write_splits(batches))) == [0, 2, -1]
    assert b"".join(write_splits([])) == b"key,subject,split\n"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("name,split\na.jpg,val\nd.jpg,TEST\n", [1, -1, 2]),
        ("subject,split\nlee,train\nkim,validation\n", [1, 0, -1]),
        ("\ufeffsplit,name\r\ntrain,d.jpg\r\n", [-1, -1, 0]),
        ("subject,split\nkim,test\nlee,train\nkim,test\n", [2, 0, -1]),
    ],
)
def test_files_of_ones_own_may_name_photos_or_people(
    tmp_path: Path, text: str, meant: list[int]
) -> None:
    assert splits(tmp_path, text) == meant


def test_names_as_macos_writes_them_are_the_archives(tmp_path: Path) -> None:
    """V10: a file whose names are NFD assigns the same photos as one in NFC."""
    text = unicodedata.normalize("NFD", "key,split\n기쁨/d.jpg,test\n")
    assert text != unicodedata.normalize("NFC", text)
    assert splits(tmp_path, text) == [-1, -1, 2]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "subject,split\nkim,train\nlee,train\nkim,test\n",
            "line 4: kim is in test here and in train in line 2: keep one of the two",
        ),
        (
            "name,split\na\x1b[2J.jpg,train\na\x1b[2J.jpg,val\n",
            r"line 3: a\x1b[2J.jpg is in validation here and in train in line 2",
        ),
        (
            unicodedata.normalize("NFD", "key,split\n기쁨/d.jpg,test\n") + "기쁨/d.jpg,train\n",
            "line 3: 기쁨/d.jpg is in train here and in test in line 2",
        ),
        ("subject,split\nkim,train\n,test\n", "line 3: its subject is empty"),
    ],
)
def test_a_name_with_two_splits_is_an_error_with_its_line(
    tmp_path: Path, text: str, what: str
) -> None:
    """V10: the last line does not win without a word."""
    with pytest.raises(OptionError, match=re.escape(what)):
        table(tmp_path, text)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"photo,split\n1,train\n", "must name `split` and one of key, name, subject"),
        (b"", "must name `split`"),
        (b"name,split\na.jpg,train\nd.jpg,dev\n", "line 3: 'dev' is no split"),
        (b"name,split\na.jpg\n", "line 2: '' is no split"),
        (b"name,split\n\xff\xfe,train\n", "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        table(tmp_path, data)
    with pytest.raises(OptionError, match="cannot be read"):
        SplitTable.read(tmp_path / "missing.csv")


def test_a_file_that_names_no_photo_says_what_it_names(tmp_path: Path) -> None:
    message = "names none of the 3 photos by its column name, which begins with x.jpg"
    with pytest.raises(OptionError, match=message):
        splits(tmp_path, "name,split\nx.jpg,train\n")
    with pytest.raises(OptionError, match="which begins with nothing"):
        splits(tmp_path, "name,split\n")

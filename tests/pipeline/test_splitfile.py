"""A split as a CSV: what is written can be read, and what cannot be meant is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fertools.errors import OptionError
from fertools.pipeline.kept import Kept
from fertools.pipeline.splitfile import read_splits, write_splits


def kept(keys: list[str], subjects: list[str | None]) -> Kept:
    none = np.zeros(len(keys), np.int64)
    return Kept(none, keys, subjects, none, none, [], none, [], np.zeros((len(keys), 32), np.uint8))


PHOTOS = kept(["z.zip/a.jpg", "z.zip/b, c.jpg", "d.jpg"], ["kim", "lee", None])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows: list[dict[str, str | None]] = [
        {"key": "z.zip/b, c.jpg", "subject": "lee", "split": "test"},
        {"key": "d.jpg", "subject": None, "split": None},
        {"key": "z.zip/a.jpg", "subject": "kim", "split": "train"},
    ]
    (tmp_path / "s.csv").write_bytes(write_splits(rows))
    assert read_splits(tmp_path / "s.csv", PHOTOS).tolist() == [0, 2, -1]


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("name,split\na.jpg,val\nd.jpg,TEST\n", [1, -1, 2]),
        ("subject,split\nlee,train\nkim,validation\n", [1, 0, -1]),
        ("\ufeffsplit,name\r\ntrain,d.jpg\r\n", [-1, -1, 0]),
    ],
)
def test_files_of_ones_own_may_name_photos_or_people(
    tmp_path: Path, text: str, splits: list[int]
) -> None:
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    assert read_splits(tmp_path / "s.csv", PHOTOS).tolist() == splits


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
    (tmp_path / "s.csv").write_bytes(data)
    with pytest.raises(OptionError, match=what):
        read_splits(tmp_path / "s.csv", PHOTOS)
    with pytest.raises(OptionError, match="cannot be read"):
        read_splits(tmp_path / "missing.csv", PHOTOS)

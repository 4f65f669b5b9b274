"""Photos find their records: by name, damaged or not, once each, and what is alone is counted."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.data import Box, Drop, Reason
from fertools.labels.annotations import MAX_LISTED, Annotations, MatchReport, _pack, _unpack
from fertools.labels.filename import VOTE_WORDS
from fertools.labels.records import LabelRecord
from tests.labels.label_json import BOX, NAME, entry, label_file

SAD = ("슬픔",) * 3
JOY = ("기쁨",) * 3


def of(*entries: Any) -> Annotations:
    return Annotations.of([("labels.json", label_file(*entries))])


def votes_of(found: Annotations, key: str) -> tuple[str | None, ...] | None:
    record = found.record_of(key)
    return record.votes if record else None


SPELLINGS = [
    NAME,
    f"1.Training/[원천]EMOIMG_불안_TRAIN_01.zip/{NAME}",
    normalize("NFD", NAME),
    NAME.replace("&", "_"),
    NAME.replace("&종교", "_종교"),
    NAME.replace(".jpg", ".JPG"),
    NAME.replace(".jpg", " (1).jpg"),
    NAME.replace(".jpg", "(2).jpg"),
    normalize("NFD", f"사진/{NAME.replace('&', '_').replace('.jpg', ' (1).JPG')}"),
]


@pytest.mark.parametrize("key", SPELLINGS)
def test_every_spelling_of_a_photo_finds_its_record(key: str) -> None:
    expected = LabelRecord(NAME, "불안", ("불안", "슬픔", "알수없음"), (Box(*BOX),) * 3)
    assert of(entry()).record_of(key) == expected


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_record_is_found_by_its_photo(spelling: str) -> None:
    assert votes_of(of(entry(spelling)), NAME) == ("불안", "슬픔", "알수없음")


@pytest.mark.parametrize(
    "key", ["", "x.jpg", NAME.replace(".jpg", ".png"), NAME.replace("009", "008"), NAME[1:]]
)
def test_another_photo_finds_none(key: str) -> None:
    assert of(entry()).record_of(key) is None


def test_the_very_same_name_goes_before_a_similar_one() -> None:
    found = of(entry("a&b.jpg", SAD), entry("a_b.jpg", JOY), entry("a_b (1).jpg", (None,) * 3))
    assert votes_of(found, "a&b.jpg") == SAD
    assert votes_of(found, "a_b.jpg") == JOY
    assert votes_of(found, "a_b (1).jpg") == (None,) * 3
    assert votes_of(found, "a_b (7).jpg") is None, "it could be a copy of either"
    assert (len(found), found.problems) == (3, ())


def test_a_record_that_comes_twice_counts_once() -> None:
    data = label_file(entry(), entry("b.jpg"))
    found = Annotations.of([("1/a.json", data), ("2/a.json", data), ("3/a.json", data)])
    assert (len(found), found.problems) == (2, ())


def test_of_two_records_that_contradict_the_first_holds_and_the_second_file_is_told() -> None:
    first, second = label_file(entry(votes=SAD)), label_file(entry(votes=JOY), entry("b.jpg"))
    found = Annotations.of([("a.json", first), ("b.json", second)])
    assert votes_of(found, NAME) == SAD
    assert len(found) == 2
    (line,) = found.problems
    assert line.startswith("b.json: 1 of its records contradict an earlier one")
    assert NAME in line


def test_each_bad_file_is_one_line_and_the_good_ones_are_read() -> None:
    found = Annotations.of(
        [
            ("cut.json", label_file(entry())[:-30]),
            ("locked.json", Drop(Reason.ENCRYPTED, "behind a password")),
            ("gone.json", Drop(Reason.CHANGED)),
            ("mixed.json", label_file(entry(), entry(votes=SAD), {}) + b"x"),
        ]
    )
    assert len(found) == 1
    cut, locked, gone, mixed = found.problems
    assert cut.startswith("cut.json: entry 1 is damaged or cut short")
    assert locked == "locked.json: not read: behind a password"
    assert gone == "gone.json: not read: changed"
    assert mixed.startswith("mixed.json: what follows entry 3")
    assert "; 1 of its entries name no photo; 1 of its records contradict" in mixed


def test_a_name_cannot_move_the_cursor() -> None:
    found = of(entry("\x1b[2J\u202e.jpg", SAD), entry("\x1b[2J\u202e.jpg", JOY))
    assert found.problems[0].isprintable()


def test_what_is_alone_is_counted_and_listed() -> None:
    found = of(entry("a.jpg"), entry("b_&.jpg"), entry("c.jpg"))
    joined = found.match(["x/a.jpg", "y/a (1).jpg", "b__.JPG", "d.jpg", "x/e.jpg"])
    assert (joined.with_record, joined.without_record, joined.without_photo) == (3, 2, 1)
    assert (joined.photos, joined.records) == (("d.jpg", "x/e.jpg"), ("c.jpg",))


def test_counts_are_of_all_and_lists_of_the_first() -> None:
    found = of(*(entry(f"{i:03}.jpg") for i in range(50)))
    joined = found.match(f"x{i:03}.jpg" for i in range(60))
    assert (joined.with_record, joined.without_record, joined.without_photo) == (0, 60, 50)
    assert joined.photos == tuple(f"x{i:03}.jpg" for i in range(MAX_LISTED))
    assert joined.records == tuple(f"{i:03}.jpg" for i in range(MAX_LISTED))


def test_without_label_files_every_photo_is_alone() -> None:
    assert Annotations().match(["a.jpg"]).without_record == 1
    assert Annotations.of([]).record_of("a.jpg") is None


WORDS = st.sampled_from([*VOTE_WORDS, None])
SMALL = st.floats(0, 1000)
LARGE = st.floats(1001, 65535)


@given(
    st.text(min_size=1).map(lambda text: text.replace("/", "_")),
    WORDS,
    st.tuples(WORDS, WORDS, WORDS),
    st.lists(st.builds(Box, SMALL, SMALL, LARGE, LARGE), max_size=3).map(tuple),
)
def test_packing_loses_nothing(
    name: str, uploader: str | None, votes: tuple[str | None, ...], boxes: tuple[Box, ...]
) -> None:
    record = LabelRecord(name, uploader, votes, boxes)
    assert _unpack(_pack(record)) == record


def test_a_name_that_is_no_text_finds_its_record_too() -> None:
    data = json.dumps([entry("\ud800.jpg", SAD)]).encode()
    assert votes_of(Annotations.of([("a.json", data)]), "x/\ud800.jpg") == SAD


def photo_keys(photos: Path) -> list[str]:
    """Return the keys of the portraits: loose, in zips with CP949 names, and in a zip in pieces."""
    keys = [f"중립/{file.name}" for file in photos.glob("1.Training/*중립_TRAIN_01/*")]
    pieces = sorted(
        photos.glob("*/*.part*"), key=lambda path: int(path.suffix.removeprefix(".part"))
    )
    files = [file.read_bytes() for file in photos.rglob("*.zip")]
    for data in [*files, b"".join(piece.read_bytes() for piece in pieces)]:
        with zipfile.ZipFile(io.BytesIO(data), metadata_encoding="cp949") as archive:
            keys += [f"기쁨.zip/{name}" for name in archive.namelist()]
    return keys


def test_the_real_archive_joins_photo_by_photo(photos: Path) -> None:
    files = sorted(photos.rglob("*.json"))
    found = Annotations.of((file.name, file.read_bytes()) for file in files)
    keys = photo_keys(photos)
    assert (len(keys), len(found), found.problems) == (56, 56, ())
    assert found.match(keys) == MatchReport(56, 0, 0, (), ())
    for key in keys:
        record = found.record_of(key)
        assert record is not None
        assert record.uploader == key[:2], "the folder's emotion"

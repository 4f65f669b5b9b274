"""CSVs with pixels: their rows are members that are read in place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fertools.archive.pixels import png_of_row, read_rows
from fertools.archive.reader import Reader
from fertools.archive.scan import Scan, scan
from fertools.data import PIXEL_ROW, Member, ReadFault, Reason, Unusable
from fertools.errors import SourceError
from fertools.layouts.known import PRESETS
from tests.layouts.drawn import FER_USAGES, picture, pixels_text, write_fer2013

FER = PRESETS["fer2013"]
SMALL = "0 " * 63 + "255"  # 8 × 8


def scan_csv(folder: Path, text: str | bytes, name: str = "fer2013.csv") -> Scan:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return scan(folder, FER)


def photos(found: Scan) -> list[Member]:
    return [member for member in found.members if member.packed]


def pixels_of(folder: Path, member: Member) -> np.ndarray:
    with Reader(folder) as reader:
        data = reader.read(member)
    assert len(data) == member.size
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def test_every_row_is_a_member_with_its_own_pixels(tmp_path: Path) -> None:
    write_fer2013(tmp_path, 12)
    members = photos(scan(tmp_path, FER))
    assert [m.key for m in members] == [f"fer2013.csv/fer{i:07d}.png" for i in range(12)]
    assert {m.container for m in members} == {"fer2013.csv"}
    for number in (11, 0, 5):  # in any order: by offset
        assert (pixels_of(tmp_path, members[number]) == picture(number)).all()


def test_the_csv_itself_has_a_row_as_a_label_file(tmp_path: Path) -> None:
    write_fer2013(tmp_path, 3)
    first, *_ = scan(tmp_path, FER).members
    assert (first.key, first.dropped and first.dropped.reason) == ("fer2013.csv", "label_file")


def test_without_a_preset_a_csv_is_no_photo_and_the_message_names_the_preset(
    tmp_path: Path,
) -> None:
    write_fer2013(tmp_path, 3)
    with pytest.raises(SourceError, match="found 1 file of FER2013's naming: try --preset fer2013"):
        scan(tmp_path)


def test_the_csv_may_be_the_source(tmp_path: Path) -> None:
    path = write_fer2013(tmp_path, 3)
    assert len(photos(scan(path, FER))) == 3


@pytest.mark.parametrize(
    "text",
    [
        f"emotion, Usage, pixels\n3, Training, {SMALL}\n",  # icml_face_data.csv
        f'emotion,pixels,Usage\r\n3,"{SMALL}",Training\r\n',
        f"\ufeffemotion,pixels,Usage\n3,{SMALL},Training",  # without a line end
        f"emotion,pixels,Usage\n\n3,{SMALL},Training\n\n",
    ],
    ids=["leading blanks", "quotes and CRLF", "BOM, no line end", "empty lines"],
)
def test_forms_of_the_same_table(tmp_path: Path, text: str) -> None:
    (member,) = photos(scan_csv(tmp_path, text))
    picture = pixels_of(tmp_path, member)
    assert (picture.shape, int(picture[7, 7]), int(picture.sum())) == ((8, 8), 255, 255)
    (row,) = read_rows((tmp_path / "fer2013.csv").read_bytes().splitlines(keepends=True))
    assert row.columns == {"emotion": "3", "usage": "Training"}


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (SMALL + " 1", Reason.DAMAGED),  # 65 numbers
        ("", Reason.DAMAGED),
        (SMALL.replace("255", "256"), Reason.DAMAGED),
        (SMALL.replace("255", "x"), Reason.DAMAGED),
        (SMALL.replace("255", "-1"), Reason.DAMAGED),
    ],
)
def test_a_bad_row_costs_one_photo(tmp_path: Path, pixels: str, reason: Reason) -> None:
    text = f"emotion,pixels,Usage\n3,{pixels},Training\n4,{SMALL},Training\n"
    bad, good = photos(scan_csv(tmp_path, text))
    with Reader(tmp_path) as reader, pytest.raises(Unusable) as found:
        reader.read(bad)
    assert found.value.drop.reason is reason
    assert pixels_of(tmp_path, good)[7, 7] == 255


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a,b\n1,2\n", "names no column pixels"),
        (b"\x00" * 300_000, "too long"),
    ],
)
def test_another_table_of_that_name_is_one_line(
    tmp_path: Path, text: str | bytes, what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        scan_csv(tmp_path, text)


def test_only_the_first_known_file_is_read(tmp_path: Path) -> None:
    """Kaggle's archive has the same pictures three times."""
    write_fer2013(tmp_path, 3)
    for name in ("icml_face_data.csv", "train.csv"):
        (tmp_path / name).write_bytes((tmp_path / "fer2013.csv").read_bytes())
    assert {m.container for m in photos(scan(tmp_path, FER))} == {"fer2013.csv"}


def test_a_row_that_changed_since_the_scan_is_noticed(tmp_path: Path) -> None:
    path = write_fer2013(tmp_path, 3)
    found = scan(tmp_path, FER)
    member = photos(found)[1]
    data = bytearray(path.read_bytes())
    assert member.packed and member.packed.method == PIXEL_ROW
    at = member.packed.offset + 5
    data[at] = ord("1") if data[at] != ord("1") else ord("2")
    path.write_bytes(data)
    with Reader(tmp_path) as reader, pytest.raises(Unusable, match="not the one of the scan"):
        reader.read(member)
    with Reader(tmp_path, since=0) as reader, pytest.raises(ReadFault, match="written to since"):
        reader.read(member)


def test_a_cut_csv_loses_its_last_row_only(tmp_path: Path) -> None:
    path = write_fer2013(tmp_path, 3)
    path.write_bytes(path.read_bytes()[:-2000])
    dropped = [member.dropped for member in photos(scan(tmp_path, FER))]
    assert dropped[:2] == [None, None]
    assert dropped[2] and dropped[2].reason is Reason.DAMAGED


def test_the_column_of_pixels_may_be_anywhere() -> None:
    line = f"Training,{pixels_text(4)},2\n".encode()
    image = cv2.imdecode(np.frombuffer(png_of_row(line), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(np.asarray(image), picture(4))
    assert len(FER_USAGES) == 10

"""What is planted besides the photos, and that all of it is counted."""

from __future__ import annotations

from pathlib import Path
from unicodedata import is_normalized

import cv2
import numpy as np
import pytest
import simplejpeg

from fertools.sample.archive import Sample, make_sample
from fertools.sample.schedule import schedule
from fertools.sample.troubles import KINDS, LOOSE_ONLY, File, choose_troubles


@pytest.fixture(scope="module")
def files() -> dict[str, File]:
    planted = choose_troubles(5, schedule(5, 2, 20).training, 1.2e5, 1, True)
    return {trouble.kind: trouble.file() for trouble in planted}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    out = tmp_path_factory.mktemp("troubles") / "SRC"
    return make_sample(out, people=2, photos=20, megapixels=0.1, form="folders", troubles=2)


def readable(content: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(content, strict=True)
    except ValueError:
        return False
    return True


def test_every_file_is_a_photo_a_label_or_counted(sample: Sample) -> None:
    assert sample.troubles == dict.fromkeys(KINDS, 2)
    found = [path for path in sample.out.rglob("*") if path.is_file()]
    labels = [path for path in found if path.suffix == ".json"]
    assert len(found) - len(labels) == sample.photos + sum(sample.troubles.values())


def test_zips_have_all_kinds_but_those_no_zip_can_hold(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "SRC", people=1, photos=4, megapixels=0.1, troubles=True)
    assert sample.troubles == dict.fromkeys(set(KINDS) - LOOSE_ONLY, 1)


def test_without_troubles_there_are_none(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "SRC", people=1, photos=2, megapixels=0.1, form="folders")
    assert sample.troubles == {}
    assert sorted(path.suffix for path in sample.out.rglob("*") if path.is_file()) == [
        ".jpg",
        ".jpg",
        ".json",
    ]


@pytest.mark.parametrize("kind", ["no_face", "two_faces", "nameless", "copy", "underscored"])
def test_a_photo_without_a_fault_of_its_bytes_reads(files: dict[str, File], kind: str) -> None:
    assert readable(files[kind][1])


@pytest.mark.parametrize("kind", ["cut_short", "empty", "web_page"])
def test_what_is_called_jpg_and_is_none_does_not_read(files: dict[str, File], kind: str) -> None:
    name, content = files[kind]
    assert name.endswith(".jpg")
    assert not readable(content)


def test_each_kind_is_what_it_says(sample: Sample, files: dict[str, File]) -> None:
    assert files["cut_short"][1][:2] == b"\xff\xd8"
    assert files["empty"][1] == b""
    assert files["web_page"][1].startswith(b"<!DOCTYPE html>")
    assert files["nameless"][0] == "IMG_0001.jpg"
    assert files["apple_double"][0].startswith("._")
    assert files["thumbs_db"][0] == "Thumbs.db"
    assert files["png"][0].endswith(".png")
    assert files["png"][1].startswith(b"\x89PNG")
    assert not is_normalized("NFC", files["decomposed"][0])
    assert "공공시설_종교_의료시설" in files["underscored"][0]


def test_a_copy_is_its_neighbour_byte_for_byte(sample: Sample) -> None:
    copies = sorted(sample.out.rglob("* ([12]).jp*g"))
    assert len(copies) == 2
    for path in copies:
        stem = path.stem.rpartition(" ")[0]
        assert path.read_bytes() == path.with_name(stem + path.suffix).read_bytes()


def test_a_twin_lies_beside_its_photo(sample: Sample) -> None:
    twins = sorted(sample.out.rglob("._*"))
    assert len(twins) == 2
    assert all(path.with_name(path.name[2:]).is_file() for path in twins)


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_the_rare_orientations_are_there(files: dict[str, File], tag: int) -> None:
    content = files[f"exif_{tag}"][1]
    assert content[30:32] == bytes([tag, 0])
    stored = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    upright = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert stored is not None
    assert upright is not None
    assert stored.shape[:2] == upright.shape[1::-1]

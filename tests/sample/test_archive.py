"""What lies on disk after make_sample: names, containers, labels, and the same bytes again."""

from __future__ import annotations

import json
import re
from collections import Counter
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from fertools.errors import OptionError, OutputError
from fertools.sample.archive import Sample, make_sample

PLACES = {
    "001": "공공시설&종교&의료시설",
    "002": "교통&이동수단(엘리베이터 포함)",
    "003": "상업시설&점포&시장",
    "004": "스포츠 관람 및 레저시설",
    "005": "오락&공연시설",
    "006": "행사&사무공간",
    "007": "실외 자연환경",
    "008": "도심 환경",
    "009": "문화재 및 유적지",
    "010": "숙박 및 거주공간",
}
NAME = re.compile(
    r"(?P<subject>[0-9a-f]{64})_(?P<sex>[남여])_(?P<age>[1-6]0)"
    r"_(?P<emotion>기쁨|당황|분노|불안|상처|슬픔|중립)_(?P<place>[^_]+)"
    r"_(?P<stamp>2021\d{10})-(?P<code>\d{3})-(?P<shot>\d{3})\.(?P<ending>jpe?g)"
)


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    out = tmp_path_factory.mktemp("zips") / "SRC"
    return make_sample(out, people=5, photos=140, megapixels=0.1, seed=3)


def photo_zips(sample: Sample) -> dict[str, bytes]:
    """All zips of photos by their path without pieces, those in pieces joined."""
    pieces: dict[str, dict[int, bytes]] = {}
    for container in sample.containers:
        name, _, offset = container.partition(".part")
        pieces.setdefault(name, {})[int(offset or 0)] = (sample.out / container).read_bytes()
    return {name: b"".join(of for _, of in sorted(all_.items())) for name, all_ in pieces.items()}


def names_in(content: bytes) -> list[str]:
    with ZipFile(BytesIO(content)) as archive:
        return [
            entry.filename
            if entry.flag_bits & 0x800
            else entry.filename.encode("cp437").decode("cp949")
            for entry in archive.infolist()
        ]


def all_names(sample: Sample) -> list[str]:
    return [name for content in photo_zips(sample).values() for name in names_in(content)]


def records_of(sample: Sample, half: str, coding: str) -> list[dict[str, Any]]:
    found = []
    for path in sorted((sample.out / half).glob("*라벨*.zip")):
        with ZipFile(path) as archive:
            (entry,) = archive.infolist()
            found += json.loads(archive.read(entry).decode(coding))
    return found


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_every_name_follows_the_grammar(zips: Sample) -> None:
    names = all_names(zips)
    assert len(names) == len(set(names)) == zips.photos == 140
    fields = [match.groupdict() for name in names if (match := NAME.fullmatch(name))]
    assert len(fields) == 140
    assert all(PLACES[f["code"]] == f["place"] for f in fields)
    assert Counter(f["ending"] for f in fields) == {"jpg": 137, "jpeg": 3}
    assert len({f["subject"] for f in fields}) == zips.people == 5
    assert len({(f["subject"], f["sex"], f["age"]) for f in fields}) == 5


def test_a_photo_lies_with_its_emotion_and_all_emotions_are_as_frequent(zips: Sample) -> None:
    found: Counter[str] = Counter()
    for path, content in photo_zips(zips).items():
        emotions = {name.split("_")[3] for name in names_in(content)}
        assert len(emotions) == 1
        (emotion,) = emotions
        assert f"EMOIMG_{emotion}_" in path
        found[emotion] += len(names_in(content))
    assert found == zips.emotions
    assert set(found.values()) == {20}


def test_zips_hold_cp949_without_the_flag_and_utf8_with_it(zips: Sample) -> None:
    for path, content in photo_zips(zips).items():
        with ZipFile(BytesIO(content)) as archive:
            assert archive.testzip() is None
            flags = {entry.flag_bits for entry in archive.infolist()}
            assert flags == ({0x800} if "_TRAIN_02" in path else {0})
    first = photo_zips(zips)["1.Training/[원천]EMOIMG_기쁨_TRAIN_01.zip"]
    assert "_기쁨_".encode("cp949") in first
    assert "_기쁨_".encode() not in first


def test_one_zip_is_in_pieces_named_by_their_offsets(zips: Sample) -> None:
    pieces = [path for path in zips.containers if ".part" in path]
    assert len(pieces) == 3
    offset = 0
    for path in pieces:
        assert path == f"1.Training/[원천]EMOIMG_기쁨_TRAIN_02.zip.part{offset}"
        offset += (zips.out / path).stat().st_size
    assert not (zips.out / "1.Training/[원천]EMOIMG_기쁨_TRAIN_02.zip").exists()


def test_a_tenth_is_validation_and_shares_people_with_training(zips: Sample) -> None:
    halves: dict[str, list[str]] = {"1.Training": [], "2.Validation": []}
    for path, content in photo_zips(zips).items():
        halves[path.split("/")[0]] += names_in(content)
    assert 10 <= len(halves["2.Validation"]) <= 14
    people = [{name.split("_")[0] for name in names} for names in halves.values()]
    assert people[0] & people[1]


def test_each_photo_has_one_record_and_each_record_a_photo(zips: Sample) -> None:
    training = records_of(zips, "1.Training", "utf-8-sig")
    validation = records_of(zips, "2.Validation", "cp949")
    assert sorted(r["filename"] for r in training + validation) == sorted(all_names(zips))
    for record in training + validation:
        assert record["faceExp_uploader"] == record["filename"].split("_")[3]
        for annotator in ("annot_A", "annot_B", "annot_C"):
            box = record[annotator]["boxes"]
            assert 0 <= box["minX"] < box["maxX"] < 400
            assert 0 <= box["minY"] < box["maxY"] < 400


def test_training_labels_begin_with_a_byte_order_mark(zips: Sample) -> None:
    with ZipFile(zips.out / "1.Training/[라벨]EMOIMG_중립_TRAIN.zip") as archive:
        assert archive.read(archive.infolist()[0])[:3] == b"\xef\xbb\xbf"


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"people": 2, "photos": 20, "megapixels": 0.1, "troubles": True}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_sample(tmp_path / name, seed=seed, **sizes)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert not set(tree(tmp_path / "a").values()) & set(tree(tmp_path / "c").values())


def test_folders_hold_the_same_photos_as_zips(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"people": 2, "photos": 20, "megapixels": 0.1}
    loose = make_sample(tmp_path / "loose", form="folders", **sizes)
    packed = make_sample(tmp_path / "packed", form="zips", **sizes)
    stored = {}
    for path, content in photo_zips(packed).items():
        with ZipFile(BytesIO(content)) as archive:
            for name, entry in zip(names_in(content), archive.infolist(), strict=True):
                stored[f"{path.removesuffix('.zip')}/{name}"] = archive.read(entry)
    assert all((loose.out / path).read_bytes() == content for path, content in stored.items())
    photos = [path for path in loose.out.rglob("*.jp*g") if path.is_file()]
    assert len(photos) == len(stored) == 20
    labels = "1.Training/[라벨]EMOIMG_기쁨_TRAIN/img_emotion_training_data(기쁨).json"
    assert json.loads((loose.out / labels).read_text("utf-8-sig"))


def test_progress_counts_every_photo_and_every_trouble(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    sample = make_sample(
        tmp_path / "SRC",
        people=1,
        photos=3,
        megapixels=0.1,
        troubles=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    total = 3 + sum(sample.troubles.values())
    assert "3 photos of 1 drawn people" in str(sample)
    assert f"{total - 3} troubles planted: no_face 1" in str(sample)
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty: name a new folder"):
        make_sample(tmp_path, people=1, photos=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(OutputError, match="name a new folder"):
        make_sample(tmp_path / "mine.txt", people=1, photos=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": 0}, "--people 0: give a whole number from 1 to 50000"),
        ({"people": "3"}, "--people '3'"),
        ({"people": 9, "photos": 8}, "--people 9 are more than --photos 8"),
        ({"photos": 60_000}, "--photos 60000"),
        ({"megapixels": 0.01}, "--megapixels 0.01: give a number from 0.1 to 16.0"),
        ({"megapixels": float("nan")}, "--megapixels nan"),
        ({"form": "tar"}, "--form tar: choose zips or folders"),
        ({"troubles": -1}, "--troubles -1: give True or False or a whole number from 0 to 9"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**32}, "--seed 4294967296"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        make_sample(tmp_path / "SRC", **options)
    assert not (tmp_path / "SRC").exists()

"""Each preset on an archive in its exact layout: counts, classes, people and splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.columns import Words
from fertools.dataset.report import DatasetReport
from fertools.errors import OptionError, OutputError, SourceError
from fertools.options import PresetName, SourceOptions
from fertools.pipeline.label_sources import label_archive
from tests.fakes import BrightSpot, write_archive
from tests.layouts import drawn

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


@dataclass(frozen=True)
class Photo:
    """What is known of one photo before any is read."""

    key: str
    label: str
    subject: str | None
    sex: str | None
    split: str | None

    @property
    def number(self) -> int:
        """The number of a row of a CSV."""
        return int(self.key[-11:-4])


def photos_of(source: Path, preset: PresetName | SourceOptions) -> list[Photo]:
    """Return the photos that have a class."""
    options = preset if isinstance(preset, SourceOptions) else SourceOptions(preset=preset)
    _, catalog = label_archive(source, options)
    names, rows = catalog.classes.names, catalog.selected
    keys, subjects = catalog.members.keys_at(rows), catalog.subjects(rows)
    sexes = Words(*catalog.labels.codes("sex")).take(rows)
    labels = [names[index] for index in catalog.class_index(rows).tolist()]
    splits = map(catalog.labeller.official_split, keys)
    return list(map(Photo, keys, labels, subjects, sexes, splits))


def classes_of(photos: list[Photo]) -> dict[str, int]:
    return dict(Counter(photo.label for photo in photos))


def build(source: Path, preset: PresetName, **options: Any) -> DatasetReport:
    options = {"size": 48, "quiet": True, "jobs": 1, "keep_names": True} | options
    return fertools.build_dataset(source, source.parent / "out", preset=preset, **options)


def kept(report: DatasetReport) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(report.out / "ledger.parquet").to_pylist()
    return [row for row in rows if row["outcome"] == "kept"]


def test_fer2013_keeps_its_classes_splits_and_pixels(tmp_path: Path) -> None:
    drawn.write_fer2013(tmp_path / "src", 70)
    report = build(tmp_path / "src", "fer2013", split="official", image_format="raw")
    words = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert tuple(each.name for each in report.manifest.classes) == words
    by_usage = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    for row in kept(report):
        number = int(row["key"][-11:-4])
        assert row["label"] == words[number % 7]
        assert row["split"] == by_usage[drawn.FER_USAGES[number % 10]]
        assert (row["x1"], row["y1"], row["confidence"], row["faces"]) == (48, 48, 1.0, 1)
    for example in fertools.read_examples(report.out):
        number = int(example.key[-11:-4])
        image = cv2.imdecode(np.frombuffer(example.image, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(
            np.asarray(image), drawn.picture(number)
        )  # --size 48: no pixel is resampled
    assert report.manifest.proof.unknown_people == 70
    assert any("leak between the splits cannot be excluded" in w for w in report.warnings)
    assert fertools.verify(report.out, tmp_path / "src", quiet=True).ok


def test_a_small_picture_is_enlarged_to_the_size(tmp_path: Path) -> None:
    drawn.write_fer2013(tmp_path / "src", 20)
    report = build(tmp_path / "src", "fer2013", size=96)
    example = next(iter(fertools.read_examples(report.out)))
    image = cv2.imdecode(np.frombuffer(example.image, np.uint8), cv2.IMREAD_UNCHANGED)
    original = drawn.picture(int(example.key[-11:-4]))
    expected = cv2.resize(original, (96, 96), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(np.asarray(image), expected)


@pytest.mark.parametrize("header", ["emotion, Usage, pixels", "\ufeffemotion,pixels,Usage"])
def test_other_forms_of_fer2013_say_the_same(tmp_path: Path, header: str) -> None:
    path = drawn.write_fer2013(tmp_path, 70, header)
    path.rename(path.with_name("icml_face_data.csv"))
    photos = photos_of(tmp_path, "fer2013")
    assert set(classes_of(photos).values()) == {10}
    assert Counter(p.split for p in photos) == {"train": 56, "validation": 7, "test": 7}


def test_fer2013_without_usage_has_no_official_split(tmp_path: Path) -> None:
    path = drawn.write_fer2013(tmp_path, 70, "emotion,pixels")
    path.rename(path.with_name("train.csv"))
    (tmp_path / "test.csv").write_text(f"pixels\n{drawn.pixels_text(99)}\n")
    photos = photos_of(tmp_path, "fer2013")
    assert len(photos) == 70  # none of test.csv: its rows have no label
    assert {p.split for p in photos} == {None}


def test_a_row_without_a_number_has_no_label(tmp_path: Path) -> None:
    path = drawn.write_fer2013(tmp_path, 14)
    text = path.read_text().replace("\n3,", "\n,", 1).replace("\n4,", "\nnan,", 1)
    path.write_text(text.replace("\n5,", "\nSurprise,", 1))
    photos = {p.number: p.label for p in photos_of(tmp_path, "fer2013")}
    assert len(photos) == 12
    assert photos[5] == "surprise"


def test_fer2013_in_folders(tmp_path: Path) -> None:
    words = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for i in range(28):
        split = "test" if i < 7 else "train"
        drawn.write_picture(tmp_path / split / words[i % 7] / f"im{i}.jpg", i)
    photos = photos_of(tmp_path, "fer2013")
    assert set(classes_of(photos).values()) == {4}
    assert Counter(p.split for p in photos) == {"test": 7, "train": 21}


@pytest.mark.parametrize("forms", ["official", "kaggle"])
def test_rafdb(tmp_path: Path, forms: str) -> None:
    drawn.write_rafdb(tmp_path, 42, forms)
    photos = photos_of(tmp_path, "rafdb")
    assert len(photos) == 42
    for photo in photos:
        number = int(photo.key.split("_")[-2])
        assert photo.label == RAF[number % 7]
        assert photo.split == ("test" if number % 3 == 0 else "train")
        assert "original" not in photo.key


def test_rafdb_with_a_third_value_a_bom_and_names(tmp_path: Path) -> None:
    folder = drawn.write_rafdb(tmp_path, 42)
    path = folder / "EmoLabel" / "list_patition_label.txt"
    lines = path.read_text().splitlines()
    named = [f"{line.split()[0]}\t{RAF[int(line.split()[1]) - 1].title()} 0.93" for line in lines]
    path.write_bytes("\r\n".join(named).encode("utf-8-sig"))
    assert set(classes_of(photos_of(folder, "rafdb")).values()) == {6}


def test_rafdb_numbered_from_zero_is_one_line(tmp_path: Path) -> None:
    folder = drawn.write_rafdb(tmp_path, 14)
    path = folder / "EmoLabel" / "list_patition_label.txt"
    lines = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name} {int(label) - 1}\n" for name, label in lines))
    with pytest.raises(SourceError, match="0 is no class of RAF-DB; its files have 1=surprise"):
        photos_of(folder, "rafdb")


def test_rafdb_without_its_list_is_one_line(tmp_path: Path) -> None:
    folder = drawn.write_rafdb(tmp_path, 14)
    (folder / "EmoLabel" / "list_patition_label.txt").unlink()
    with pytest.raises(SourceError, match=r"no photo in .* class of RAF-DB: expected EmoLabel"):
        photos_of(folder, "rafdb")


def test_ckplus_takes_the_frames_that_have_an_emotion_file(tmp_path: Path) -> None:
    photos = photos_of(drawn.write_ckplus(tmp_path), "ckplus")
    assert len(photos) == 15
    words = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for photo in photos:
        subject, take, frame = photo.key.rpartition("/")[2][:-4].split("_")
        assert (photo.subject, frame) == (subject, "00000003")
        assert photo.label == words[(2 * (int(subject[1:]) - 5) + int(take)) % 8]


def test_files_of_macos_are_no_emotion_files(tmp_path: Path) -> None:
    drawn.write_ckplus(tmp_path)
    for path in sorted(tmp_path.rglob("*_emotion.txt")):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    assert len(photos_of(tmp_path, "ckplus")) == 15


def test_ck48_knows_its_people(tmp_path: Path) -> None:
    photos = photos_of(drawn.write_ck48(tmp_path), "ckplus")
    assert {p.subject for p in photos} == {f"S{10 + i:03d}" for i in range(6)}
    assert classes_of(photos) == {"anger": 6, "contempt": 6, "disgust": 6, "fear": 3}


def test_ckplus_as_a_csv_has_numbers_of_its_own(tmp_path: Path) -> None:
    path = drawn.write_fer2013(tmp_path, 70)
    path.rename(path.with_name("ckextended.csv"))
    photos = {p.number: p.label for p in photos_of(tmp_path, "ckplus")}
    assert [photos[i] for i in (0, 3, 6)] == ["anger", "happy", "neutral"]


def test_jaffe_is_read_from_tiff(tmp_path: Path) -> None:
    drawn.write_jaffe(tmp_path / "src")
    report = build(tmp_path / "src", "jaffe", detect=False)
    assert {row["subject"] for row in kept(report)} == {"KA", "KL", "KM", "KR", "MK"}
    assert set(Counter(row["label"] for row in kept(report)).values()) == {5}
    assert report.manifest.counts.dropped == {"not_a_photo": 1}
    assert report.manifest.proof.overlap == 0


def test_kdef_knows_one_person_in_two_sessions(tmp_path: Path) -> None:
    photos = photos_of(drawn.write_kdef(tmp_path), "kdef")
    assert len(photos) == 2 * 4 * 7 * 2
    people = {(p.subject, p.sex) for p in photos}
    assert people == {("F01", "여"), ("F02", "여"), ("M01", "남"), ("M02", "남")}
    assert set(classes_of(photos).values()) == {16}


@pytest.mark.parametrize("flat", [False, True])
def test_kface(tmp_path: Path, flat: bool) -> None:
    photos = photos_of(drawn.write_kface(tmp_path, flat=flat), "kface")
    assert classes_of(photos) == {"중립": 8, "기쁨": 8, "찡그림": 8}
    assert len({p.subject for p in photos}) == 4


def test_photos_that_are_no_crops_are_detected(tmp_path: Path) -> None:
    folder = drawn.write_kface(tmp_path / "src")
    report = build(folder, "kface", detector=BrightSpot(), split="50/25/25")
    assert report.manifest.libraries["network"] == "bright spot 1"
    assert [each.english for each in report.manifest.classes] == ["neutral", "joy", "frown"]
    assert report.manifest.proof.unknown_people == 0


def test_folders_is_one_class_per_folder_whatever_the_names_say(tmp_path: Path) -> None:
    write_archive(tmp_path / "src", people=3)
    labels = classes_of(photos_of(tmp_path / "src", "folders"))
    assert labels.keys() == {f"[원천]EMOIMG_{word}_TRAIN_01" for word in ("기쁨", "당황", "분노")}


def test_a_wrong_preset_is_told_by_what_was_found(tmp_path: Path) -> None:
    write_archive(tmp_path / "src")
    with pytest.raises(SourceError, match="found 60 files of AI-Hub's naming: try --preset aihub"):
        photos_of(tmp_path / "src", "kdef")
    drawn.write_kdef(tmp_path / "kdef")
    with pytest.raises(SourceError, match="found 112 files of KDEF's naming: try --preset kdef"):
        photos_of(tmp_path / "kdef", "jaffe")


def test_a_set_without_splits_has_no_official_one(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="KDEF has no splits of its own"):
        build(tmp_path / "src", "kdef", split="official")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"classes": "talk5"}, "--classes talk5 is AI-Hub's"),
        ({"detector": "yunet"}, "--detector yunet has no effect without detection"),
        ({"detector": BrightSpot()}, "detector= has no effect with --no-detect"),
    ],
)
def test_options_that_a_preset_decides_are_refused(
    tmp_path: Path, options: dict[str, Any], what: str
) -> None:
    drawn.write_fer2013(tmp_path / "src", 20)
    with pytest.raises(OptionError, match=what):
        build(tmp_path / "src", "fer2013", **options)


def ferplus(tmp_path: Path, **options: Any) -> DatasetReport:
    if not (tmp_path / "src").is_dir():
        drawn.write_ferplus(tmp_path / "src", 70)
    return build(tmp_path / "src", "ferplus", image_format="raw", **options)


def test_ferplus_keeps_its_votes(tmp_path: Path) -> None:
    report = ferplus(tmp_path, split="official")
    rows = {int(row["key"][-11:-4]): row for row in kept(report)}
    assert len(rows) == 60
    for number, row in rows.items():
        assert row["votes"] == list(drawn.ferplus_votes(number)[:8])
        assert [row[slot] for slot in ("uploader", "annot_a", "annot_b", "annot_c")] == [None] * 4
    # --labels name is FER2013's own emotion, in FER+'s words
    own = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert {row["label"] for number, row in rows.items() if number % 7 == 3} == {own[3]}
    for example in fertools.read_examples(report.out):
        assert example.votes == drawn.ferplus_votes(int(example.key[-11:-4]))[:8]
        assert example.uploader == -1
    assert fertools.verify(report.out, tmp_path / "src", quiet=True).ok


def test_a_row_without_a_name_shows_no_face(tmp_path: Path) -> None:
    report = ferplus(tmp_path)
    assert report.manifest.counts.dropped == {"label_file": 2, "no_face": 10}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        # by the seven patterns of votes in drawn.FERPLUS_VOTES, of which the last has no face; of
        # a tie of 5 to 5 FER2013's own label is taken, if 5 are enough
        ("majority", [None, "happiness", "surprise", None, "contempt", None]),
        ("unanimous", [None, "happiness", None, None, None, None]),
        ("at-least:8", [None, "happiness", None, None, None, None]),
        ("at-least:3", ["neutral", "happiness", "surprise", "happiness", "contempt", None]),
    ],
)
def test_ferplus_by_its_votes(tmp_path: Path, labels: str, expected: list[str | None]) -> None:
    report = ferplus(tmp_path, labels=labels)
    found: dict[int, set[str | None]] = {}
    for row in pq.read_table(report.out / "ledger.parquet").to_pylist():
        if row["key"].endswith(".png") and row["outcome"] != "no_face":
            found.setdefault(int(row["key"][-11:-4]) % 7, set()).add(row["label"])
    assert found == {number: {label} for number, label in enumerate(expected)}


def test_the_votes_of_a_photo_are_in_the_detail_of_a_disputed_row(tmp_path: Path) -> None:
    report = ferplus(tmp_path, labels="majority")
    details = {
        row["detail"]
        for row in pq.read_table(report.out / "ledger.parquet").to_pylist()
        if row["outcome"] == "disputed"
    }
    assert "no class 8, happiness 1, neutral 1" in details


def test_ferplus_without_its_table_is_one_line(tmp_path: Path) -> None:
    drawn.write_fer2013(tmp_path / "src", 20)
    with pytest.raises(SourceError, match=r"has no fer2013new.csv, which FER\+ needs"):
        ferplus(tmp_path)


def test_ferplus_joins_votes_with_png_files_by_name(tmp_path: Path) -> None:
    drawn.write_ferplus(tmp_path, 20)
    (tmp_path / "fer2013.csv").unlink()
    for number in range(20):
        drawn.write_picture(tmp_path / "FER2013Train" / f"fer{number:07d}.png", number)
    _, catalog = label_archive(tmp_path, SourceOptions(preset="ferplus"))
    assert catalog.matches.with_record == 18
    assert set(catalog.labels.codes("emotion")[0]) == {-1}  # only the CSV has FER2013's labels


def test_a_build_of_rows_in_two_goes_has_the_bytes_of_one(tmp_path: Path) -> None:
    drawn.write_fer2013(tmp_path / "src", 40)
    options: dict[str, Any] = {"preset": "fer2013", "size": 48, "quiet": True, "jobs": 1}
    fertools.build_dataset(tmp_path / "src", tmp_path / "one", **options)
    done = fertools.build_parts(tmp_path / "src", tmp_path / "two", "0-4", **options)
    assert 0 < done.done < done.parts
    fertools.build_dataset(tmp_path / "src", tmp_path / "two", **options)
    sums = [(tmp_path / out / "SHA256SUMS").read_bytes() for out in ("one", "two")]
    assert sums[0] == sums[1]


def test_a_row_that_was_edited_is_another_photo(tmp_path: Path) -> None:
    path = drawn.write_fer2013(tmp_path / "src", 20)
    build(tmp_path / "src", "fer2013")
    lines = path.read_text().splitlines(keepends=True)
    lines[4] = lines[4].replace("3,", "6,", 1)
    path.write_text("".join(lines))
    with pytest.raises(OutputError, match=r"fer0000003.png is not the same photo"):
        build(tmp_path / "src", "fer2013")

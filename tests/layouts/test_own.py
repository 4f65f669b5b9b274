"""Layouts of a user's own: --pattern, --table and --no-detect."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import fertools
from fertools.errors import OptionError
from fertools.layouts.known import PRESETS
from fertools.options import FaceOptions, SourceOptions, StatsOptions
from tests.layouts import drawn
from tests.layouts.test_builds import Photo, classes_of, kept, photos_of

PATTERN = r"/(?P<subject>p\d+)_(?P<sex>[mf])_(?P<age>\d+)_(?P<class>[a-z]+)_(?P<split>[a-z]+)\."


def write_named(folder: Path) -> Path:
    """Write photos whose names say everything, in no known layout."""
    for number in range(12):
        sex, word = "mf"[number % 2], ("glad", "cross", "calm")[number % 3]
        split = ("dev", "test", "train", "train")[number // 3]
        name = f"p{number // 3}_{sex}_{20 + number}_{word}_{split}.png"
        drawn.write_picture(folder / "all" / name, number)
    return folder


def own(source: Path, **options: str) -> list[Photo]:
    return photos_of(source, SourceOptions.of(options))


def test_a_pattern_names_class_person_sex_age_and_split(tmp_path: Path) -> None:
    photos = own(write_named(tmp_path), pattern=PATTERN)
    assert classes_of(photos) == {"glad": 4, "cross": 4, "calm": 4}
    assert {(p.subject, p.sex) for p in photos if p.label == "glad"} == {
        ("p0", "남"),
        ("p1", "여"),
        ("p2", "남"),
        ("p3", "여"),
    }
    assert Counter(p.split for p in photos) == {None: 3, "test": 3, "train": 6}  # "dev" is no split


def test_a_pattern_builds_and_verifies(tmp_path: Path) -> None:
    write_named(tmp_path / "src")
    report = fertools.build_dataset(
        tmp_path / "src",
        tmp_path / "out",
        pattern=PATTERN,
        detect=False,
        split="50/25/25",
        size=48,
        quiet=True,
        jobs=1,
    )
    assert [each.name for each in report.manifest.classes] == ["calm", "cross", "glad"]
    assert {row["age"] for row in kept(report)} == {20, 30}
    assert report.manifest.options["pattern"] == PATTERN
    assert report.manifest.options["detect"] is False
    assert fertools.verify(report.out, tmp_path / "src", quiet=True).ok


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(", "is no regular expression"),
        ("abc", "names nothing"),
        (r"(?P<klass>.)", "there is no group klass"),
    ],
)
def test_a_pattern_is_checked_before_anything_is_read(pattern: str, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        SourceOptions(pattern=pattern)
    with pytest.raises(OptionError, match=what):
        StatsOptions.of({"pattern": pattern})


@pytest.mark.parametrize(
    "data",
    [
        "name,class,subject,split\np1.png,기쁨,kim,train\np2.png,슬픔,lee,test\n".encode(),
        "name;class;subject;split\r\np1.png;기쁨;kim;train\r\np2.png;슬픔;lee;test\r\n".encode(
            "cp949"
        ),
        "\ufeffKEY, Class ,SUBJECT,split\na/p1.png,기쁨,kim,train\na/p2.png,슬픔,lee,test".encode(),
        "name\tlabel\tsubject\tsplit\n\np1\t기쁨\tkim\ttrain\np2\t슬픔\tlee\ttest\n".encode(
            "utf-16"
        ),
    ],
    ids=["UTF-8", "CP949 from Excel", "BOM, keys, blanks", "UTF-16, tabs, stems"],
)
def test_a_table_says_what_names_do_not(tmp_path: Path, data: bytes) -> None:
    for number in (1, 2, 3):
        drawn.write_picture(tmp_path / "src" / "a" / f"p{number}.png", number)
    table = tmp_path / "labels.csv"
    table.write_bytes(data)
    photos = own(tmp_path / "src", table=str(table))
    assert [(p.key, p.label, p.subject, p.split) for p in photos] == [
        ("a/p1.png", "기쁨", "kim", "train"),
        ("a/p2.png", "슬픔", "lee", "test"),
    ]


def test_a_table_counts_before_the_names(tmp_path: Path) -> None:
    """Copies of RAF-DB with other numbers can be used so."""
    drawn.write_rafdb(tmp_path / "src", 7, "kaggle")
    table = tmp_path / "fixed.csv"
    table.write_text("name,class\ntrain_00001_aligned.jpg,neutral\n")
    photos = own(tmp_path / "src", preset="rafdb", table=str(table))
    assert {p.label for p in photos if "00001" in p.key} == {"neutral"}


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "name\nx.png\n", "class,subject\nx,y\n"])
def test_a_table_without_its_columns_is_one_line(tmp_path: Path, text: str) -> None:
    drawn.write_picture(tmp_path / "src" / "1.png", 1)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(OptionError, match="its first line must name `name`"):
        own(tmp_path / "src", table=str(tmp_path / "t.csv"))
    with pytest.raises(OptionError, match=r"--table .*missing.csv cannot be read"):
        own(tmp_path / "src", table=str(tmp_path / "missing.csv"))


def test_finished_parts_keep_their_names() -> None:
    """A new option enters the names of parts only where it is used: see CONTRIBUTING."""
    before = asdict(FaceOptions())
    for added in ("detect", "compare", "stop_at_chin"):
        del before[added]
    assert FaceOptions().fingerprint == json.dumps(before, sort_keys=True)
    blind = FaceOptions(detector="aihub", compare=False)
    chosen = [FaceOptions(), FaceOptions(detect=False), FaceOptions(detector="aihub")]
    chosen += [blind, replace(blind, stop_at_chin=True)]
    assert len({options.fingerprint for options in chosen}) == len(chosen)


def test_the_list_has_every_preset_with_its_layout() -> None:
    listed = fertools.presets()
    assert listed.to_dict().keys() == PRESETS.keys()
    for word, preset in PRESETS.items():
        assert f"{word}: {preset.title}" in listed.text()
        assert preset.layout in listed.text()
    json.dumps(listed.to_dict())


def test_presets_are_unambiguous() -> None:
    """No word of a set means two of its classes, and each set says where its layout is from."""
    for preset in PRESETS.values():
        assert preset.source or preset.title == "class folders"
        assert len(preset.classes) != 1
        names = [word.casefold() for words in preset.classes for word in words]
        assert len(names) == len(set(names))


def test_instalments_are_for_zips_of_aihub(tmp_path: Path) -> None:
    drawn.write_fer2013(tmp_path / "src", 20)
    with pytest.raises(OptionError, match="--partial reads AI-Hub's archive and class folders"):
        fertools.build_partial(tmp_path / "src", tmp_path / "out", preset="fer2013", quiet=True)

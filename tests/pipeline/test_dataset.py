"""The main job on a small archive with a fake detector: what a user relies on."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import fertools
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from fertools.errors import OptionError, OutputError, SourceError, SplitError
from tests.fakes import BrightSpot, person, photo, photo_name, write_archive

LOOK = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Ten people, two photos each of 기쁨, 당황 and 분노."""
    return write_archive(tmp_path / "src")


def build(source: Path, out: Path, **options: object) -> Manifest:
    return fertools.build_dataset(source, out, **LOOK | options).manifest  # type: ignore[arg-type]


def digests(out: Path) -> dict[str, str]:
    """Give what was published: every file of OUT itself."""
    files = [path for path in out.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def ledger(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def test_every_photo_becomes_an_example_and_nobody_is_in_two_splits(
    archive: Path, tmp_path: Path
) -> None:
    manifest = build(archive, tmp_path / "out", split="60/20/20")
    assert (manifest.counts.members, manifest.counts.kept, manifest.counts.dropped) == (60, 60, {})
    owners: dict[str, set[str]] = {}
    for split in Split:
        for example in fertools.read_examples(tmp_path / "out", split):
            owners.setdefault(example.subject, set()).add(split)
    assert sorted(map(len, owners.values())) == [1] * 10
    assert {s: manifest.splits[s].records for s in Split} == {
        "train": 36,
        "validation": 12,
        "test": 12,
    }
    assert manifest.splits["test"].classes == {"기쁨": 4, "당황": 4, "분노": 4}


def test_the_ledger_tells_where_every_example_lies(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = build(archive, out, keep_names=True, shard_size="3KB")
    assert len(manifest.splits["train"].shards) > 1
    for split in Split:
        shards = manifest.splits[split].shards
        examples = list(fertools.read_examples(out, split))
        starts = [sum(shard.records for shard in shards[:k]) for k in range(len(shards))]
        rows = [row for row in ledger(out) if row["split"] == split]
        assert len(rows) == len(examples)
        for row in rows:
            found = examples[starts[row["shard"]] + row["index"]]
            assert (found.key, found.subject) == (row["key"], row["subject"])
            assert manifest.classes[found.label].name == row["label"]
            assert (found.box.x0, found.box.y1) == (row["x0"], row["y1"])


def test_each_shard_is_a_fair_sample_of_its_split(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = build(archive, out, shard_size="3KB")
    whole = manifest.splits["train"]
    labels = [example.label for example in fertools.read_examples(out, "train")]
    at = 0
    for shard in whole.shards:
        inside = Counter(labels[at : at + shard.records])
        at += shard.records
        for label, entry in enumerate(manifest.classes[:3]):
            share = whole.classes[entry.name] * shard.records / whole.records
            assert abs(inside[label] - share) <= 1


def test_records_hold_no_name_unless_asked(archive: Path, tmp_path: Path) -> None:
    build(archive, tmp_path / "out")
    build(archive, tmp_path / "plain", keep_names=True)

    def text(out: Path) -> bytes:
        return b"".join(path.read_bytes() for path in out.glob("*.tfrecord-*"))

    assert person(3).encode() not in text(tmp_path / "out")
    assert person(3).encode() in text(tmp_path / "plain")
    assert str(tmp_path).encode() not in text(tmp_path / "plain")
    assert str(tmp_path) not in (tmp_path / "out" / "metadata.json").read_text("utf-8")


def test_what_is_no_example_has_a_row_with_its_reason(archive: Path, tmp_path: Path) -> None:
    home = archive / "odd"
    home.mkdir()
    (home / photo_name(1, "슬픔", 1)).write_bytes(photo(None))
    (home / photo_name(1, "슬픔", 2)).write_bytes(photo()[:300])
    (home / photo_name(1, "슬픔", 3)).write_bytes(b"")
    (home / photo_name(1, "슬픔", 4)).write_bytes(b"<html>not found</html>")
    (home / "IMG_0001.jpg").write_bytes(photo())
    (home / photo_name(1, "놀람", 6)).write_bytes(photo())
    (home / "Thumbs.db").write_bytes(b"x")
    (home / "label.json").write_bytes(b"[]")
    manifest = build(archive, tmp_path / "out")
    assert manifest.counts.members == 68
    assert manifest.counts.dropped == {
        "no_face": 1,
        "damaged": 1,
        "empty": 1,
        "unsupported": 1,
        "no_label": 2,
        "not_a_photo": 1,
        "label_file": 1,
    }
    rows = {str(row["key"]).rpartition("/")[2]: row for row in ledger(tmp_path / "out")}
    assert len(rows) == 68
    nameless = rows["IMG_0001.jpg"]
    assert (nameless["outcome"], nameless["split"], nameless["x0"]) == ("no_label", None, None)
    assert "놀람" in str(rows[photo_name(1, "놀람", 6)]["detail"])
    assert rows[photo_name(1, "슬픔", 1)]["digest"] == hashlib.sha256(photo(None)).hexdigest()


def test_two_workers_give_the_same_bytes_as_one(archive: Path, tmp_path: Path) -> None:
    build(archive, tmp_path / "one", shard_size="3KB")
    build(archive, tmp_path / "two", shard_size="3KB", jobs=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_another_run_of_the_same_command_changes_nothing(archive: Path, tmp_path: Path) -> None:
    first = build(archive, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert build(archive, tmp_path / "out") == first
    published = [path for path in before if path.is_file()]
    assert all(path.stat().st_mtime_ns == before[path] for path in published)


class Forbidden(BrightSpot):
    """The same detector by name, which must not be asked."""

    def detect(self, image: object) -> list[object]:  # type: ignore[override]
        raise AssertionError("this photo was looked at before")


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"split": "50/25/25"}, {"shard_size": "2KB"}, {"drop": ("기쁨",)}, {"name": "x"}],
)
def test_another_seed_split_or_class_set_keeps_the_faces(
    archive: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    out = tmp_path / "out"
    build(archive, out)
    build(archive, tmp_path / "fresh", **change)
    with pytest.raises(OutputError, match="--overwrite"):
        build(archive, out, **change)
    build(archive, out, detector=Forbidden(), overwrite=True, **change)
    assert digests(out) == digests(tmp_path / "fresh")


def test_a_difference_is_named(archive: Path, tmp_path: Path) -> None:
    build(archive, tmp_path / "out")
    with pytest.raises(OutputError, match=r"begun with size 16 \(now 24\): give"):
        build(archive, tmp_path / "out", size=24)
    (archive / photo_name(1, "중립", 9)).write_bytes(photo())
    with pytest.raises(OutputError, match=r"members 60 \(now 61\)"):
        build(archive, tmp_path / "out")


class Stops(BrightSpot):
    """Is interrupted at its twentieth photo."""

    asked = 0

    def detect(self, image: object) -> list[object]:  # type: ignore[override]
        Stops.asked += 1
        if Stops.asked == 20:
            raise KeyboardInterrupt
        return super().detect(image)  # type: ignore[arg-type,return-value]


def test_an_interrupted_build_goes_on_where_it_was(archive: Path, tmp_path: Path) -> None:
    build(archive, tmp_path / "fresh")
    with pytest.raises(KeyboardInterrupt):
        build(archive, tmp_path / "out", detector=Stops())
    assert not (tmp_path / "out" / "metadata.json").exists()
    Stops.asked = 100
    build(archive, tmp_path / "out", detector=Stops())
    assert 100 < Stops.asked - 100 + 100 < 160, "finished parts are not looked at again"
    assert digests(tmp_path / "out") == digests(tmp_path / "fresh")


def test_split_by_image_says_how_much_it_leaks(archive: Path, tmp_path: Path) -> None:
    report = fertools.build_dataset(
        archive,
        tmp_path / "out",
        split_by="image",
        **LOOK,  # type: ignore[arg-type]
    )
    assert report.manifest.splits["test"].records == 6
    assert any("6 of 6 test photos show a person of train" in w for w in report.warnings)


def test_photos_without_a_person_are_groups_of_their_own(tmp_path: Path) -> None:
    for word in ("happy", "sad"):
        (tmp_path / "src" / word).mkdir(parents=True)
        for i in range(10):
            (tmp_path / "src" / word / f"{i}.jpg").write_bytes(photo(seed=i + 10 * len(word)))
    manifest = build(tmp_path / "src", tmp_path / "out")
    assert [entry.name for entry in manifest.classes] == ["happy", "sad"]
    assert manifest.splits["train"].classes == {"happy": 8, "sad": 8}
    assert manifest.splits["train"].subjects == 0


def test_a_class_that_nobody_shows_keeps_its_index(archive: Path, tmp_path: Path) -> None:
    manifest = build(archive, tmp_path / "out")
    assert [entry.name for entry in manifest.classes][5] == "슬픔"
    assert (tmp_path / "out" / "label.labels.txt").read_text("utf-8").split()[2] == "분노"


def test_what_cannot_be_written_to_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="inside"):
        build(archive, archive / "out")
    with pytest.raises(OutputError, match="inside"):
        build(archive, archive)
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        build(archive, strange)
    with pytest.raises(OutputError, match="is a file"):
        build(archive, strange / "thesis.txt")
    assert [path.name for path in strange.iterdir()] == ["thesis.txt"]


def test_what_cannot_be_read_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        build(tmp_path / "missing", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="empty"):
        build(tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_that_cannot_be_meant_are_refused_before_any_work(
    archive: Path, tmp_path: Path
) -> None:
    for options, text in (
        ({"sise": 3}, "did you mean size"),
        ({"size": 0}, "0"),
        ({"split": "80/20"}, "80/20"),
        ({"split_by": "folder"}, "folder"),
        ({"shard_size": "0MB"}, "0MB"),
        ({"name": "1st"}, "1st"),
        ({"jobs": 0}, "--jobs 0"),
        ({"drop": ("joyy",)}, "joyy"),
    ):
        with pytest.raises(OptionError, match=text):
            build(archive, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_split_that_cannot_be_filled_is_refused(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=2)
    with pytest.raises(SplitError):
        build(source, tmp_path / "out")
    manifest = build(source, tmp_path / "out", split="50/50/0", overwrite=True)
    assert "test" not in manifest.splits
    assert manifest.splits["train"].subjects == 1


def test_nothing_is_written_to_the_archive(archive: Path, tmp_path: Path) -> None:
    def listing() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in archive.rglob("*")}

    before = listing()
    build(archive, tmp_path / "out", jobs=2)
    assert listing() == before


def test_a_second_build_into_one_out_is_refused(archive: Path, tmp_path: Path) -> None:
    from fertools.pipeline.build_dir import BuildDir

    build(archive, tmp_path / "out")
    with (
        BuildDir(tmp_path / "out").lock(),
        pytest.raises(OutputError, match="another build is writing"),
    ):
        build(archive, tmp_path / "out")
    build(archive, tmp_path / "out")

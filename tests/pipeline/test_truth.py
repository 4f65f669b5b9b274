"""True labels and splits that cannot leak, through the whole build with a fake detector."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import fertools
from fertools.data import Box
from fertools.dataset.report import DatasetReport
from fertools.errors import OptionError, SourceError, SplitError
from fertools.faces.extract import iou
from tests.fakes import BrightSpot, person, photo, photo_name, write_archive
from tests.labels.label_json import entry, label_file

LOOK = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}


def build(source: Path, out: Path, **options: Any) -> DatasetReport:
    return fertools.build_dataset(source, out, **LOOK | options)  # type: ignore[arg-type]


def ledger(out: Path) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(out / "ledger.parquet").to_pylist()
    return {row["key"].rpartition("/")[2]: row for row in rows}


def record(name: str, *votes: str) -> dict[str, Any]:
    boxes = {"minX": 10, "minY": 8, "maxX": 40, "maxY": 40}
    blocks = {
        f"annot_{who}": {"faceExp": vote, "boxes": boxes}
        for who, vote in zip("ABC", votes, strict=True)
    }
    return {"filename": name, "faceExp_uploader": name.split("_")[3], **blocks}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Nine people, one photo each in 기쁨 and 불안; annotators doubt some 불안."""
    source = write_archive(tmp_path / "src", people=9, shots=1, emotions=("기쁨", "불안"))
    records = [record(photo_name(who, "기쁨", 0), "기쁨", "기쁨", "기쁨") for who in range(9)]
    for who in range(8):  # the ninth has no record
        votes = ("불안",) * 3 if who < 2 else ("슬픔", "슬픔", "불안")
        votes = ("불안", "슬픔", "알수없음") if who == 7 else votes
        records.append(record(photo_name(who, "불안", 0), *votes))
    records.append(record("nobody_여_20_불안_도심 환경_20210101120000-008-001.jpg", *["불안"] * 3))
    home = source / "[라벨]EMOIMG_불안_TRAIN"
    home.mkdir()
    text = json.dumps(records, ensure_ascii=False)
    (home / "img_emotion_training_data(불안).json").write_text(text, encoding="utf-8-sig")
    return source


def test_the_majority_overrules_the_name_and_the_disputed_are_rows(
    labelled: Path, tmp_path: Path
) -> None:
    report = build(labelled, tmp_path / "out", labels="majority")
    rows = ledger(tmp_path / "out")
    assert Counter(row["label"] for row in rows.values() if row["split"]) == {
        "기쁨": 9,
        "불안": 2,
        "슬픔": 5,
    }
    disputed = rows[photo_name(7, "불안", 0)]
    assert disputed["outcome"] == "disputed"
    assert "슬픔" in disputed["detail"]
    assert rows[photo_name(8, "불안", 0)]["outcome"] == "disputed"
    assert rows[photo_name(3, "불안", 0)]["emotion"] == "불안"
    assert report.manifest.proof.agreement == {"기쁨": (9, 9, 9), "불안": (8, 2, 2)}
    assert (report.manifest.proof.unlabelled, report.manifest.proof.unmatched) == (1, 1)


def test_disputed_photos_may_keep_the_names_label(labelled: Path, tmp_path: Path) -> None:
    report = build(labelled, tmp_path / "out", labels="unanimous", disputed="keep")
    assert report.manifest.counts.dropped == {"label_file": 1}
    assert {row["label"] for row in ledger(tmp_path / "out").values()} == {"기쁨", "불안", None}


def test_votes_go_into_the_examples_and_the_ledger(labelled: Path, tmp_path: Path) -> None:
    report = build(labelled, tmp_path / "out", keep_names=True)
    assert report.manifest.votes
    examples = {e.key.rpartition("/")[2]: e for e in fertools.read_examples(tmp_path / "out")}
    votes = {name: (e.votes, e.uploader) for name, e in examples.items()}
    assert votes[photo_name(0, "불안", 0)] == ((0, 0, 0, 3, 0, 0, 0), 3)
    assert votes[photo_name(4, "불안", 0)] == ((0, 0, 0, 1, 0, 2, 0), 3)
    assert votes[photo_name(7, "불안", 0)] == ((0, 0, 0, 1, 0, 1, 0), 3)
    assert votes[photo_name(8, "불안", 0)] == ((0,) * 7, -1)
    rows = ledger(tmp_path / "out")
    assert said(rows[photo_name(7, "불안", 0)]) == ["불안", "불안", "슬픔", "알수없음"]
    assert said(rows[photo_name(8, "불안", 0)]) == [None] * 4
    assert rows[photo_name(4, "불안", 0)]["votes"] == [0, 0, 0, 1, 0, 2, 0]
    assert rows[photo_name(8, "불안", 0)]["votes"] == [0] * 7
    features = json.loads((tmp_path / "out" / "features.json").read_text("utf-8"))
    votes_, uploader = (features["featuresDict"]["features"][n] for n in ("votes", "uploader"))
    assert votes_["tensor"]["shape"] == {"dimensions": ["7"]}
    assert uploader["tensor"] == {"shape": {}, "dtype": "int64", "encoding": "none"}


def test_the_ledger_keeps_what_was_said_of_a_photo_that_is_dropped(
    labelled: Path, tmp_path: Path
) -> None:
    build(labelled, tmp_path / "out", labels="unanimous", drop=["기쁨"], split="100/0/0")
    rows = ledger(tmp_path / "out")
    disputed, joy = rows[photo_name(4, "불안", 0)], rows[photo_name(0, "기쁨", 0)]
    assert [row["outcome"] for row in (disputed, joy)] == ["disputed", "class_dropped"]
    assert said(disputed) == ["불안", "슬픔", "슬픔", "불안"]
    assert said(joy) == ["기쁨"] * 4
    assert (sum(disputed["votes"]), sum(joy["votes"])) == (3, 0), "기쁨 is no class here"
    label_file = rows["img_emotion_training_data(불안).json"]
    assert [label_file["votes"], *said(label_file)] == [None] * 5
    assert fertools.verify(tmp_path / "out", quiet=True).ok


def said(row: dict[str, Any]) -> list[str | None]:
    return [row[slot] for slot in ("uploader", "annot_a", "annot_b", "annot_c")]


def test_an_archive_without_records_has_no_votes(tmp_path: Path) -> None:
    report = build(write_archive(tmp_path / "src"), tmp_path / "out")
    assert not report.manifest.votes
    example = next(iter(fertools.read_examples(tmp_path / "out")))
    assert (example.votes, example.uploader) == ((), -1)
    row = next(iter(ledger(tmp_path / "out").values()))
    assert [row["votes"], *said(row)] == [None] * 5


def test_a_complete_dataset_of_format_1_stays_until_it_is_asked_for(
    labelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(labelled, out)
    manifest = out / "metadata.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"format": 2', '"format": 1'), "utf-8")
    old = manifest.read_bytes()
    (line,) = (w for w in build(labelled, out).warnings if "format 1" in w)
    assert line.endswith(f"remove {manifest} and give the same command to write format 2")
    assert manifest.read_bytes() == old
    manifest.unlink()
    assert build(labelled, out).manifest.format == 2


def test_people_who_share_a_picture_are_never_parted(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=12)
    home = source / "again"
    home.mkdir()
    for who in range(0, 12, 2):  # six pairs of people tied by one picture each
        (home / photo_name(who, "기쁨", 7)).write_bytes(photo(seed=5000 + who))
        (home / photo_name(who + 1, "기쁨", 7)).write_bytes(photo(seed=5000 + who))
    report = build(source, tmp_path / "out", split="50/25/25")
    homes: dict[str, set[str]] = {}
    for row in ledger(tmp_path / "out").values():
        homes.setdefault(row["subject"], set()).add(row["split"])
    assert all(homes[person(who)] == homes[person(who + 1)] for who in range(0, 12, 2))
    assert (report.manifest.proof.ties, report.manifest.proof.copies_across) == (6, 0)
    assert report.manifest.proof.overlap == 0
    assert report.manifest.proof.largest_tie == 2


def test_duplicates_may_be_dropped(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    (source / "again").mkdir()
    name = photo_name(3, "기쁨", 0)
    original = next(source.rglob(name))
    (source / "again" / name.replace(".jpg", " (1).jpg")).write_bytes(original.read_bytes())
    assert build(source, tmp_path / "kept").manifest.counts.kept == 61
    report = build(source, tmp_path / "dropped", duplicates="drop")
    assert report.manifest.counts.dropped == {"duplicate": 1}
    row = ledger(tmp_path / "dropped")[name.replace(".jpg", " (1).jpg")]
    assert (row["outcome"], name in row["detail"], row["split"]) == ("duplicate", True, None)


def test_one_picture_under_two_classes_is_listed_twice_and_used_never(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    original = next(source.rglob(photo_name(3, "기쁨", 0)))
    (original.parent / photo_name(3, "분노", 9)).write_bytes(original.read_bytes())
    report = build(source, tmp_path / "out")
    assert report.manifest.counts.dropped == {"conflicting_label": 2}
    rows = ledger(tmp_path / "out")
    assert "분노" in rows[photo_name(3, "기쁨", 0)]["detail"]
    assert "기쁨" in rows[photo_name(3, "분노", 9)]["detail"]


@pytest.mark.parametrize("owners", [(1, 1, 1), (1, 2, 3)])
def test_a_third_copy_does_not_survive_a_conflict(
    tmp_path: Path, owners: tuple[int, int, int]
) -> None:
    """V3: three copies named 기쁨, 기쁨, 당황, of one person and of three: none is used."""
    source = write_archive(tmp_path / "src", people=6)
    same = photo((30, 20, 24), seed=4242)
    emotions = ("기쁨", "기쁨", "당황")
    names = [
        photo_name(who, e, 50 + i) for i, (who, e) in enumerate(zip(owners, emotions, strict=True))
    ]
    for name in names:
        (source / name).write_bytes(same)
    report = build(source, tmp_path / "out")
    assert report.manifest.counts.dropped == {"conflicting_label": 3}
    rows = ledger(tmp_path / "out")
    assert [rows[name]["split"] for name in names] == [None] * 3
    assert f"당황 as {names[2]}" in rows[names[1]]["detail"]


@pytest.fixture
def halves(tmp_path: Path) -> Path:
    """Ten people in Training; two of them and three others in Validation."""
    source = write_archive(tmp_path / "src")
    home = source / "2.Validation" / "[원천]EMOIMG_기쁨_VALID"
    home.mkdir(parents=True)
    for who in (0, 1, 20, 21, 22):
        for emotion in ("기쁨", "당황", "분노"):
            name = photo_name(who, emotion, 30)
            # A square of another size and place for each: else these are copies of one picture.
            spot = (8 + 2 * who, 30, 12 + 2 * (who % 10))
            (home / name).write_bytes(photo(spot, seed=9000 + 10 * who + ord(emotion[0])))
    return source


def test_the_official_split_moves_out_who_is_in_both_halves(halves: Path, tmp_path: Path) -> None:
    report = build(halves, tmp_path / "out", split="official")
    rows = list(ledger(tmp_path / "out").values())
    assert {r["split"] for r in rows if "VALID" in r["container"]} == {"test"}
    assert {r["split"] for r in rows if "TRAIN" in r["container"]} == {"train", "validation", None}
    left_out = [row for row in rows if row["outcome"] == "overlap"]
    assert {row["subject"] for row in left_out} == {person(0), person(1)}
    assert len(left_out) == 12
    assert report.manifest.proof.overlap == 0
    assert any("2 people are in both official halves" in w for w in report.warnings)


def test_the_official_overlap_may_stay_and_is_reported(halves: Path, tmp_path: Path) -> None:
    report = build(halves, tmp_path / "out", split="official", overlap="report")
    assert report.manifest.counts.kept == 75
    assert report.manifest.proof.overlap == 2
    assert "people in more than one split: 2" in report.text()


def test_a_written_split_gives_the_same_split_to_others(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    build(source, tmp_path / "one", seed=5, split="60/20/20")
    build(source, tmp_path / "two", split_file=str(tmp_path / "one" / "splits.csv"))
    one, two = ledger(tmp_path / "one"), ledger(tmp_path / "two")
    assert {k: r["split"] for k, r in one.items()} == {k: r["split"] for k, r in two.items()}
    assert str(tmp_path) not in (tmp_path / "two" / "metadata.json").read_text("utf-8")


def test_a_split_file_may_leave_photos_out_and_leak(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    lines = ["name,split", f"{photo_name(1, '기쁨', 0)},train", f"{photo_name(1, '당황', 0)},test"]
    lines += [f"{photo_name(2, '기쁨', 0)},val"]
    (tmp_path / "s.csv").write_text("\n".join(lines), encoding="utf-8")
    report = build(source, tmp_path / "out", split_file=str(tmp_path / "s.csv"))
    assert report.manifest.counts.dropped == {"unassigned": 57}
    assert report.manifest.proof.overlap == 1
    assert any("1 people into more than one split" in w for w in report.warnings)


def leaky_file(source: Path, path: Path) -> str:
    """Write a split file that puts everybody into train and test."""
    names = sorted(photo.name for photo in source.rglob("*.jpg"))
    lines = [f"{name},{('train', 'train', 'test')[i % 3]}\n" for i, name in enumerate(names)]
    path.write_text("name,split\n" + "".join(lines), encoding="utf-8")
    return str(path)


def test_verify_passes_what_a_split_file_asked_for(tmp_path: Path) -> None:
    """V9: people and pictures in two splits are as built; others are not."""
    source = write_archive(tmp_path / "src", people=6)
    again = next(source.rglob(photo_name(0, "기쁨", 0)))
    (again.parent / photo_name(0, "기쁨", 40)).write_bytes(again.read_bytes())
    file = leaky_file(source, tmp_path / "s.csv")
    report = build(source, tmp_path / "out", split_file=file)
    assert report.manifest.proof.overlap == 6
    assert any("puts 6 people" in warning for warning in report.warnings)
    verdict = fertools.verify(tmp_path / "out", quiet=True)
    assert verdict.ok, verdict.text()


def test_verify_passes_official_halves_that_overlap(halves: Path, tmp_path: Path) -> None:
    """V9: --overlap report with --split official."""
    build(halves, tmp_path / "out", split="official", overlap="report")
    verdict = fertools.verify(tmp_path / "out", quiet=True)
    assert verdict.ok, verdict.text()


def test_copies_in_two_splits_are_counted_as_pictures_and_refused_in_training(
    tmp_path: Path,
) -> None:
    """R13: a split file may part copies; the manifest says so, and the trainer reads it."""
    from fertools.training.data import DatasetSplit

    source = write_archive(tmp_path / "src", people=6)
    home = source / "1.Training" / "[원천]EMOIMG_기쁨_TRAIN_01"
    for who in (0, 1, 2):  # one picture three times: three pairs, one picture
        (home / photo_name(who, "기쁨", 40)).write_bytes(photo(seed=77))
    lines = [f"{person(who)},{'test' if who == 2 else 'train'}\n" for who in range(6)]
    (tmp_path / "s.csv").write_text("subject,split\n" + "".join(lines), encoding="utf-8")
    report = build(source, tmp_path / "out", split_file=str(tmp_path / "s.csv"))
    proof = report.manifest.proof
    assert (proof.overlap, proof.ties, proof.copies_across) == (0, 3, 1)
    assert any("copies of 1 pictures into more than one split" in w for w in report.warnings)
    assert fertools.verify(tmp_path / "out", quiet=True).ok
    with pytest.raises(OptionError, match="--allow-leak"):
        DatasetSplit.open(tmp_path / "out", "train")


def test_a_split_file_in_nfd_names_the_same_photos(tmp_path: Path) -> None:
    """V10: macOS writes names in NFD."""
    source = write_archive(tmp_path / "src", people=6)
    file = Path(leaky_file(source, tmp_path / "s.csv"))
    file.write_text(unicodedata.normalize("NFD", file.read_text("utf-8")), "utf-8")
    report = build(source, tmp_path / "out", split_file=str(file))
    assert report.manifest.counts.dropped == {}


def test_a_split_file_that_names_nobody_is_an_option_error(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("name,split\nx.jpg,train\n", encoding="utf-8")
    with pytest.raises(OptionError, match="names none of the 60 photos by its column name"):
        build(write_archive(tmp_path / "src"), tmp_path / "out", split_file=str(tmp_path / "s.csv"))


def test_shares_are_measured_where_there_are_shares(halves: Path, tmp_path: Path) -> None:
    """V11: official train and validation among themselves, a split file not at all."""
    report = build(halves, tmp_path / "official", split="official")
    worst = report.manifest.proof.deviation
    assert {row[2] for row in worst.values()} == {0.0}  # test is not one of the shares
    trained, validated = (
        report.manifest.splits[s].classes["기쁨"] for s in ("train", "validation")
    )
    missed = 100 * (trained / (trained + validated) - 80 / 90)
    assert worst["기쁨"][0] == pytest.approx(missed, abs=1e-3)
    file = leaky_file(halves, tmp_path / "s.csv")
    report = build(halves, tmp_path / "file", split_file=file)
    assert report.manifest.proof.deviation == {}
    assert "from its share" not in report.text()


def test_few_photos_are_told_plainly(tmp_path: Path) -> None:
    """V11, T15: a class that cannot come closer, and one that is missing in a split."""
    source = write_archive(tmp_path / "src", people=6, shots=1, emotions=("기쁨", "당황"))
    for who in (0, 1):
        (source / photo_name(who, "슬픔", 0)).write_bytes(photo(seed=3 + who))
    text = build(source, tmp_path / "out").text()
    assert "its 2 photos are too few, or of too few people, to come closer" in text
    assert "has no photo of 슬픔 sadness: too few photos or people for every split" in text


def unnamed(folder: Path, each: int = 20) -> Path:
    for k, word in enumerate(("happy", "sad")):
        (folder / word).mkdir(parents=True)
        for i in range(each):
            (folder / word / f"{i}.jpg").write_bytes(photo((10 + i, 8, 24), seed=100 * k + i))
    return folder


def test_photos_without_a_person_are_not_called_people(tmp_path: Path) -> None:
    """V12, T16: no claim about people where no name carries one, and a warning."""
    report = build(unnamed(tmp_path / "src"), tmp_path / "out")
    assert report.manifest.proof.unknown_people == report.manifest.unknown_people == 40
    assert any(
        w.startswith("40 of 40 photos carry no person") and "cannot be excluded" in w
        for w in report.warnings
    )
    text = report.text()
    assert "people in more than one split" not in text
    assert "show a person of train" not in text
    assert "photos without a person in their names: 40 of 40; a leak through them cannot" in text
    census = fertools.stats(tmp_path / "src").text()
    assert "40 of 40 photos carry no person in their names" in census
    assert fertools.verify(tmp_path / "out", quiet=True).ok


def test_some_photos_without_a_person_are_counted(tmp_path: Path) -> None:
    """V12: the count of people stands, with what it leaves out."""
    source = write_archive(tmp_path / "src")
    (source / "joy").mkdir()
    (source / "joy" / "1.jpg").write_bytes(photo(seed=5))
    report = build(source, tmp_path / "out")
    assert report.manifest.proof.unknown_people == 1
    assert "people in more than one split: 0" in report.text()
    assert "photos without a person in their names: 1 of 61" in report.text()


def test_warnings_are_told_again_by_a_finished_build(tmp_path: Path) -> None:
    """A10: they are kept in the manifest, without a name of a file or a person."""
    source = write_archive(tmp_path / "src")
    first = build(source, tmp_path / "out", split_by="image")
    again = build(source, tmp_path / "out", split_by="image")
    assert first.warnings
    assert again.warnings == first.warnings
    assert again.manifest.warnings == first.warnings
    assert "warning: --split-by image leaks" in again.text()
    assert "warning: --split-by image leaks" in fertools.stats(tmp_path / "out").text()
    assert not any(person(who) in w for who in range(10) for w in first.warnings)


def test_the_closing_line_counts_altered_copies(tmp_path: Path) -> None:
    """T10: as many examples as the table and verify say."""
    report = build(write_archive(tmp_path / "src"), tmp_path / "out", augment=2)
    records = sum(split.records for split in report.manifest.splits.values())
    copies = report.manifest.proof.augmented
    told = f"{records} examples (60 photos and {copies} augmented copies) of 60 entries"
    assert records == 60 + copies
    assert told in report.text()


def test_stats_of_a_training_says_what_it_is(tmp_path: Path) -> None:
    """T11: the plots of a run are no photos of an archive."""
    run = tmp_path / "run"
    (run / "evaluation-test").mkdir(parents=True)
    for name in ("curves.png", "evaluation-test/confusion.png"):
        (run / name).write_bytes(photo())
    (run / "run.json").write_text("{}")
    (run / "history.csv").write_text("epoch\n")
    with pytest.raises(SourceError, match="is the folder of a training"):
        fertools.stats(run)


def test_escape_sequences_of_names_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """V15: in a census, in a report and in its warnings."""
    source = unnamed(tmp_path / "src", each=6)
    (source / "sad").rename(source / "a\x1b[31mred\x1b[2J")
    assert r"a\x1b[31mred\x1b[2J" in fertools.stats(source).text()
    report = build(source, tmp_path / "out\x1b[2J")
    assert r"a\x1b[31mred\x1b[2J" in report.text()
    for text in (fertools.stats(source).text(), report.text()):
        assert "\x1b" not in text
    odd = DatasetReport(report.out, report.manifest, ("no example of a\x1b[2J",))
    assert "\x1b" not in odd.text()


def test_caps_hold_and_do_not_hang_on_the_order_of_files(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    report = build(source, tmp_path / "out", max_per_subject=3, max_per_class=8)
    rows = [row for row in ledger(tmp_path / "out").values() if row["split"]]
    assert max(Counter(row["subject"] for row in rows).values()) == 3
    assert Counter(row["label"] for row in rows) == {"기쁨": 8, "당황": 8, "분노": 8}
    assert report.manifest.counts.dropped == {"capped": 36}


def test_altered_copies_are_of_train_alone(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    plain = build(source, tmp_path / "plain").manifest
    report = build(source, tmp_path / "out", augment=2, shard_size="4KB")
    splits = report.manifest.splits
    assert splits["train"].records == 3 * plain.splits["train"].records
    assert splits["test"].records == plain.splits["test"].records
    assert report.manifest.proof.augmented == 2 * plain.splits["train"].records
    assert report.manifest.counts.kept == 60
    keys = [e.key for e in fertools.read_examples(tmp_path / "out", "train")]
    originals = {key for key in keys if "+" not in key}
    assert Counter(key.partition("+")[0] for key in keys) == dict.fromkeys(originals, 3)
    assert originals == {e.key for e in fertools.read_examples(tmp_path / "plain", "train")}
    examples = list(fertools.read_examples(tmp_path / "out", "train"))
    assert len({e.image for e in examples if "+" in e.key}) == 2 * len(originals)
    rows = [row for row in ledger(tmp_path / "out").values() if row["split"] == "train"]
    assert {row["copies"] for row in rows} == {2}
    starts = [0]
    for shard in splits["train"].shards:
        starts.append(starts[-1] + shard.records)
    for row in rows:
        assert "+" not in examples[starts[row["shard"]] + row["index"]].key


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"split": "official", "split_by": "image"}, "contradict"),
        ({"split": "official", "split_file": "x.csv"}, "contradict"),
        ({"max_per_class": 0}, "--max-per-class 0"),
        ({"duplicates": "some"}, "keep or drop"),
        ({"augment": -1}, "--augment -1"),
        ({"labels": "two"}, "two"),
        ({"split_file": "nowhere.csv"}, "cannot be read"),
    ],
)
def test_options_that_contradict_are_refused(
    tmp_path: Path, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(OptionError, match=what):
        build(write_archive(tmp_path / "src"), tmp_path / "out", **options)


def test_votes_need_label_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="needs label files"):
        build(write_archive(tmp_path / "src"), tmp_path / "out", labels="majority")


def test_official_needs_both_halves(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="Training and Validation"):
        build(write_archive(tmp_path / "src"), tmp_path / "out", split="official")


def test_one_photo_has_one_iou_whatever_says_its_box(tmp_path: Path) -> None:
    """A11: with --detector aihub the annotators' box is clipped; so it is with any other."""
    source = write_archive(tmp_path / "src", people=3)
    names = [path.name for path in sorted(source.rglob("*.jpg"))]
    drawn = (-30.0, -20.0, 40.5, 40.5)
    labels = label_file(*(entry(name, boxes=[drawn] * 3) for name in names))
    (source / "labels.json").write_bytes(labels)
    build(source, tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "ledger.parquet").to_pylist()
    kept = [row for row in rows if row["outcome"] == "kept"]
    assert len(kept) == 18
    for row in kept:
        found = Box(row["x0"], row["y0"], row["x1"], row["y1"])
        assert row["iou"] == pytest.approx(iou(Box(0, 0, 40, 40), found))

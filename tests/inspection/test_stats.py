"""What `stats` counts is what an independent count of names and ledger rows finds."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import fertools
from fertools.cli import cli
from fertools.console import TABLE_WIDTH, display_width
from fertools.errors import DatasetError, OptionError
from fertools.training.data import DatasetSplit
from fertools.training.fit import TrainingData
from fertools.training.recipe import Recipe
from tests.fakes import photo, photo_name


def names(source: Path) -> list[list[str]]:
    """Split the names of photos that follow the grammar at "_"."""
    photos = source.rglob("*_*_*.jpg")
    return [path.stem.split("_") for path in photos]


def ledger(out: Path, kept: bool = True) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return [row for row in rows if row["outcome"] == "kept" or not kept]


def tables_of(text: str) -> list[str]:
    """Return the lines of all tables, which are paragraphs with a ruled line."""
    return [line for part in text.split("\n\n") if "──" in part for line in part.splitlines()]


def test_an_archive_is_counted_as_its_names_say(source: Path) -> None:
    census = fertools.stats(source).to_dict()
    found = names(source)
    assert census["photos"] == len(found) == 61
    assert census["members"] == 63
    assert census["classes"] == {"기쁨": 21, "당황": 20, "분노": 20, "불안": 0} | dict.fromkeys(
        ("상처", "슬픔", "중립"), 0
    )
    assert census["sexes"] == Counter(name[1] for name in found)
    assert census["ages"] == Counter(name[2] for name in found)
    assert census["places"] == Counter(name[4] for name in found)
    people = sorted(Counter(name[0] for name in found).values())
    assert census["subjects"] == len(people)
    assert census["photos_each"] == (people[0], people[len(people) // 2], people[-1])
    assert census["unparsed"]["photos"] == 1
    assert census["unparsed"]["examples"][0].endswith("TRAIN_01/IMG_1.jpg")
    assert census["dropped"] == {"no_label": 1, "not_a_photo": 1}
    assert [(c["entries"], c["photos"]) for c in census["containers"]] == [
        (23, 21),
        (20, 20),
        (20, 20),
    ]


def test_a_session_is_one_persons_burst(tmp_path: Path) -> None:
    shots = [0, 2, 4, 40, 59]  # seconds; 36 seconds are within one session
    for who, emotion in ((1, "기쁨"), (1, "슬픔"), (2, "기쁨")):
        for shot in shots:
            (tmp_path / photo_name(who, emotion, shot)).write_bytes(b"x")
    late = photo_name(1, "기쁨", 7).replace("120007", "120107").replace("202101", "202102")
    (tmp_path / late).write_bytes(b"x")
    census = fertools.stats(tmp_path)
    assert (census.to_dict()["sessions"], census.to_dict()["photos_each_session"]) == (
        4,
        (1, 5, 5),
    )


def test_a_dataset_is_counted_as_its_ledger_says(dataset: Path) -> None:
    rows = ledger(dataset)
    counted = fertools.stats(dataset).to_dict()
    table = {entry["name"]: entry for entry in counted["table"]}
    cells = Counter((row["label"], row["split"]) for row in rows)
    assert len(rows) == 60
    for name, entry in table.items():
        own = {split: cells[name, split] for split in ("train", "validation", "test")}
        everywhere = sum(own.values())
        assert (entry["photos"], entry["all"]) == (own, everywhere)
        assert entry["share"] == pytest.approx(everywhere / 60, abs=1e-6)
        if everywhere:
            assert entry["shares"]["train"] == pytest.approx(own["train"] / everywhere, abs=1e-6)
            assert entry["deviation"]["train"] == pytest.approx(
                100 * own["train"] / everywhere - 80, abs=0.01
            )
    assert counted["sexes"] == Counter(row["sex"] for row in rows)
    assert counted["ages"] == Counter(str(row["age"]) for row in rows)
    assert counted["places"] == Counter(row["place"] for row in rows)
    assert counted["outcomes"] == Counter(row["outcome"] for row in ledger(dataset, kept=False))
    assert counted["subjects"] == len({row["subject"] for row in rows}) == 10
    assert counted["people"]["train"] == len({r["subject"] for r in rows if r["split"] == "train"})
    assert (counted["sessions"], counted["photos_each_session"]) == (30, (2, 2, 2))
    assert counted["faces_each"] == {"1": 60}
    assert counted["enlarged"] == 0
    assert counted["votes_by_name"] is None and counted["ious"] is None
    assert counted["ledger_read"] and counted["notes"] == []
    sides = [min(row["x1"] - row["x0"], row["y1"] - row["y0"]) for row in rows]
    sizes = counted["face_sizes"]
    assert (sizes["least"], sizes["most"]) == (min(sides), max(sides))
    for histogram in (sizes, counted["confidences"]):
        assert len(histogram["edges"]) == len(histogram["counts"]) + 1
        assert sum(histogram["counts"]) == 60
    assert sizes["edges"][0] <= min(sides) and max(sides) <= sizes["edges"][-1]


def test_the_manifests_fields_are_still_there(dataset: Path) -> None:
    manifest = json.loads((dataset / "metadata.json").read_text("utf-8"))
    counted = json.loads(json.dumps(fertools.stats(dataset).to_dict()))
    assert {key: counted[key] for key in manifest} == manifest


def test_class_weights_are_those_of_train_balance(dataset: Path) -> None:
    split = DatasetSplit.open(dataset, "train")
    data = TrainingData(split, None, Recipe(balance=True), 0, False)
    weights = fertools.stats(dataset).class_weights  # type: ignore[union-attr]
    assert list(weights) == list(range(7))
    assert list(weights.values()) == pytest.approx(data._class_weights(), abs=1e-6)
    # On average over the examples of train a weight is 1.
    counts = split.counts
    mean = sum(c * w for c, w in zip(counts, weights.values(), strict=True)) / sum(counts)
    assert mean == pytest.approx(1)


def test_by_counts_combinations(source: Path, dataset: Path) -> None:
    by = fertools.stats(dataset, by="split,sex,age").to_dict()["by"]
    rows = ledger(dataset)
    expected = Counter((row["split"], row["sex"], str(row["age"])) for row in rows)
    assert {tuple(row[:3]): row[3] for row in by["rows"]} == expected
    assert by["fields"] == ["split", "sex", "age"]
    assert by["values"][0] == [s for s in ("train", "validation", "test") if s in by["values"][0]]
    by = fertools.stats(source, by=["sex", "class"]).to_dict()["by"]
    found = Counter((name[1], name[3]) for name in names(source))
    assert {tuple(row[:2]): row[2] for row in by["rows"]} == found
    assert by["values"][1] == ["기쁨", "당황", "분노"]  # in the order of the labels


def test_by_outcome_counts_every_entry(source: Path, dataset: Path) -> None:
    by = fertools.stats(dataset, by="outcome,sex").to_dict()["by"]
    found = Counter((row["outcome"], row["sex"]) for row in ledger(dataset, kept=False))
    assert by["counted"] == "entries"
    assert {tuple(row[:2]): row[2] for row in by["rows"]} == found
    by = fertools.stats(source, by="outcome").to_dict()["by"]
    assert dict(by["rows"]) == {"photo": 61, "no_label": 1, "not_a_photo": 1}


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("sox", "--by sox: there is no such field: did you mean sex?; choose from class, sex, age"),
        ("class,", "--by : there is no such field"),
        ("class,sex,class", "--by names class twice"),
        ("split", "--by split: only a built dataset has this field: give that, or choose from"),
    ],
)
def test_a_wrong_field_is_one_line(source: Path, by: str, message: str) -> None:
    with pytest.raises(OptionError) as error:
        fertools.stats(source, by=by)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_without_its_ledger_a_dataset_has_what_the_manifest_says(
    dataset: Path, tmp_path: Path
) -> None:
    """Only the shards were passed on, as OUT/README.md says."""
    out = tmp_path / "out"
    shutil.copytree(dataset, out, ignore=shutil.ignore_patterns(".fertools", "ledger.parquet"))
    bare, whole = fertools.stats(out), fertools.stats(dataset)
    assert "note: ledger.parquet is not here" in bare.text()
    assert bare.to_dict()["table"] == whole.to_dict()["table"]
    assert not bare.to_dict()["ledger_read"]
    assert bare.to_dict()["sexes"] is None
    assert bare.to_dict().keys() == whole.to_dict().keys()
    for by in ("class,split", "split", "split,class"):
        assert fertools.stats(out, by=by).csv() == fertools.stats(dataset, by=by).csv()
    with pytest.raises(DatasetError, match="--by sex needs the ledger"):
        fertools.stats(out, by="class,sex")


def test_a_damaged_ledger_is_a_note(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(dataset, out, ignore=shutil.ignore_patterns(".fertools"))
    (out / "ledger.parquet").write_bytes(b"PAR1 and no more")
    assert "note: ledger.parquet cannot be read" in fertools.stats(out).text()


def run(*words: object) -> str:
    result = CliRunner().invoke(cli, [*map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_csv_is_one_table(source: Path, dataset: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("stats", dataset, "--csv"))))
    assert [row["class"] for row in rows][:2] == ["기쁨", "당황"]
    assert sum(int(row["photos"]) for row in rows) == 60
    assert list(rows[0]) == [
        *("class", "english", "train", "validation", "test", "photos", "share", "weight"),
    ]
    rows = list(csv.DictReader(io.StringIO(run("stats", source, "--csv", "--by", "age,sex"))))
    found = Counter((name[2], name[1]) for name in names(source))
    assert {(row["age"], row["sex"]): int(row["photos"]) for row in rows} == found
    rows = list(csv.DictReader(io.StringIO(run("stats", source, "--csv"))))
    assert list(rows[0]) == ["class", "english", "photos", "share"]


def test_json_and_csv_contradict_each_other(source: Path) -> None:
    result = CliRunner().invoke(cli, ["stats", str(source), "--json", "--csv"])
    assert isinstance(result.exception, OptionError)


BYS = ("class", "class,sex", "split,place", "subject", "subject,split", "container,outcome", "age")


@pytest.mark.parametrize("by", ["", *BYS])
def test_tables_of_a_dataset_fit_80_columns(dataset: Path, by: str) -> None:
    text = fertools.stats(dataset, by=by or ()).text()
    assert tables_of(text)
    for line in tables_of(text):
        assert display_width(line) <= TABLE_WIDTH, line


def test_tables_of_long_korean_names_fit_and_line_up(tmp_path: Path) -> None:
    for name in ("가나다라마바사아자차카타파하" * 6, "short", "b" * 200):
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / "1.jpg").write_bytes(b"x")
    text = fertools.stats(tmp_path / "src").text()
    lines = tables_of(text)
    assert max(map(display_width, lines)) <= TABLE_WIDTH
    assert any("…" in line for line in lines)
    classes = text.split("\n\n")[1].splitlines()
    assert len({display_width(line) for line in classes if line.endswith("%")}) == 1


def test_hostile_names_are_printed_safely(tmp_path: Path) -> None:
    for folder in ("a\x1b[2J\u202e", "<img src=x onerror=alert(1)>"):
        (tmp_path / "src" / folder).mkdir(parents=True)
        (tmp_path / "src" / folder / "<img src=x onerror=alert(1)>.jpg").write_bytes(photo())
        (tmp_path / "src" / folder / "\x1b]0;x\x07\n.jpg").write_bytes(photo())
    for by in ((), ("class", "container"), ("class", "container", "outcome")):
        counted = fertools.stats(tmp_path / "src", by=by)
        text = counted.text()
        for shown in (text, counted.csv()):
            assert all(char.isprintable() or char == "\n" for char in shown)
        assert "<img src=x onerror=alert(1)>" in text  # text, not markup: nothing is lost
        assert r"a\x1b[2J\u202e" in text


def test_many_rows_are_cut_on_the_terminal_alone(tmp_path: Path) -> None:
    for who in range(60):
        (tmp_path / photo_name(who, "기쁨", who)).write_bytes(b"x")
    counted = fertools.stats(tmp_path, by="subject")
    assert "and 20 rows more: --csv prints all" in counted.text()
    assert len(counted.csv().splitlines()) == 61

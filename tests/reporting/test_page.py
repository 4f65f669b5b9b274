"""What is in a page, and what is not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fertools
from fertools.errors import DatasetError, OptionError, OutputError
from tests.reporting.datasets import EVIL
from tests.reporting.parsed import Parsed


@pytest.fixture(scope="module")
def page(dataset: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    source = dataset.parent / "archive"
    fertools.report(dataset, file, run=trained, source=source, quiet=True)
    return file


@pytest.fixture(scope="module")
def shared(dataset: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("shared") / "report.html"
    fertools.report(dataset, file, run=trained, photos=False, quiet=True)
    return file


def test_the_markup_is_whole(page: Path, shared: Path) -> None:
    for file in (page, shared):
        parsed = Parsed(file)
        assert parsed.open == []
        ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_the_policy_allows_this_script_and_style_and_nothing_from_outside(page: Path) -> None:
    parsed = Parsed(page)
    policy = next(
        attributes["content"] or ""
        for tag, attributes in parsed.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digests = {
        name: b64encode(sha256(parsed.scripts[name].encode()).digest()).decode()
        for name in ("script", "style")
    }
    assert rules == {
        "default-src": "'none'",
        "img-src": "blob: data:",
        "script-src": f"'sha256-{digests['script']}'",
        "style-src": f"'sha256-{digests['style']}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_in_the_page_is_loaded_or_run_by_an_attribute(page: Path) -> None:
    for tag, attributes in Parsed(page).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img")
        assert not any(name.startswith("on") or name in ("src", "style") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_a_name_with_markup_is_text(page: Path) -> None:
    parsed = Parsed(page)
    text = page.read_text("utf-8")
    assert EVIL not in text
    assert any(EVIL in shown for shown in parsed.texts)  # as a place, in a chart
    assert EVIL in parsed.figures["places"]
    assert any(key.endswith(f"{EVIL}.jpg") for key in parsed.column("key"))


def test_figures_are_those_of_stats(dataset: Path, page: Path) -> None:
    command = [sys.executable, "-m", "fertools", "stats", str(dataset), "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert Parsed(page).figures == json.loads(printed)


def test_every_ledger_row_is_there_with_its_fields(dataset: Path, page: Path) -> None:
    parsed, ledger = Parsed(page), pq.read_table(dataset / "ledger.parquet")
    assert parsed.data["wall"] == parsed.data["count"] == len(ledger)
    for name in ("key", "subject", "sex", "age", "outcome", "detail", "votes", "split", "x0"):
        assert parsed.column(name) == ledger[name].to_pylist(), name


def gray(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def test_a_picture_is_the_crop_of_its_row(dataset: Path, page: Path) -> None:
    parsed = Parsed(page)
    crops = {
        split: [gray(example.image) for example in fertools.read_examples(dataset, split)]
        for split in ("train", "test")
    }
    places = zip(*(parsed.column(name) for name in ("split", "index")), strict=True)
    compared = 0
    for row, (split, index) in enumerate(places):
        if split in crops:
            picture = gray(parsed.picture(row))
            crop = cv2.resize(crops[split][index], (64, 64))
            assert picture.shape == (64, 64)
            assert np.abs(picture.astype(int) - crop).mean() < 6
            compared += 1
    assert compared == sum(map(len, crops.values()))


def test_a_dropped_photo_is_shown_out_of_the_archive(page: Path) -> None:
    parsed = Parsed(page)
    outcomes = parsed.column("outcome")
    shown = {outcome for row, outcome in enumerate(outcomes) if parsed.picture(row)}
    assert shown == {"kept", "no_face", "no_label"}


def test_lists_point_at_what_they_are_about(dataset: Path, page: Path) -> None:
    parsed = Parsed(page)
    lists, labels = parsed.data["lists"], parsed.column("label")
    names = [entry["name"] for entry in parsed.data["classes"]]
    for item in lists["disputed"]:
        votes, label = parsed.column("votes")[item["rows"][0]], labels[item["rows"][0]]
        assert votes[names.index(label)] < sum(votes) / 2
    for item in lists["mistakes"]:
        (row,) = item["rows"]
        shares = parsed.column("probabilities")[row]
        predicted = names[int(np.argmax(shares))]
        assert predicted != labels[row]
        assert item["caption"].startswith(f"{labels[row]} → {predicted}, ")
    subjects = parsed.column("subject")
    assert lists["pairs"]
    for item in lists["pairs"]:
        first, second = item["rows"]
        assert subjects[first] != subjects[second]


def test_suspects_are_listed(dataset: Path, tmp_path: Path) -> None:
    keys = pq.read_table(dataset / "ledger.parquet", columns=["key"])["key"].to_pylist()
    file = dataset / "suspects.csv"
    file.write_text(
        f'key,label,suggested,quality\n"{keys[4]}",기쁨,슬픔,0.0312\nno,a,b,1\n', "utf-8"
    )
    try:
        fertools.report(dataset, tmp_path / "r.html", quiet=True)
        (item,) = Parsed(tmp_path / "r.html").data["lists"]["suspects"]
        assert item == {"rows": [4], "caption": "기쁨 → 슬픔, 0.03"}
        file.write_text("nothing\n1\n")
        with pytest.raises(DatasetError, match="run fertools suspects again"):
            fertools.report(dataset, tmp_path / "r.html", quiet=True)
    finally:
        file.unlink()


def test_the_same_input_gives_the_same_bytes(dataset: Path, page: Path, tmp_path: Path) -> None:
    run, source = dataset.parent / "run", dataset.parent / "archive"
    fertools.report(dataset, tmp_path / "again.html", run=run, source=source, quiet=True)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_a_page_to_share_has_no_photo_and_names_nobody(dataset: Path, shared: Path) -> None:
    parsed, ledger = Parsed(shared), pq.read_table(dataset / "ledger.parquet")
    text = shared.read_text("utf-8") + json.dumps(parsed.data, ensure_ascii=False)
    for name in ("key", "container", "subject", "stamp", "digest"):
        for value in filter(None, set(ledger[name].to_pylist())):
            assert value not in text, name
    assert not any(parsed.data["lengths"])
    assert parsed.data["lists"] == {}
    assert re.search(r"contains no photo, no file name", " ".join(parsed.texts))
    assert parsed.data["wall"] == len(ledger)  # it can still be filtered


def test_the_page_says_that_it_must_not_be_passed_on(page: Path) -> None:
    assert re.search(r"forbid passing the photos on", " ".join(Parsed(page).texts))


def test_of_many_examples_some_are_chosen_and_the_page_says_so(
    dataset: Path, tmp_path: Path
) -> None:
    made = fertools.report(dataset, tmp_path / "few.html", max_photos=10, quiet=True)
    parsed = Parsed(tmp_path / "few.html")
    assert (made.examples, made.kept) == (10, 60)
    assert "10 of 60 examples, chosen by a hash of their names" in " ".join(parsed.texts)
    on_wall = parsed.column("outcome")[: parsed.data["wall"]]
    assert on_wall.count("kept") == 10
    # What lists show comes from all rows.
    assert len(parsed.data["lists"]["least"]) == 18
    assert parsed.data["count"] > parsed.data["wall"]


def test_without_an_evaluation_one_line_says_what_to_do(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    made = fertools.report(dataset, tmp_path / "r.html", run=run, quiet=True)
    assert made.notes == ("the network is not evaluated yet: run fertools evaluate RUN OUT",)
    with pytest.raises(DatasetError, match="is not a run: give the folder that train wrote"):
        fertools.report(dataset, tmp_path / "r.html", run=tmp_path, quiet=True)


def test_an_evaluation_of_another_dataset_is_not_shown(
    dataset: Path, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "evaluation-test").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    metrics = json.loads((trained / "evaluation-test" / "metrics.json").read_text())
    other = json.dumps(metrics | {"manifest": "0" * 64})
    (run / "evaluation-test" / "metrics.json").write_text(other)
    made = fertools.report(dataset, tmp_path / "r.html", run=run, quiet=True)
    assert made.notes == (
        "the evaluation of test is of another dataset: run fertools evaluate again",
    )


def test_only_a_report_is_replaced(dataset: Path, page: Path, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.html"
    mine.write_text("<h1>mine</h1>")
    with pytest.raises(OutputError, match="is no report of fertools"):
        fertools.report(dataset, mine, quiet=True)
    with pytest.raises(OptionError, match=r"let it end in \.html"):
        fertools.report(dataset, tmp_path / "photo.jpg", quiet=True)
    with pytest.raises(OutputError, match="make it first"):
        fertools.report(dataset, tmp_path / "gone" / "r.html", quiet=True)
    with pytest.raises(OptionError, match=r"--source .* has no effect without --photos"):
        fertools.report(dataset, mine, photos=False, source=tmp_path)
    mine.write_bytes(page.read_bytes())
    fertools.report(dataset, mine, photos=False, quiet=True)
    assert len(mine.read_bytes()) < len(page.read_bytes())


def test_where_only_shards_were_passed_on_the_ledger_is_elsewhere(
    dataset: Path, tmp_path: Path
) -> None:
    (dataset / "ledger.parquet").rename(tmp_path / "ledger.parquet")
    try:
        with pytest.raises(DatasetError, match=r"no ledger\.parquet, only what was passed on: the"):
            fertools.report(dataset, tmp_path / "r.html", quiet=True)
    finally:
        (tmp_path / "ledger.parquet").rename(dataset / "ledger.parquet")


def test_a_shard_that_is_gone_is_one_line(dataset: Path, tmp_path: Path) -> None:
    shard = next(dataset.glob("*-test.tfrecord-*"))
    shard.rename(tmp_path / shard.name)
    try:
        with pytest.raises(DatasetError, match="is missing: put it back"):
            fertools.report(dataset, tmp_path / "r.html", quiet=True)
        assert fertools.report(dataset, tmp_path / "r.html", photos=False, quiet=True)
    finally:
        (tmp_path / shard.name).rename(shard)

"""`fertools labels` reads a ledger, and says and writes what its votes are worth."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import fertools
from fertools.cli import cli
from fertools.console import display_width
from fertools.dataset.manifest import MANIFEST, ClassName, Manifest
from fertools.errors import DatasetError, OutputError
from fertools.inspection.label_quality.report import CEILINGS, LabelReport
from fertools.labels.filename import EMOTIONS
from fertools.votes.dawid_skene import fit
from tests.inspection.voted import write_voted
from tests.votes.drawn import ARCHIVE, draw

DRAWN = draw(ARCHIVE, 1000, seed=0)


@pytest.fixture(scope="module", autouse=True)
def few_draws() -> Iterator[None]:
    """Fit the model ten times for its intervals, not 200 times: enough to see that they exist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fertools.votes.survey._MODEL_DRAWS", 10)
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("voted")
    write_voted(out, DRAWN)
    return out


@pytest.fixture(scope="module")
def report(out: Path) -> LabelReport:
    return fertools.measure_labels(out)


def test_the_command_prints_the_figures_as_json(out: Path, report: LabelReport) -> None:
    run = CliRunner().invoke(cli, ["labels", str(out), "--json"])
    found = json.loads(run.stdout)
    assert found == report.to_dict()
    assert found["classes"] == [*EMOTIONS]
    model = fit(DRAWN.counts, DRAWN.uploader)
    assert found["annotator_confusion"] == model.annotator.tolist()
    assert model.uploader is not None
    assert found["uploader_confusion"] == model.uploader.tolist()
    assert found["priors"] == model.priors.tolist()
    assert found["krippendorff_alpha"] == pytest.approx(report.survey.alpha.value)
    assert found["fleiss_kappa_votes"] == 3
    for name, each in found["ceilings"].items():
        assert each["low"] < each["value"] < each["high"], name
        assert each["definition"] and each["source"]


def test_labels_parquet_has_a_posterior_for_each_photo(out: Path, report: LabelReport) -> None:
    table = pq.read_table(out / "labels.parquet")
    ledger = pq.read_table(out / "ledger.parquet")
    assert table["key"].to_pylist() == ledger["key"].to_pylist()
    posterior = np.array(table["posterior"].to_pylist())
    expected = report.survey.model.posterior(DRAWN.counts, DRAWN.uploader)
    assert posterior == pytest.approx(expected, abs=1e-6)
    assert table["name"].to_pylist() == ledger["emotion"].to_pylist()
    assert table["votes"].to_pylist() == DRAWN.counts.tolist()
    most = table["majority"].to_pylist()
    assert most.count(None) == report.survey.confusion[:, -1].sum()
    assert json.loads(table.schema.metadata[b"fertools.classes"]) == [*EMOTIONS]


def test_the_same_ledger_gives_the_same_bytes(out: Path, report: LabelReport) -> None:
    assert report.out == out
    first = (out / "labels.parquet").read_bytes()
    fertools.measure_labels(out)
    assert (out / "labels.parquet").read_bytes() == first


def test_the_csv_has_every_figure(out: Path, report: LabelReport, tmp_path: Path) -> None:
    fertools.measure_labels(out, csv=tmp_path / "figures.csv")
    with (tmp_path / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {row["figure"]: row for row in rows}
    assert {*CEILINGS, "fleiss_kappa", "krippendorff_alpha", "pairwise_agreement"} <= {*figures}
    assert float(figures["fleiss_kappa"]["value"]) == report.survey.kappa.value
    named = [(row["of"], row["name"]) for row in rows if row["figure"] == "name_agreement"]
    assert named == [(share.heading, share.name) for share in report.survey.named]


def test_the_text_fits_a_terminal_and_names_every_figure(report: LabelReport) -> None:
    text = report.text()
    assert max(map(display_width, text.splitlines())) <= 80
    assert all(meaning.title in text for meaning in CEILINGS.values())
    assert "warning" not in text
    assert text.startswith("1,000 photos with votes, 20 people, 95 % intervals over people\n")


def test_the_text_says_where_no_person_is_known(report: LabelReport) -> None:
    some = replace(report, survey=replace(report.survey, unknown=7)).text()
    assert "20 people, 7 of no known person, 95 % intervals over people" in some
    none = replace(report, survey=replace(report.survey, people=0, unknown=1000)).text()
    assert "votes, 1,000 of no known person, 95 % intervals over photos" in none


def test_long_names_of_classes_fit_a_terminal(report: LabelReport) -> None:
    words = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "contempt"]
    wide = replace(report, classes=tuple(ClassName(word, word) for word in words))
    assert max(map(display_width, wide.text().splitlines())) <= 80


def test_votes_that_are_only_counted(tmp_path: Path) -> None:
    write_voted(tmp_path, draw(ARCHIVE, 400, seed=1, slots=10), slots=False)
    report = fertools.measure_labels(tmp_path)
    assert report.to_dict()["slots"] == []
    assert report.to_dict()["uploader_confusion"] is None
    assert "not known: no figures by slot" in report.text()
    assert report.survey.kappa_votes in (9, 10)
    named = {each.name: each.number for each in report.survey.named if each.heading == "class"}
    assert [*named] == [*EMOTIONS.values()]
    assert sum(named.values()) == 400


def test_classes_that_look_alike_are_named(tmp_path: Path) -> None:
    rows = ARCHIVE.annotator.copy()
    rows[3] = rows[1]
    write_voted(tmp_path, draw(replace(ARCHIVE, annotator=rows), 5000, seed=7))
    report = fertools.measure_labels(tmp_path)
    (doubt,) = report.to_dict()["doubts"]
    assert "당황 and 불안" in doubt
    assert f"warning: {doubt}" in report.text()


def change(out: Path, **fields: object) -> None:
    manifest = replace(Manifest.read(out), **fields)  # type: ignore[arg-type]
    (out / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"votes": False}, "had no label records: add"),
        ({"format": 1}, "give the same build-dataset command again, finished faces are used"),
    ],
)
def test_datasets_without_what_it_needs(
    tmp_path: Path, fields: dict[str, object], says: str
) -> None:
    write_voted(tmp_path, draw(ARCHIVE, 20, seed=0))
    change(tmp_path, **fields)
    with pytest.raises(DatasetError, match=says):
        fertools.measure_labels(tmp_path)
    assert not (tmp_path / "labels.parquet").exists()


def test_a_ledger_that_cannot_be_read(tmp_path: Path) -> None:
    write_voted(tmp_path, draw(ARCHIVE, 20, seed=0))
    (tmp_path / "ledger.parquet").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="put a whole copy back"):
        fertools.measure_labels(tmp_path)


def test_where_only_shards_were_passed_on_the_ledger_is_elsewhere(tmp_path: Path) -> None:
    write_voted(tmp_path, draw(ARCHIVE, 20, seed=0))
    (tmp_path / "ledger.parquet").unlink()
    with pytest.raises(DatasetError) as error:
        fertools.measure_labels(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} has no ledger.parquet, only what was passed on: the ledger stays with who "
        "built the dataset, so give the folder that build-dataset wrote"
    )


def test_a_csv_in_a_missing_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    write_voted(tmp_path, draw(ARCHIVE, 20, seed=0))
    with pytest.raises(OutputError, match="gone is not a folder: make it first, or give another"):
        fertools.measure_labels(tmp_path, csv=tmp_path / "gone" / "l.csv")
    assert not (tmp_path / "labels.parquet").exists()

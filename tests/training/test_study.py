"""The study's arms are options that there are, and its table says what the runs measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.options import TrainOptions

STUDY = Path(__file__).parents[2] / "examples" / "study.py"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The example, imported from where it lies."""
    spec = importlib.util.spec_from_file_location("study", STUDY)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["study"] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def test_every_arm_differs_from_the_base_in_one_thing(study: ModuleType) -> None:
    base = next(arm for arm in study.ARMS if arm.name == "base")
    for arm in study.ARMS:
        recipe = TrainOptions.of(arm.options).flat()
        other = {name for name, value in TrainOptions().flat().items() if recipe[name] != value}
        kinds = len({name.partition("_")[0] for name in other}) + (arm.split_by != base.split_by)
        assert kinds == (arm is not base), arm.name


def test_every_noise_arm_learns_something_else(study: ModuleType) -> None:
    rules = [TrainOptions.of(arm.options).soft_labels for arm in study.NOISE_ARMS]
    assert rules == ["none", "majority", "votes", "posterior"]
    assert all(len(arm.options) <= 1 for arm in study.NOISE_ARMS)


def test_names_are_made_wrong_and_the_truth_and_the_votes_are_kept(
    study: ModuleType, tmp_path: Path
) -> None:
    src, target = tmp_path / "src", tmp_path / "misnamed"
    fertools.make_sample(src, people=3, photos=42, megapixels=0.1, form="folders")
    study.misname(src, target)
    study.misname(src, target)  # again after a study that was stopped
    truth = json.loads((target / study.TRUTH).read_text("utf-8"))
    photos = {path.name: path for path in target.rglob("*.jp*g")}
    assert photos.keys() == truth.keys() and len(truth) == 42
    named = {name: name.split("_")[3] for name in truth}
    right = sum(named[name] == shown for name, shown in truth.items())
    assert 10 < right < 32  # 0.48 of 42
    before, after = (
        {
            record["filename"].rpartition("_")[2]: record
            for file in sorted(home.rglob("*.json"))
            for record in study.read_records(file)
        }
        for home in (src, target)
    )
    for stamp, record in after.items():
        old, name = before[stamp], record["filename"]
        assert record["faceExp_uploader"] == named[name]
        assert truth[name] == old["faceExp_uploader"]
        assert [record[f"annot_{x}"] for x in "ABC"] == [old[f"annot_{x}"] for x in "ABC"]


def test_accuracy_against_the_truth_is_counted_by_person(study: ModuleType, tmp_path: Path) -> None:
    truth = {"a_1.jpg": "기쁨", "a_2.jpg": "슬픔", "b_1.jpg": "슬픔"}
    (tmp_path / "misnamed").mkdir()
    (tmp_path / "misnamed" / study.TRUTH).write_text(json.dumps(truth), "utf-8")
    for arm in study.NOISE_ARMS:
        for seed, said in enumerate(([0, 0, 0], [0, 1, 1] if arm.options else [0, 0, 1])):
            home = study.folder(tmp_path, arm, seed) / "evaluation-test"
            home.mkdir(parents=True)
            classes = {"classes": [{"name": "기쁨"}, {"name": "슬픔"}]}
            (home / "metrics.json").write_text(json.dumps(classes), "utf-8")
            keys = [f"folder/{name}" for name in truth]
            table = pa.table({"key": keys, "predicted": said})
            pq.write_table(table, home / "predictions.parquet")
    found = study.against_truth(tmp_path, study.NOISE_ARMS[0], 1)
    assert found.tolist() == [[1, 2], [1, 1]]
    study.report_noise(tmp_path, 2)
    lines = (tmp_path / "noise.md").read_text("utf-8").splitlines()
    assert lines[2].startswith("| names | 0.500 (") and "| 0.333, 0.667 | 0.000 (0.0" in lines[2]
    assert lines[-1].startswith("| posterior | 0.667 (")
    assert "| 0.333, 1.000 | 0.167 (" in lines[-1]


def test_the_table_holds_mean_and_range_of_the_seeds(study: ModuleType, tmp_path: Path) -> None:
    for arm in study.ARMS:
        for seed, accuracy in enumerate((0.8, 0.9)):
            for split, more in (("validation", 0.05), ("test", 0.0)):
                file = study.folder(tmp_path, arm, seed) / f"evaluation-{split}" / "metrics.json"
                file.parent.mkdir(parents=True)
                value = {"value": accuracy + more}
                found = {"accuracy": value, "macro_f1": value, "calibration_error": 0.1}
                file.write_text(json.dumps(found))
    study.report(tmp_path, 2)
    lines = (tmp_path / "study.md").read_text("utf-8").splitlines()
    row = "| base | 0.900 (0.850 to 0.950) | 0.850 (0.800 to 0.900) | +0.050 | 0.850 | 0.100 |"
    assert row in lines
    assert len(lines) == 2 + len(study.ARMS)
    assert (tmp_path / "study.png").stat().st_size > 1000

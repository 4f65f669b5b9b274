"""The study's arms are options that there are, and its table says what the runs measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

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

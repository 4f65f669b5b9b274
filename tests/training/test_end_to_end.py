"""From a dataset to a run, and from the run to figures, answers and a file for others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fertools
from fertools.errors import OptionError
from fertools.inference.predictions import probabilities
from fertools.training.run import Run
from tests.fakes import BrightSpot, photo
from tests.training.datasets import write_splits
from tests.training.fakes import SIZE, square


@pytest.mark.slow
def test_a_run_is_measured_asked_and_exported(tmp_path: Path) -> None:
    out = write_splits(tmp_path / "out", {"train": 48, "validation": 12, "test": 24})
    recipe = {"depth": 8, "width": 4, "augment": "none", "stretch": "never", "batch": 8}
    recipe |= {"head": "flatten", "head_units": 32}  # as in the recipe of the talk
    run = tmp_path / "run"
    fertools.train(out, run, epochs=12, quiet=True, **recipe)  # type: ignore[arg-type]

    found = fertools.evaluate(run, out, batch=7)
    assert found.warnings == ()
    assert found.metrics.photos == 24
    network = Run.read(run).model()
    said = probabilities(network, [square(label) for label in range(3)], SIZE)
    right = np.mean(said.argmax(1) == np.arange(3))
    assert found.metrics.accuracy.value == pytest.approx(right)

    (tmp_path / "a.jpg").write_bytes(photo((20, 16, 24)))
    (one,) = fertools.predict(run, tmp_path / "a.jpg", detector=BrightSpot())
    assert sum(one.probabilities) == pytest.approx(1, abs=1e-5)
    assert fertools.export(run, to="savedmodel").difference <= 1e-5

    fertools.evaluate(run, out, weights="last", split="validation")
    with pytest.raises(OptionError, match="choose best or last"):
        fertools.evaluate(run, out, weights="worst")  # type: ignore[arg-type]

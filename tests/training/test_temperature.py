"""The temperature that calibrates a network, on networks whose error is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.inference.predictions import Predictions
from fertools.training.checkpoints import Row, Store
from fertools.training.temperature import LIMITS, fit_temperature

Floats = NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def drawn(photos: int, scale: float) -> tuple[Floats, NDArray[np.int64]]:
    """Draw classes from probabilities, and give logits of a network that is too sure by `scale`."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(photos, 5))
    classes = np.array([rng.choice(5, p=p) for p in softmax(logits)])
    return scale * logits, classes


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_a_network_that_is_too_sure_by_a_factor_gets_that_temperature(scale: float) -> None:
    assert fit_temperature(*drawn(20_000, scale)) == pytest.approx(scale, rel=0.03)


def test_no_other_temperature_makes_the_classes_likelier() -> None:
    logits, classes = drawn(5_000, 2.0)

    def loss(temperature: float) -> float:
        true = softmax(logits / temperature)[np.arange(len(classes)), classes]
        return float(-np.log(true).mean())

    found = fit_temperature(logits, classes)
    assert loss(found) < min(loss(0.95 * found), loss(1.05 * found), loss(1.0))


def test_validation_without_a_mistake_has_a_temperature_too() -> None:
    logits = 9 * np.eye(3)[np.arange(90) % 3]
    found = fit_temperature(logits, np.arange(90) % 3)
    assert softmax(logits / found).max(1) == pytest.approx(np.full(90, 91 / 92), abs=1e-6)
    assert fit_temperature(np.zeros((4, 3)), np.arange(4) % 3) >= LIMITS[0]


def test_figures_without_the_temperature_are_those_of_the_network_itself() -> None:
    logits, classes = drawn(50, 2.0)
    words, votes = np.full(50, ""), np.empty((50, 0), np.int64)
    probabilities = softmax(logits / 1.7).astype(np.float32)
    scaled = Predictions(probabilities, classes, words, words, classes, words, votes, classes)
    np.testing.assert_allclose(scaled.unscaled(1.7).probabilities, softmax(logits), atol=1e-6)


def test_a_temperature_belongs_to_the_weights_that_it_was_fitted_for(tmp_path: Path) -> None:
    store = Store(tmp_path)
    rows: list[Row] = [{"epoch": 1, "val_f1": 0.9}, {"epoch": 2, "val_f1": 0.1}]
    store.commit(rows[:1], b"state 1", b"network 1")
    assert not store.is_calibrated()
    store.keep_temperature("best", store.identify("best").sha256, 1.5)
    store.keep_temperature("last", "f" * 64, 9.0)  # of weights that are gone
    assert (store.identify("best").temperature, store.identify("last").temperature) == (1.5, None)
    store.keep_temperature("last", store.identify("last").sha256, 0.5)
    assert store.is_calibrated()
    store.commit(rows, b"state 2", b"network 2")  # the best weights stay, the last are new
    assert (store.identify("best").temperature, store.identify("last").temperature) == (1.5, None)
    store.weights("best").write_bytes(b"other")
    assert store.identify("best").temperature is None


@pytest.mark.parametrize("temperature", [0, -1, float("inf"), float("nan"), "hot"])
def test_a_temperature_that_is_none_counts_as_damage(tmp_path: Path, temperature: object) -> None:
    store = Store(tmp_path)
    store.commit([{"epoch": 1, "val_f1": 0.9}], b"state", b"network")
    tree = json.loads((tmp_path / "weights.json").read_bytes())
    tree["best"]["temperature"] = temperature
    (tmp_path / "weights.json").write_text(json.dumps(tree))
    assert store.identify("best").epoch is None
    assert not store.is_current()

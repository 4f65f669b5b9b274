"""Calibrate a network: one temperature T by which its logits are divided before softmax.

Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2: T is what makes the classes
of validation most likely. A network that is too sure has a T above 1, one that is not sure enough
(label smoothing makes it so) a T below 1. The order of the classes does not change, so neither
do accuracy and F1. T is kept in weights.json beside the SHA-256 of the weights that it belongs
to, and everything that returns probabilities divides by it: evaluate, predict, export.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.options import Weights
from fertools.training.run import Build, Run

if TYPE_CHECKING:
    import tensorflow as tf

Floats = NDArray[np.float64]

#: The limits of a temperature: beyond them probabilities are those of chance, or 0 and 1.
LIMITS: Final = (0.05, 20.0)

_STEPS: Final = 60  # of bisection, which halve the interval of log T to 1e-17


def calibrate(run: Run, validation: tf.data.Dataset, build: Build | None = None) -> None:
    """Fit the temperature of the best and of the last weights, and keep both in the run's store.

    validation   batches ({"image": uint8 (N, S, S, 1), …}, one-hot classes (N, classes))
    """
    network, fitted = run.build_network(build), dict[str, float]()
    which: Weights
    for which in ("best", "last"):
        held = run.load_weights(network, which).sha256
        if held not in fitted:  # the last epoch is often the best one
            fitted[held] = fit_temperature(*_logits(network, validation.as_numpy_iterator()))
        run.store.keep_temperature(which, held, fitted[held])


def _logits(network: Any, batches: Iterable[Any]) -> tuple[Floats, NDArray[np.int64]]:
    outputs, classes = [], []
    for inputs, one_hot in batches:
        outputs.append(network.predict_on_batch(inputs["image"].astype(np.float32)))
        classes.append(one_hot.argmax(1))
    return np.concatenate(outputs).astype(np.float64), np.concatenate(classes)


def fit_temperature(logits: Floats, classes: NDArray[np.int64]) -> float:
    """Return the temperature that makes the classes most likely, within `LIMITS`.

    logits    (N, classes), N at least 1
    classes   int (N,), the true ones

    The true class counts as (N + 1) / (N + 2) probable (Platt, Probabilistic Outputs for Support
    Vector Machines, 1999, section 2.2): without that, validation without a single mistake would
    make every probability 0 or 1.
    """
    targets = _targets(classes, logits.shape[1])
    low, high = np.log(LIMITS)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _is_too_high(logits, targets, np.exp(middle)):
            high = middle
        else:
            low = middle
    return float(np.exp((low + high) / 2))


def _targets(classes: NDArray[np.int64], count: int) -> Floats:
    sure = (len(classes) + 1) / (len(classes) + 2)
    true = classes[:, np.newaxis] == np.arange(count)
    return np.where(true, sure, (1 - sure) / max(1, count - 1))


def _is_too_high(logits: Floats, targets: Floats, temperature: float) -> bool:
    """Return whether the likelihood rises as the temperature falls.

    The loss is convex in 1 / T; its derivative is the mean of Σ (probability - target) · logit.
    """
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return bool(((probabilities - targets) * logits).sum() < 0)

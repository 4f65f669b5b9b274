"""From offsets and scores to boxes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fertools.faces.detectors.caffe import Priors, read_layers

OUTPUT = """
    layer { name: "out" type: "DetectionOutput" detection_output_param {
      nms_param { nms_threshold: 0.45 top_k: TOP } keep_top_k: KEEP confidence_threshold: 0.01 } }
"""
BOXES = [(0.1, 0.1, 0.3, 0.5), (0.1, 0.1, 0.3, 0.5), (0.6, 0.6, 0.8, 0.8), (0.0, 0.6, 0.2, 0.8)]


def priors(top: int = 400, keep: int = 200) -> Priors:
    (layer,) = read_layers(OUTPUT.replace("TOP", str(top)).replace("KEEP", str(keep)))
    variances = np.tile([0.1, 0.1, 0.2, 0.2], len(BOXES))
    return Priors.read(np.array([[np.ravel(BOXES), variances]], np.float32), layer)


def scores(*confidences: float) -> NDArray[np.float32]:
    """What the last convolution says when softmax shall give these."""
    return np.array([[1.0, 1 + np.log(p / (1 - p))] for p in confidences], np.float32).reshape(
        1, -1
    )


def offsets(first: tuple[float, ...] = (0, 0, 0, 0)) -> NDArray[np.float32]:
    return np.array([*first, *[0.0] * 12], np.float32)[np.newaxis]


def test_a_prior_moves_by_its_own_sides_and_grows_by_a_power_of_e() -> None:
    first = (1.0, -2.0, 5 * np.log(2), 5 * np.log(0.5))
    (row,) = priors().decode(offsets(first), scores(0.8, 0.1, 0.1, 0.1), 0.5)
    # centre (0.2, 0.3) + 0.1 · (1 · 0.2, -2 · 0.4); sides 0.2 · 2, 0.4 / 2
    assert row == pytest.approx([0.8, 0.02, 0.12, 0.42, 0.32], abs=1e-6)


def test_the_surer_of_two_boxes_on_one_face_stays_and_the_surest_is_first() -> None:
    rows = priors().decode(offsets(), scores(0.6, 0.7, 0.9, 0.4), 0.3)
    assert rows[:, 0] == pytest.approx([0.9, 0.7, 0.4])
    assert rows[:, 1:] == pytest.approx(np.array([BOXES[2], BOXES[1], BOXES[3]]))


def test_the_floor_itself_counts() -> None:
    assert len(priors().decode(offsets(), scores(0.5, 0.2, 0.2, 0.2), 0.5)) == 1
    assert len(priors().decode(offsets(), scores(0.49, 0.2, 0.2, 0.2), 0.5)) == 0


def test_below_the_networks_own_floor_nothing_is_given() -> None:
    assert len(priors().decode(offsets(), scores(0.009, 0.009, 0.02, 0.009), 0)) == 1
    assert len(priors().decode(offsets(), scores(0.9, 0.9, 0.9, 0.9), 1)) == 0


def test_how_many_are_compared_and_how_many_given() -> None:
    sure = scores(0.8, 0.7, 0.6, 0.5)
    assert priors(top=3).decode(offsets(), sure, 0.3)[:, 0] == pytest.approx([0.8, 0.6])
    assert priors(keep=1).decode(offsets(), sure, 0.3)[:, 0] == pytest.approx([0.8])

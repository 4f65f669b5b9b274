"""Intervals over people: whole people are drawn, the same for all figures of one call."""

from __future__ import annotations

import numpy as np
import pytest

from fertools.inference.metrics import accuracy, macro_f1
from fertools.intervals import Estimate, Floats, estimate, estimates
from tests.training.fakes import normal


def test_one_photo_a_person_gives_the_textbooks_interval() -> None:
    people = np.zeros((200, 2, 2), np.int64)
    people[:150, 0, 0] = 1
    people[150:, 0, 1] = 1
    found = estimate(people, accuracy, seed=0)
    low, high = normal(150, 200)
    assert found.value == 0.75
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.01)


def test_more_photos_of_the_same_people_do_not_make_it_surer() -> None:
    people = np.zeros((20, 2, 2), np.int64)
    people[:15, 0, 0] = 1
    people[15:, 0, 1] = 1
    assert estimate(people, accuracy, seed=0) == estimate(100 * people, accuracy, seed=0)
    low, high = normal(1500, 2000)
    found = estimate(100 * people, accuracy, seed=0)
    assert found.low is not None and found.high is not None
    assert found.high - found.low > 5 * (high - low)


def test_equal_seeds_equal_intervals() -> None:
    people = np.random.default_rng(0).integers(0, 5, (30, 3, 3))
    assert estimate(people, macro_f1, seed=1) == estimate(people, macro_f1, seed=1)
    assert estimate(people, macro_f1, seed=1) != estimate(people, macro_f1, seed=2)


def test_one_person_alone_has_no_interval() -> None:
    found = estimate(np.array([[[4, 1], [2, 3]]]), accuracy, seed=0)
    assert found == Estimate(0.7, None, None)
    assert str(found) == "0.700 (no interval)"


def shares(sums: Floats) -> Floats:
    """Return the shares of the first two columns in the third."""
    with np.errstate(invalid="ignore"):
        return sums[..., :2] / sums[..., 2:]


def test_several_figures_are_each_what_it_is_alone() -> None:
    people = np.random.default_rng(0).integers(1, 9, (30, 3))
    both = estimates(people, shares, seed=4)
    assert both[1] == estimate(people, lambda sums: shares(sums)[..., 1], seed=4)
    assert both[0].value == people[:, 0].sum() / people[:, 2].sum()


def test_a_figure_without_a_photo_has_no_interval() -> None:
    for found in estimates(np.zeros((5, 3), np.int64), shares, seed=0):
        assert np.isnan(found.value)
        assert found.low is found.high is None

"""What a network learns of a photo: votes, their majority, or Dawid and Skene's posterior."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.dataset.example import Example
from fertools.errors import OptionError
from fertools.options import SoftLabels
from fertools.training.data import DatasetSplit
from fertools.training.fit import TrainingData
from fertools.training.recipe import Recipe
from fertools.training.targets import RULES, Targets
from fertools.votes.dawid_skene import fit
from tests.training.fakes import example, write_dataset

pytestmark = pytest.mark.slow

FORMAT1 = Path(__file__).parents[1] / "dataset" / "format1"

VOTES: list[tuple[int, ...]] = [(3, 0, 0), (2, 1, 0), (1, 1, 1), (1, 0, 0), (0, 0, 0), (0, 1, 2)]


def voted(votes: list[tuple[int, ...]], uploaders: list[int] | None = None) -> list[Example]:
    """Give examples with these votes, all of label 1."""
    said = uploaders or [1] * len(votes)
    return [
        replace(example(row, 1), votes=own, uploader=word)
        for row, (own, word) in enumerate(zip(votes, said, strict=True))
    ]


def split_of(out: Path, examples: list[Example], **other: Any) -> DatasetSplit:
    return DatasetSplit.open(write_dataset(out, examples, "train", votes=True, **other), "train")


def targets(rule: SoftLabels, split: DatasetSplit, examples: list[Example]) -> np.ndarray:
    made = Targets.of(rule, split)
    values = ([getattr(each, name) for each in examples] for name in made.features)
    return np.asarray(made(*map(np.array, values)))


def test_shares_of_votes(tmp_path: Path) -> None:
    examples = voted(VOTES)
    wanted: list[list[float]] = [
        [1, 0, 0],
        [2 / 3, 1 / 3, 0],
        [1 / 3] * 3,
        [1, 0, 0],
        [0, 1, 0],
        [0, 1 / 3, 2 / 3],
    ]
    np.testing.assert_allclose(targets("votes", split_of(tmp_path, examples), examples), wanted)


def test_the_majority_needs_two_votes_and_no_tie(tmp_path: Path) -> None:
    examples = voted([*VOTES, (2, 0, 2)])
    found = targets("majority", split_of(tmp_path, examples), examples)
    assert found.argmax(1).tolist() == [0, 0, 1, 1, 1, 2, 1]
    np.testing.assert_array_equal(found.sum(1), np.ones(7))


def test_the_posterior_is_that_of_the_model_fitted_on_train(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    votes = [tuple(rng.multinomial(3, [0.6, 0.3, 0.1]).tolist()) for _ in range(60)]
    words = rng.integers(-1, 3, 60).tolist()
    examples = voted([*votes, (0, 0, 0)], [*words, 2])
    found = targets("posterior", split_of(tmp_path, examples), examples)
    counts, said = np.array([*votes, (0, 0, 0)]), np.array([*words, 2])
    wanted = fit(counts, said).posterior(counts, said)
    np.testing.assert_allclose(found[:-1], wanted[:-1], atol=1e-5)
    np.testing.assert_array_equal(found[-1], [0, 1, 0])  # no vote: the label, not the uploader


def test_votes_of_format_1_include_the_uploaders_word(tmp_path: Path) -> None:
    split = DatasetSplit.open(FORMAT1, "train")
    made = Targets.of("posterior", split)
    assert made.features == ("label", "votes")
    assert made.model is not None and made.model.uploader is None
    options = Recipe(soft_labels="posterior", epochs=1, batch=8)
    data = TrainingData(split, None, options, 0, cache=False)
    for _, wanted in data.training_batches(0).as_numpy_iterator():
        np.testing.assert_allclose(wanted.sum(1), 1, atol=1e-5)
        assert wanted.max(1).min() < 1


def test_votes_that_are_missing_are_said_before_the_training(tmp_path: Path) -> None:
    without = DatasetSplit.open(write_dataset(tmp_path / "a", [example(0, 0)], "train"), "train")
    with pytest.raises(OptionError, match="holds no votes: leave --soft-labels out"):
        TrainingData(without, None, Recipe(soft_labels="majority"), 0, cache=False)
    nobody = split_of(tmp_path / "b", voted([(0, 0, 0)] * 3))
    with pytest.raises(OptionError, match=r"no photo of train in .* has votes: leave"):
        Targets.of("posterior", nobody)


def test_soft_labels_are_not_smoothed() -> None:
    assert Recipe().smoothing == 0.1
    for rule in RULES:
        assert Recipe(soft_labels=rule).smoothing == (0.1 if rule == "none" else 0)

"""Options are checked where they are made, and are the command line's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from fertools.cli import cli
from fertools.errors import OptionError
from fertools.options import Depth, TrainOptions, TrainRunOptions
from fertools.training.recipe import Recipe


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"depth": 51}, "--depth 51: choose 8, 14, 26, 50, 101 or 152"),
        ({"epochs": 0}, "--epochs 0: give a whole number from 1 to 999999"),
        ({"augment": "heavy"}, "--augment heavy: choose talk, light or none"),
        ({"learning_rate": float("nan")}, "--learning-rate nan"),
        ({"label_smoothing": 1.0}, "--label-smoothing 1.0: give a number from 0 to less than 1"),
        ({"model": "mine"}, "--model 'mine': write MODULE:FUNCTION"),
        ({"epoch": 3}, "no option epoch: did you mean epochs?"),
        ({"soft_labels": "vote"}, "--soft-labels vote: choose none, votes, posterior or majority"),
        ({"batch": "many"}, "--batch 'many': give a whole number"),
        ({"batch": 2.5}, "--batch 2.5: give a whole number"),
        ({"epochs": True}, "--epochs True: give a whole number"),
        ({"epochs": 10**6}, "--epochs 1000000: give a whole number from 1 to 999999"),
        ({"depth": "8"}, "--depth '8': choose 8, 14, 26"),
        ({"balance": "no"}, "--balance 'no': give True or False"),
        ({"warmup": "0.1"}, "--warmup '0.1': give a number from 0 to less than 1"),
        ({"model": None}, "--model None: give a text"),
        ({"mix": ["mixup"]}, "--mix .'mixup'.: choose none, mixup or erasing"),
        ({"weight_decay": -0.5}, "--weight-decay -0.5: give a number from 0 to 1, or -1"),
        ({"width": "7" * 3000}, "--width '7{76}...: give a whole number from 1 to 4096"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text.replace("?", r"\?")):
        TrainOptions.of(options)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--soft-labels"], "votes"),  # a flag in 0.1.0
        (["--soft-labels", "--quiet"], "votes"),
        (["--soft-labels", "posterior"], "posterior"),
        (["--soft-labels=majority"], "majority"),
        ([], "none"),
    ],
)
def test_soft_labels_alone_are_the_votes(words: list[str], rule: str) -> None:
    given = cli.commands["train"].make_context("train", ["OUT", "RUN", *words]).params
    assert given["soft_labels"] == rule


def test_soft_labels_that_were_a_flag_are_read() -> None:
    assert TrainOptions.of({"soft_labels": True}) == TrainOptions(soft_labels="votes")
    assert TrainOptions.of({"soft_labels": False}) == TrainOptions()


def test_numbers_of_numpy_are_numbers() -> None:
    recipe = TrainOptions.of({"epochs": np.int64(3), "warmup": np.float32(0.5), "learning_rate": 1})
    assert json.dumps([recipe.epochs, recipe.warmup, recipe.learning_rate]) == "[3, 0.5, 1.0]"


def test_what_is_left_open_follows_the_optimizer() -> None:
    assert (Recipe().peak_rate, Recipe().decay) == (1e-3, 0.05)
    sgd = Recipe(optimizer="sgd", batch=512)
    assert (sgd.peak_rate, sgd.decay) == (0.2, 1e-4)
    assert Recipe(optimizer="sgd", learning_rate=0.5, weight_decay=0.0).decay == 0


def test_the_command_line_has_every_option_and_its_default() -> None:
    given = cli.commands["train"].make_context("train", ["OUT", "RUN"]).params
    options = TrainOptions().flat() | TrainRunOptions().flat()
    assert given == options | {"out": Path("OUT"), "run": Path("RUN")}


def test_every_depth_has_its_blocks() -> None:
    from fertools.training.model import DEPTHS

    assert tuple(DEPTHS) == get_args(Depth)

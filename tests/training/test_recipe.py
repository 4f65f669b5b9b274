"""Options are checked where they are made, and are the command line's."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fertools.cli import cli
from fertools.errors import OptionError
from fertools.training.options import TrainOptions


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"depth": 51}, "depth is 51; it must be one of 8, 14, 26, 50, 101, 152"),
        ({"epochs": 0}, "epochs is 0"),
        ({"augment": "heavy"}, "augment is 'heavy'; it must be one of talk, light, none"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"model": "mine"}, "module:function"),
        ({"epoch": 3}, "no option epoch: did you mean epochs?"),
        ({"batch": "many"}, "batch is 'many'; it must be a whole number"),
        ({"batch": 2.5}, "batch is 2.5; it must be a whole number"),
        ({"epochs": True}, "epochs is True; it must be a whole number"),
        ({"epochs": 10**6}, "epochs is 1000000; it must be from 1 to 999999"),
        ({"depth": "8"}, "depth is '8'; it must be a whole number"),
        ({"balance": "no"}, "balance is 'no'; it must be True or False"),
        ({"warmup": "0.1"}, "warmup is '0.1'; it must be a number"),
        ({"model": None}, "model is None; it must be text"),
        ({"mix": ["mixup"]}, "mix is .'mixup'.; it must be text"),
        ({"width": "7" * 3000}, "width is '7{79}…; it must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text.replace("?", r"\?")):
        TrainOptions.of(options)


def test_numbers_of_numpy_are_numbers() -> None:
    recipe = TrainOptions.of({"epochs": np.int64(3), "warmup": np.float32(0.5), "learning_rate": 1})
    assert json.dumps([recipe.epochs, recipe.warmup, recipe.learning_rate]) == "[3, 0.5, 1.0]"


def test_what_is_left_open_follows_the_optimizer() -> None:
    assert (TrainOptions().peak_rate, TrainOptions().decay) == (1e-3, 0.05)
    sgd = TrainOptions(optimizer="sgd", batch=512)
    assert (sgd.peak_rate, sgd.decay) == (0.2, 1e-4)
    assert TrainOptions(optimizer="sgd", learning_rate=0.5, weight_decay=0.0).decay == 0


def test_the_command_line_has_every_option_and_its_default() -> None:
    given = cli.commands["train"].make_context("train", ["OUT", "RUN"]).params
    given["depth"] = int(given["depth"])
    for field in fields(TrainOptions):
        assert given.pop(field.name) == field.default, field.name
    rest = {"seed": 0, "resume": True, "cache": False, "allow_leak": False, "quiet": False}
    assert given == rest | {"out": Path("OUT"), "run": Path("RUN")}

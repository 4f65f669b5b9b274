"""Options are checked where they are made, and are the command line's."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fertools.cli import cli
from fertools.errors import OptionError
from fertools.training import TrainRecipe


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
        ({"batch": "many"}, "wrong kind"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text.replace("?", r"\?")):
        TrainRecipe.of(options)


def test_what_is_left_open_follows_the_optimizer() -> None:
    assert (TrainRecipe().peak_rate, TrainRecipe().decay) == (1e-3, 0.05)
    sgd = TrainRecipe(optimizer="sgd", batch=512)
    assert (sgd.peak_rate, sgd.decay) == (0.2, 1e-4)
    assert TrainRecipe(optimizer="sgd", learning_rate=0.5, weight_decay=0.0).decay == 0


def test_the_command_line_has_every_option_and_its_default() -> None:
    given = cli.commands["train"].make_context("train", ["OUT", "RUN"]).params
    given["depth"] = int(given["depth"])
    for field in fields(TrainRecipe):
        assert given.pop(field.name) == field.default, field.name
    rest = {"seed": 0, "resume": True, "cache": False, "allow_leak": False, "quiet": False}
    assert given == rest | {"out": Path("OUT"), "run": Path("RUN")}

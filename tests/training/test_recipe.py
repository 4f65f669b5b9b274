"""What is left open is decided by the photos, by what was begun, or by the talk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fertools.errors import OptionError
from fertools.options import TALK, TrainOptions
from fertools.training.recipe import FEW, MANY, OPEN, Recipe, by_photos
from fertools.training.run import Run, begun_recipe
from tests.training.test_run import a_run


def chosen(photos: int, **asked: Any) -> dict[str, Any]:
    recipe = Recipe.choose(TrainOptions(**asked), photos)
    return {name: getattr(recipe, name) for name in OPEN}


SMALL: dict[str, Any] = {"depth": 14, "width": 16, "init": "glorot_uniform", "augment": "light"}
SMALL |= {"learning_rate": 0.003}
LARGE: dict[str, Any] = {"depth": 50, "width": 64, "init": "he_normal", "augment": "talk"}
LARGE |= {"epochs": 60, "batch": 64, "learning_rate": 0}


@pytest.mark.parametrize(
    ("photos", "wanted"),
    [
        (1, SMALL | {"epochs": 60, "batch": 16}),
        (112, SMALL | {"epochs": 60, "batch": 16}),
        (FEW, SMALL | {"epochs": 60, "batch": 32}),
        (400, SMALL | {"epochs": 40, "batch": 32}),
        (800, SMALL | {"epochs": 20, "batch": 32}),
        (2_400, SMALL | {"epochs": 20, "batch": 32}),
        (MANY - 1, SMALL | {"epochs": 20, "batch": 32}),
        (MANY, LARGE),
        (500_000, LARGE),
    ],
)
def test_the_photos_decide_what_is_left_open(photos: int, wanted: dict[str, Any]) -> None:
    assert chosen(photos) == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "depth": 26,
        "width": 64,
        "init": "he_normal",
        "augment": "none",
        "epochs": 7,
        "batch": 64,
        "learning_rate": 0.5,
    }.items(),
)
def test_a_value_that_is_given_stays_and_changes_no_other(name: str, value: Any) -> None:
    assert chosen(269, **{name: value}) == chosen(269) | {name: value}


def test_with_all_values_given_photos_decide_nothing() -> None:
    given: dict[str, Any] = {"depth": 8, "width": 4, "augment": "none", "epochs": 3, "batch": 8}
    given |= {"init": "he_normal", "learning_rate": 0.1}
    asked = TrainOptions(**given)
    few, many = (Recipe.choose(asked, photos) for photos in (10, 10 * MANY))
    assert few == many == Recipe(**given)
    assert few.text(asked, 10) == ""


def test_one_line_states_what_was_chosen() -> None:
    asked = TrainOptions(epochs=5)
    assert Recipe.choose(asked, 1_269).text(asked, 1_269) == (
        "chosen by 1,269 training photos: --depth 14 --width 16 --init glorot_uniform "
        "--augment light --batch 32 --learning-rate 0.003"
    )
    own = TrainOptions(model="mine:build", augment="none")
    assert Recipe.choose(own, 9).text(own, 9) == (
        "chosen by 9 training photos: --epochs 60 --batch 16 --learning-rate 0.003"
    )


def test_the_rate_of_few_photos_is_that_of_adamw() -> None:
    asked = TrainOptions(optimizer="sgd")
    assert Recipe.choose(asked, 269).peak_rate == pytest.approx(0.1 * 32 / 256)
    assert "--learning-rate 0.0125" in Recipe.choose(asked, 269).text(asked, 269)


def test_a_training_that_goes_on_keeps_what_it_was_begun_with(tmp_path: Path) -> None:
    """Also a run of an older fertools, whose defaults did not depend on the photos."""
    assert begun_recipe(tmp_path) is None
    run = a_run(tmp_path, stretch="never")
    run.write()
    assert begun_recipe(tmp_path) is None  # nothing is finished
    run.store.commit([{"epoch": 1, "val_f1": 0.5}], b"state", b"network")
    begun = begun_recipe(tmp_path)
    assert begun == Run.read(tmp_path).options
    assert Recipe.choose(TrainOptions(stretch="never"), 9, begun) == begun
    longer = Recipe.choose(TrainOptions(stretch="never", epochs=99), 9, begun)
    assert (longer.epochs, longer.depth, longer.augment) == (99, 50, "talk")
    # Options that are not left open are those that were given, or their defaults.
    assert Recipe.choose(TrainOptions(), 9, begun).stretch == "always"


def test_the_recipe_of_the_talk_does_not_depend_on_the_photos() -> None:
    asked = TrainOptions(recipe="talk", epochs=9)
    recipe = Recipe.choose(asked, 269)
    assert recipe == Recipe.choose(asked, 10 * MANY) == Recipe.of(recipe.flat())
    assert {name: getattr(recipe, name) for name in TALK} == TALK
    assert (recipe.recipe, recipe.smoothing, recipe.epochs, recipe.batch) == ("talk", 0, 9, 64)
    assert recipe.text(asked, 269) == ""
    assert Recipe.choose(TrainOptions(recipe="talk"), 269, begun=recipe) == recipe


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"depth": 14}, "--recipe talk and --depth 14 contradict each other: leave one of them"),
        ({"augment": "light"}, "--recipe talk and --augment light contradict"),
        ({"stretch": "never"}, "--recipe talk and --stretch never contradict"),
        ({"soft_labels": "votes"}, "--recipe talk and --soft-labels votes contradict"),
        ({"model": "mine:build"}, "--recipe talk and --model mine:build contradict"),
    ],
)
def test_what_contradicts_the_talk_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        TrainOptions(recipe="talk", **options)


def test_every_open_value_is_one_that_the_options_leave_open() -> None:
    unset = {name for name, value in TrainOptions().flat().items() if value is None}
    assert unset == set(OPEN) == by_photos(1).keys()

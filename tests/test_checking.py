"""Options are checked against the declared types of their fields: one line for each mistake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from fertools.checking import Between, Options, Pairs, UserPath, check_effect
from fertools.errors import OptionError


@dataclass(frozen=True, slots=True)
class Every(Options):
    """A field of each kind."""

    flag: bool = False
    number: Annotated[int, Between(1, 9)] = 1
    share: Annotated[float, Between(0)] = 0.0
    most: Annotated[int | None, Between(1)] = None
    text: str = ""
    size: str | int = ""
    choice: Literal["one", "two"] = "one"
    depth: Literal[8, 14] = 8
    many: tuple[str, ...] = ()
    pairs: Annotated[tuple[str, ...], Pairs()] = ()
    path: Annotated[str | None, UserPath()] = None
    below: Annotated[float, Between(0, 1, open_end=True, also=-1)] = 0.0


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"number": np.int64(3)}, 3),
        ({"share": 1}, 1.0),
        ({"share": np.float32(0.5)}, 0.5),
        ({"most": None}, None),
        ({"most": 7}, 7),
        ({"text": Path("a/b")}, "a/b"),
        ({"size": 7}, 7),
        ({"depth": np.int32(14)}, 14),
        ({"many": "hurt"}, ("hurt",)),
        ({"many": ["a", "b"]}, ("a", "b")),
        ({"pairs": {"a": "b", "c": "d=e"}}, ("a=b", "c=d=e")),
        ({"path": Path("a/b")}, "a/b"),
        ({"path": "~/b"}, str(Path.home() / "b")),
        ({"below": -1}, -1.0),
    ],
)
def test_what_can_be_meant_comes_out_as_declared(given: dict[str, Any], taken: object) -> None:
    found = getattr(Every(**given), *given)
    assert found == taken
    assert type(found) is type(taken)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"flag": 1}, "--flag 1: give True or False"),
        ({"flag": "no"}, "--flag 'no': give True or False"),
        ({"number": "3"}, "--number '3': give a whole number from 1 to 9"),
        ({"number": 2.0}, "--number 2.0: give a whole number from 1 to 9"),
        ({"number": True}, "--number True: give a whole number from 1 to 9"),
        ({"number": None}, "--number None: give a whole number from 1 to 9"),
        ({"number": 10}, "--number 10: give a whole number from 1 to 9"),
        ({"share": float("nan")}, "--share nan: give a number, 0 or more"),
        ({"share": "x\ny" * 99}, "--share '"),
        ({"share": 10**400}, "--share 1000"),
        ({"most": 0}, "--most 0: give a whole number, 1 or more"),
        ({"text": 3}, "--text 3: give a text"),
        ({"size": 1.5}, "--size 1.5: give a text or a whole number"),
        ({"choice": "three"}, "--choice three: choose one or two"),
        ({"choice": ["one"]}, "--choice ['one']: choose one or two"),
        ({"depth": True}, "--depth True: choose 8 or 14"),
        ({"many": 3}, "--many 3: give a text or a list of texts"),
        ({"many": {"a": "b"}}, "--many {'a': 'b'}: give a text or a list of texts"),
        ({"many": ["a", 3]}, "--many ['a', 3]: give a text or a list of texts"),
        (
            {"pairs": {"a": 3}},
            "--pairs {'a': 3}: give a text or a list of texts OLD=NEW, or a dict",
        ),
        ({"pairs": {"a=b": "c"}}, "--pairs {'a=b': 'c'}"),
        ({"path": 3}, "--path 3: give a path"),
        ({"below": 1.0}, "--below 1.0: give a number from 0 to less than 1, or -1"),
        ({"below": -0.5}, "--below -0.5: give a number"),
    ],
)
def test_what_cannot_be_meant_is_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(OptionError) as error:
        Every(**given)
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_an_option_without_effect_is_refused_unless_it_was_not_given() -> None:
    check_effect(Every(), "number", "--flag")
    with pytest.raises(OptionError, match=r"--number 3 has no effect without --flag: leave it out"):
        check_effect(Every(number=3), "number", "--flag")
    with pytest.raises(OptionError, match="--flag has no effect without --text"):
        check_effect(Every(flag=True), "flag", "--text")

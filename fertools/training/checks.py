"""Checks of what a caller hands in from Python, before anything is read or written."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from fertools.errors import OptionError

T = TypeVar("T", bool, int, float, str)

#: Characters of a wrong value that a message repeats.
_SHOWN = 80


def shown(value: object) -> str:
    """Return a value's repr in one line of bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def of_kind(name: str, value: Any, kind: type[T]) -> T:
    """Return an option's value as bool, int, float or str; raise OptionError for another type.

    NumPy's numbers are numbers; a bool is none, and a string never is.
    """
    try:
        return kind(_KINDS[kind][1](value))
    except TypeError:
        raise OptionError(f"{name} is {shown(value)}; it must be {_KINDS[kind][0]}") from None


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return a whole number within bounds; raise OptionError for another value."""
    number = of_kind(name, value, int)
    if number < low or (high is not None and number > high):
        meant = f"at least {low}" if high is None else f"from {low} to {high}"
        raise OptionError(f"{name} is {number}; it must be {meant}")
    return number


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return one of the allowed words; raise OptionError for another value."""
    words = list(allowed)
    if not isinstance(value, str) or value not in words:
        raise OptionError(f"{name} is {shown(value)}; it must be one of {', '.join(words)}")
    return value


def seed(value: Any) -> int:
    """Return a seed that NumPy and every backend take; raise OptionError for another value."""
    return whole("seed", value, 0, 2**32 - 1)


def path(name: str, value: Any) -> Path:
    """Return a path with `~` expanded; raise OptionError where it is none."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise OptionError(f"{name} is {shown(value)}; it must be a path")
    try:
        return Path(value).expanduser()
    except RuntimeError as fault:
        raise OptionError(f"{name} is {shown(value)}: {fault}") from None


def function(name: str, value: Any) -> None:
    """Raise OptionError where a value is neither None nor callable."""
    if value is not None and not callable(value):
        raise OptionError(f"{name} is {shown(value)}; it must be a function")


def _exactly(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return check


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    return value


def _index(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


_KINDS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    bool: ("True or False", _exactly(bool)),
    int: ("a whole number", _index),
    float: ("a number", _number),
    str: ("text", _exactly(str)),
}

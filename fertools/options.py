"""Check the values of an options dataclass against the types that its fields declare.

    size: Annotated[int, Between(8, 4096)]         --size '3': give a whole number from 8 to 4096
    on_many: Literal["largest", "best", "reject"]  --on-many all: choose largest, best or reject
    drop: tuple[str, ...]                          a list, or one text, which counts as one value
    rename: Annotated[tuple[str, ...], Pairs()]    the same, or a dict {old: new}

A type, a range or a choice is declared once, at its field; `check_fields` does the rest. Numbers
come out as int or float, whichever the field declares, so that equal options have equal bytes in
a manifest: NumPy's numbers and whole numbers for a float are taken, a bool for a number is not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import lru_cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from fertools.errors import OptionError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Between:
    """The range of a number, both ends included; NaN is in none."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        if self.high == math.inf:
            return f", {self.low} or more"
        return f" from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Marks texts of the form OLD=NEW, for which a dict {old: new} is taken as well."""


#: Seeds that every consumer takes: NumPy's and Keras' legacy seeds are 32 bits.
Seed = Annotated[int, Between(0, 2**32 - 1)]

_REFUSED: Final = object()


def check_fields(options: DataclassInstance) -> None:
    """Check and convert every field of a frozen dataclass; call it first in `__post_init__`.

    Raises OptionError, one line that names the option, its value and what is wanted.
    """
    for name, kind in _hints(type(options)).items():
        value = getattr(options, name)
        taken = _taken(kind, value)
        if taken is _REFUSED:
            raise OptionError(f"{flag(name)} {_shown(kind, value)}: {_wanted(kind)}")
        object.__setattr__(options, name, taken)


def refuse_without(options: DataclassInstance, name: str, needed: str) -> None:
    """Refuse an option that was given although, without `needed`, it has no effect.

    Such an option would otherwise stand in the manifest, and count as a difference when a build
    is repeated without it. Raises OptionError unless the field has its default.
    """
    value = getattr(options, name)
    if value != _default({entry.name: entry for entry in fields(options)}[name]):
        shown = "" if value is True else f" {value}"
        raise OptionError(f"{flag(name)}{shown} has no effect without {needed}: leave it out")


def flag(name: str) -> str:
    """Return the command line's word for an option.

    >>> flag("max_per_class")
    '--max-per-class'
    """
    return "--" + name.replace("_", "-")


@lru_cache
def _hints(kind: type[DataclassInstance]) -> dict[str, Any]:
    hints = type_hints(kind, include_extras=True)
    return {entry.name: hints[entry.name] for entry in fields(kind)}


def _default(entry: Field[Any]) -> Any:
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


def _taken(kind: Any, value: Any) -> Any:  # noqa: PLR0911 (one line a type)
    """Return the value as the declared type has it, or _REFUSED."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        taken = (_taken(each, value) for each in get_args(kind))
        return next((each for each in taken if each is not _REFUSED), _REFUSED)
    if origin is Annotated:
        return _annotated(kind, value)
    if origin is Literal:
        same = (c for c in get_args(kind) if _taken(type(c), value) == c)
        return next(same, _REFUSED)
    if origin is tuple:
        return _texts(value)
    if kind is NoneType:
        return None if value is None else _REFUSED
    if kind is bool:
        return value if isinstance(value, bool) else _REFUSED
    if kind is str:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        return str(text) if isinstance(text, str) else _REFUSED
    number = {int: Integral, float: Real}[kind]
    return kind(value) if isinstance(value, number) and not isinstance(value, bool) else _REFUSED


def _annotated(kind: Any, value: Any) -> Any:
    inner, *marks = get_args(kind)
    for mark in marks:
        if isinstance(mark, Pairs) and isinstance(value, Mapping):
            value = _pairs(value)
    taken = _taken(inner, value)
    for mark in marks:
        if isinstance(mark, Between) and taken is not _REFUSED:
            taken = taken if mark.low <= taken <= mark.high else _REFUSED
    return taken


def _pairs(renames: Mapping[Any, Any]) -> Any:
    if not all(isinstance(each, str) for pair in renames.items() for each in pair):
        return _REFUSED
    if any("=" in old for old in renames):  # as text it would mean another OLD
        return _REFUSED
    return [f"{old}={new}" for old, new in renames.items()]


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return (str(value),)
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(map(str, value))
    return _REFUSED


def _wanted(kind: Any) -> str:
    """Return the advice of a message, such as "give a whole number from 8 to 4096"."""
    if get_origin(kind) is Literal:
        *others, last = map(str, get_args(kind))
        return f"choose {', '.join(others)} or {last}" if others else f"give {last}"
    return f"give {_noun(kind)}"


def _noun(kind: Any) -> str:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(_noun(each) for each in get_args(kind) if each is not NoneType)
    if origin is Annotated:
        inner, *marks = get_args(kind)
        pairs = " OLD=NEW, or a dict {old: new}" if Pairs() in marks else ""
        return _noun(inner) + "".join(str(m) for m in marks if isinstance(m, Between)) + pairs
    if origin is tuple:
        return "a text or a list of texts"
    return {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}[kind]


def _shown(kind: Any, value: Any) -> str:
    text = value if isinstance(value, str) and get_origin(kind) is Literal else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def user_path(path: Path | str) -> Path:
    """Return a path with `~` and `~user` replaced by that home folder, where there is one.

    Every public function and the command line take paths through here: a shell expands `~` only
    at the beginning of a word, and Python not at all.
    """
    # Not Path.expanduser, which raises RuntimeError for a user that does not exist.
    return Path(os.path.expanduser(path))  # noqa: PTH111

"""Declare options as fields of a dataclass, and check their values against the declared types.

    size: Annotated[int, Between(8, 4096)] = 224   --size '3': give a whole number from 8 to 4096
    on_many: Literal["largest", "best", "reject"]  --on-many all: choose largest, best or reject
    drop: tuple[str, ...]                          a list, or one text, which counts as one value
    rename: Annotated[tuple[str, ...], Pairs()]    the same, or a dict {old: new}
    split_file: Annotated[str | None, UserPath()]  a text or a Path; `~` is replaced

A text among the marks is the help text, a HelpSection its heading:

    margin: Annotated[float, Between(0, 4), HelpSection.FACES, "Widen the box …"] = 0.0

Numbers are converted to the declared int or float, so that equal options have equal bytes in a
manifest. NumPy's numbers are accepted, and a whole number for a float; a bool for a number is not.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from fertools.errors import OptionError

# Marks of a field's type, for Annotated[type, mark, …] -------------------------------------------


@dataclass(frozen=True, slots=True)
class Between:
    """The range of a number from `low` to `high`, without `high` if `open_end`; never NaN.

    also    one value outside the range that is allowed too
    """

    low: float
    high: float = math.inf
    open_end: bool = False
    also: float | None = None

    def __contains__(self, number: float) -> bool:
        inside = self.low <= number < self.high or (number == self.high and not self.open_end)
        return inside or number == self.also

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{self.low} or more"
        end = f"{'less than ' if self.open_end else ''}{self.high}"
        return f"{self.low} to {end}" + ("" if self.also is None else f", or {self.also}")


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mark for texts of the form OLD=NEW, or a dict {old: new}."""


@dataclass(frozen=True, slots=True)
class UserPath:
    """A mark for a text or a Path in which `~` is replaced by the home folder."""


class HelpSection(Enum):
    """The headings of `--help`, in the order of the help."""

    MOST_USED = "Most used"
    SOURCE = "Source"
    LABELS = "Labels"
    FACES = "Faces"
    SPLITS = "Splits"
    SHARDS = "Shards"
    NETWORK = "Network"
    DATA = "Data"
    OPTIMISATION = "Optimisation"
    RUN = "Run"


@dataclass(frozen=True, slots=True)
class Usage:
    """A mark for what `--help` shows of an option instead of its name, type or default.

    metavar   the word for the value
    flag      the option, if its name is not that of the field
    default   a description of the default
    alone     the value of an option that is given without one
    """

    metavar: str | None = None
    flag: str = ""
    default: str = ""
    alone: str | None = None


#: A seed that NumPy, Keras and fertools accept: legacy seeds of NumPy and Keras have 32 bits.
Seed = Annotated[int, Between(0, 2**32 - 1)]


# Options dataclasses ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """The base of the dataclasses of options; the constructor checks and converts each value.

    A field may have such a class as its type: `of` and `flat` use the options of that class by
    their own names. Raises OptionError if the declared type does not allow a value: one line with
    the option, its value and the allowed values.
    """

    #: The heading in `--help` for options without a HelpSection among their marks.
    HEADING: ClassVar[HelpSection | None] = None

    def __post_init__(self) -> None:
        for name, kind in _hints(type(self)).items():
            if _is_options_class(kind):  # it has checked itself
                continue
            object.__setattr__(self, name, check(flag(name), getattr(self, name), kind))
        self.check_together()

    def check_together(self) -> None:
        """Raise OptionError if values contradict each other or cannot be parsed."""

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Self:
        """Make the options from keywords; raise OptionError for a name that does not exist."""
        _raise_for_unknown(keywords, cls)
        return _make(cls, keywords)

    def flat(self) -> dict[str, Any]:
        """Return the options by name, the keywords of `of`, with lists instead of tuples."""
        entries: dict[str, Any] = {}
        for name in _hints(type(self)):
            value = getattr(self, name)
            if isinstance(value, Options):
                entries |= value.flat()
            else:
                entries[name] = list(value) if isinstance(value, tuple) else value
        return entries


Mark = TypeVar("Mark")
First = TypeVar("First", bound=Options)
Second = TypeVar("Second", bound=Options)


def split_keywords(
    keywords: Mapping[str, Any], first: type[First], second: type[Second]
) -> tuple[First, Second]:
    """Make two kinds of options from the keywords of one call; raise OptionError as `of` does."""
    _raise_for_unknown(keywords, first, second)
    return _make(first, keywords), _make(second, keywords)


def _make(kind: type[First], keywords: Mapping[str, Any]) -> First:
    values = {
        name: _make(hint, keywords) if _is_options_class(hint) else keywords[name]
        for name, hint in _hints(kind).items()
        if _is_options_class(hint) or name in keywords
    }
    return kind(**values)


def _raise_for_unknown(keywords: Iterable[str], *kinds: type[Options]) -> None:
    names = [option.name for kind in kinds for option in declared(kind)]
    for unknown in keywords:
        if unknown not in names:
            raise OptionError(f"there is no option {unknown}{did_you_mean(unknown, names)}")


def did_you_mean(unknown: str, names: Iterable[str]) -> str:
    """Return ": did you mean …?" with the most similar name, or "" if no name is similar."""
    near = difflib.get_close_matches(unknown, list(names), 1)
    return f": did you mean {near[0]}?" if near else ""


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration of one option.

    kind    the declared type with its marks, for `check`
    types   the alternatives of the type, without marks: `int | None` has two
    """

    name: str
    kind: Any
    types: tuple[Any, ...]
    marks: tuple[Any, ...]
    default: Any
    group: HelpSection | None

    @property
    def choices(self) -> tuple[Any, ...]:
        return _choices(self.types)

    @property
    def between(self) -> Between | None:
        return _first_mark(self.marks, Between)

    @property
    def usage(self) -> Usage:
        return _first_mark(self.marks, Usage) or Usage()

    @property
    def help(self) -> str:
        return _first_mark(self.marks, str) or ""


def declared(kind: type[Options]) -> Iterator[Declared]:
    """Yield the declared options of a class in order, including those of nested classes."""
    hints = _hints(kind)
    for entry in fields(kind):
        hint = hints[entry.name]
        if _is_options_class(hint):
            yield from declared(hint)
        else:
            types, marks = _unwrap(hint)
            group = _first_mark(marks, HelpSection) or kind.HEADING
            yield Declared(entry.name, hint, types, marks, entry.default, group)


def flag(name: str) -> str:
    """Return the command line's name of an option.

    >>> flag("max_per_class")
    '--max-per-class'
    """
    return "--" + name.replace("_", "-")


_HINTS: Final[dict[type[Options], dict[str, Any]]] = {}


def _hints(kind: type[Options]) -> dict[str, Any]:
    """Return the declared types of a class's fields; cached, because this takes a millisecond."""
    if kind not in _HINTS:
        hints = get_type_hints(kind, include_extras=True)
        _HINTS[kind] = {entry.name: hints[entry.name] for entry in fields(kind)}
    return _HINTS[kind]


def _is_options_class(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Options)


# Checks -------------------------------------------------------------------------------------------

_NO_FIT: Final = object()


def check(name: str, value: Any, kind: Any) -> Any:
    """Convert a value to its declared type; raise OptionError if it does not fit."""
    types, marks = _unwrap(kind)
    converted = _convert_to_any(types, marks, value)
    if converted is _NO_FIT:
        is_choice = isinstance(value, str) and any(isinstance(c, str) for c in _choices(types))
        shown = _one_line(value if is_choice else repr(value))
        raise OptionError(f"{name} {shown}: {_advice(types, marks)}")
    return converted


def check_function(name: str, value: Any) -> None:
    """Raise OptionError if a value is neither None nor callable."""
    if value is not None and not callable(value):
        raise OptionError(f"{name} {_one_line(repr(value))}: give a function")


def check_effect(options: Options, name: str, needed: str) -> None:
    """Raise OptionError if an option differs from its default: without `needed` it has no effect.

    If such an option was accepted, it would be in the manifest, and a repeated build without the
    option would count as a different build.
    """
    value = getattr(options, name)
    if value != options.__dataclass_fields__[name].default:
        shown = "" if value is True else f" {value}"
        raise OptionError(f"{flag(name)}{shown} has no effect without {needed}: leave it out")


def user_path(path: Path | str, name: str = "a path") -> Path:
    """Return a path with `~` or `~user` replaced by that user's home folder, if the user exists.

    Every public function and the command line use this for paths: a shell expands `~` only at the
    beginning of a word, and Python does not expand it. Raises OptionError if it is not a path.
    """
    if not isinstance(path, str | os.PathLike) or isinstance(os.fspath(path), bytes):
        raise OptionError(f"{name} {_one_line(repr(path))}: give a path")
    # Not Path.expanduser, which raises RuntimeError for a user that does not exist.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _convert_to_any(types: tuple[Any, ...], marks: tuple[Any, ...], value: Any) -> Any:
    """Convert a value to the first type that it fits, or return _NO_FIT."""
    if Pairs() in marks and isinstance(value, Mapping):
        value = _texts_from_pairs(value)
    attempts = (_convert(kind, value) for kind in types)
    converted: Any = next((each for each in attempts if each is not _NO_FIT), _NO_FIT)
    if converted is None or converted is _NO_FIT:
        return converted
    if UserPath() in marks:
        return str(user_path(converted))
    return converted if all(converted in m for m in marks if isinstance(m, Between)) else _NO_FIT


def _texts_from_pairs(renames: Mapping[Any, Any]) -> Any:
    if not all(isinstance(each, str) for pair in renames.items() for each in pair):
        return _NO_FIT
    # With "=" in `old`, the text OLD=NEW would be split at another place.
    return (
        _NO_FIT
        if any("=" in old for old in renames)
        else [f"{old}={new}" for old, new in renames.items()]
    )


def _convert(kind: Any, value: Any) -> Any:  # noqa: PLR0911 (one a type)
    """Convert a value to one type without marks, or return _NO_FIT."""
    if get_origin(kind) is Literal:
        return next((c for c in get_args(kind) if _convert(type(c), value) == c), _NO_FIT)
    if get_origin(kind) is tuple:
        texts = [value] if isinstance(value, str) else value
        is_list = isinstance(texts, list | tuple) and all(isinstance(each, str) for each in texts)
        return tuple(map(str, texts)) if is_list else _NO_FIT
    if kind in (bool, NoneType):
        return value if isinstance(value, kind) else _NO_FIT
    if kind is str:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        return str(text) if isinstance(text, str) else _NO_FIT
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        return _NO_FIT
    try:
        return kind(value)
    except OverflowError:  # a whole number that is too large for a float
        return _NO_FIT


def _unwrap(kind: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the alternatives of a type and, separately, its marks."""
    inner, *marks = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    types = get_args(inner) if get_origin(inner) in (Union, UnionType) else (inner,)
    return types, tuple(marks)


def _first_mark(marks: tuple[Any, ...], kind: type[Mark]) -> Mark | None:
    return next((each for each in marks if isinstance(each, kind)), None)


def _choices(types: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of a Literal, or () for other types."""
    return get_args(types[0]) if get_origin(types[0]) is Literal else ()


#: The words for types in messages.
_NOUNS: Final[dict[Any, str]] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a text or a list of texts",
}


def _advice(types: tuple[Any, ...], marks: tuple[Any, ...]) -> str:
    """Return the advice in a message, such as "give a whole number from 8 to 4096"."""
    if choices := _choices(types):
        *others, last = map(str, choices)
        return f"choose {', '.join(others)} or {last}" if others else f"give {last}"
    if UserPath() in marks:
        return "give a path"
    nouns = [_NOUNS[get_origin(kind) or kind] for kind in types if kind is not NoneType]
    advice = "give " + " or ".join(nouns)
    if between := _first_mark(marks, Between):
        advice += f", {between}" if between.high == math.inf else f" from {between}"
    return advice + (" OLD=NEW, or a dict {old: new}" if Pairs() in marks else "")


def _one_line(text: str) -> str:
    """Return a text in one line of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."

"""Read JSON as frozen dataclasses, by the types of their fields; write it in one form only."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, NoReturn, get_args, get_origin, get_type_hints


def canonical_json(tree: Any) -> str:
    """Return a tree of plain values as JSON: keys sorted, indented by one space a level."""
    return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def loads(text: str) -> Any:
    """Return JSON as plain values; raise ValueError also for NaN, and for too deep a tree."""
    try:
        return json.loads(text, parse_constant=_raise_for_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse(kind: Any, value: Any, name: str) -> Any:
    """Convert the JSON value of a field to `kind`, the field's declared type.

    Types are dataclasses, tuple[X, ...], dict[str, X], Any, str, bool, float and int. Raises
    ValueError, with the field's name, if the value has another type or is a negative int.
    """
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _parse_object(kind, value, name)
    container, items = get_origin(kind), get_args(kind)
    if container is tuple and isinstance(value, list):
        return tuple(parse(items[0], item, name) for item in value)
    if container is dict and isinstance(value, dict):
        return {key: parse(items[1], item, f"{name} {key!r}") for key, item in value.items()}
    if type(value) is not kind or (kind is int and value < 0):  # isinstance(True, int) is true
        expected = getattr(kind, "__name__", kind)
        raise ValueError(f"{name} is {str(value)[:99]!r}, expected {expected}")
    return value


def _parse_object(kind: Any, value: Any, name: str) -> Any:
    """Convert a JSON object to the dataclass `kind`; fields with a default may be missing."""
    types, required = _fields_of(kind)
    if not isinstance(value, dict) or not required <= value.keys() <= types.keys():
        raise ValueError(f"{name} does not hold exactly {sorted(types)}")
    return kind(**{key: parse(types[key], item, key) for key, item in value.items()})


@cache
def _fields_of(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """Return the types of a dataclass's fields, and the fields without a default.

    Kept, because evaluating the types took most of the time for a manifest of 1,000 shards.
    """
    required = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
    return get_type_hints(kind), required


def _raise_for_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number in JSON")

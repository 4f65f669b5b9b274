"""What a release had is there for ever: docs/stability.md promises it.

`stable.json` lists what 1.0 had. A release adds to it, and nothing is ever taken from it:

    python -m tests.test_stability
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Final, get_type_hints

import click
import pytest

import fertools
from fertools import data, errors, keywords
from fertools.cli import cli
from fertools.dataset.example import Example
from fertools.dataset.manifest import Manifest
from fertools.pipeline.ledger import SCHEMA
from tests.test_documented import ATTRIBUTES

STABLE: Final = Path(__file__).with_name("stable.json")


def everything() -> dict[str, list[str]]:
    """Return the names that users rely on, by what they are names of."""
    found = {
        "features of an example": [field.name for field in fields(Example)],
        "fields of the manifest": [field.name for field in fields(Manifest)],
        "columns of the ledger": list(SCHEMA.names),
        "reasons": [reason.value for reason in data.Reason],
        "splits": [split.value for split in data.Split],
        "errors": [name for name, kind in vars(errors).items() if isinstance(kind, type)],
        "commands": list(cli.commands),
        "functions": fertools.__all__,
    }
    found |= {f"command {name}": _words(command) for name, command in cli.commands.items()}
    found |= {f"function {name}": _arguments(name) for name in fertools.__all__}
    for name, text in ATTRIBUTES:
        if ".errors." not in name:
            found[f"class {name.rpartition('.')[2]}"] = _attributes(text)
    return {what: sorted(names) for what, names in sorted(found.items())}


def _words(command: click.Command) -> list[str]:
    words = [word for parameter in command.params for word in parameter.opts]
    for parameter in command.params:
        choices: tuple[str, ...] = getattr(parameter.type, "choices", ())
        words += [f"{parameter.opts[0]} {choice}" for choice in choices]
    return words


def _arguments(name: str) -> list[str]:
    signature = str(inspect.signature(getattr(fertools, name)))
    kinds = re.findall(r"Unpack\[(\w+)\]", signature)
    keyword = [each for kind in kinds for each in get_type_hints(getattr(keywords, kind))]
    return [*inspect.signature(getattr(fertools, name)).parameters, *keyword]


def _attributes(text: str) -> list[str]:
    """Return the attributes in a row of the API page; what stands in brackets explains them."""
    return re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", text))


RECORDED: Final[dict[str, list[str]]] = json.loads(STABLE.read_text("utf-8"))


@pytest.mark.parametrize("what", RECORDED)
def test_what_a_release_had_is_still_there(what: str) -> None:
    assert set(RECORDED[what]) - set(everything().get(what, [])) == set(), "see docs/stability.md"


if __name__ == "__main__":
    lost = {what: names for what, names in RECORDED.items() if set(names) - set(everything()[what])}
    assert not lost, lost
    lines = (f"{json.dumps(what)}: {json.dumps(names)}" for what, names in everything().items())
    STABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")

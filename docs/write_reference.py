"""Write docs/reference.md from docstrings and options; a test fails when the two differ."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_origin

from write_keywords import KEYWORDS

import fertools
from fertools.checking import Declared, declared

PAGE = Path(__file__).with_name("reference.md")

_HEAD: Final = """\
# Python reference

Written by `make docs` from the docstrings and options of the code. [Python API](api.md) has
examples, and says what holds for all functions; the exit codes of the commands are in
[The command line](cli.md#exit-codes)."""

#: Types of options as words.
_KINDS: Final = {NoneType: "None", tuple: "str or a sequence of them"}

#: The names that a line of a docstring explains: `photos   how many there are`.
_NAMES: Final = r"(\w[\w, ]*?) {2,}(?=\S)"

#: The classes that the page describes, by heading.
CLASSES: Final = {
    "What functions return": (
        "fertools.sample.archive.Sample",
        "fertools.layouts.listing.PresetList",
        "fertools.inspection.preview.Preview",
        "fertools.inspection.counts.archive.Census",
        "fertools.inspection.counts.dataset.DatasetStats",
        "fertools.inspection.repair.Repair",
        "fertools.dataset.report.DatasetReport",
        "fertools.dataset.manifest.Manifest",
        "fertools.pipeline.instalments.partial.SeenReport",
        "fertools.pipeline.plan.PartsReport",
        "fertools.pipeline.build_dir.CleanReport",
        "fertools.reporting.page.Report",
        "fertools.inspection.verify.VerifyResult",
        "fertools.inspection.label_quality.report.LabelReport",
        "fertools.exports.export.DatasetExport",
        "fertools.dataset.example.Example",
        "fertools.dataset.random_access.ExampleSequence",
        "fertools.inference.suspects.Suspects",
        "fertools.inference.suspects.Suspect",
        "fertools.training.run.Run",
        "fertools.inference.evaluate.Evaluation",
        "fertools.inference.metrics.Metrics",
        "fertools.inference.predict.Prediction",
        "fertools.inference.export.Export",
    ),
    "Data types": (
        "fertools.data.Box",
        "fertools.data.Face",
        "fertools.data.Crop",
        "fertools.data.Drop",
        "fertools.data.Label",
        "fertools.data.Reason",
        "fertools.data.Split",
    ),
    "Errors": (
        "fertools.errors.FertoolsError",
        "fertools.errors.SourceError",
        "fertools.errors.OutputError",
        "fertools.errors.OptionError",
        "fertools.errors.SplitError",
        "fertools.errors.DatasetError",
        "fertools.errors.DependencyError",
    ),
}


def page() -> str:
    """Return the text of the page."""
    texts = [_HEAD, "## Functions"]
    described: dict[str, str] = {}
    for name in fertools.__all__:
        texts += _function(name, described)
    for heading, names in CLASSES.items():
        texts.append(f"## {heading}")
        for name in names:
            texts += _class(name)
    return "\n\n".join(texts) + "\n"


def _function(name: str, described: dict[str, str]) -> Iterator[str]:
    """Yield the texts of a function; `described` has the functions of keywords listed so far."""
    function = getattr(fertools, name)
    signature = inspect.signature(function)
    yield f"### {name}"
    yield f"```text\n{_call(name, signature)}\n```"
    yield from _docstring(function)
    if found := re.search(r"Unpack\[(\w+)\]", str(signature)):
        earlier = described.setdefault(found[1], name)
        if earlier != name:
            yield f"Options: those of [{earlier}](#{earlier})."
        else:
            options = (option for kind in KEYWORDS[found[1]] for option in declared(kind))
            shown = [option for option in options if option.name not in signature.parameters]
            yield "Options:"
            yield "\n".join(map(_option, shown))


def _call(name: str, signature: inspect.Signature) -> str:
    """Return a signature, with a line for each parameter if it is long."""
    text = name + re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature))
    return text if len(text) <= 90 else re.sub(r"\((.*)\) ->", _one_a_line, text)


def _one_a_line(parameters: re.Match[str]) -> str:
    lines = re.sub(r", (?=\*|\w+:)", ",\n    ", parameters[1])
    return f"(\n    {lines},\n) ->"


def _option(option: Declared) -> str:
    plain = [get_origin(kind) or kind for kind in option.types]
    kinds = [_KINDS.get(kind, kind.__name__) for kind in plain if kind is not Literal]
    choices = [f'"{each}"' if isinstance(each, str) else str(each) for each in option.choices]
    words = [*choices, *map(str, [option.between] if option.between else [])]
    allowed = ", ".join([" or ".join(kinds), *words] if kinds else words)
    default = option.usage.default or f"`{option.default!r}`"
    return f"- `{option.name}` ({allowed}; default {default}): {option.help}"


def _class(name: str) -> Iterator[str]:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(module), kind)
    yield f"### {kind}"
    yield f"`{name}`"
    yield from _docstring(found)
    fields = [field for field in getattr(found, "__dataclass_fields__", {}) if field[0] != "_"]
    if fields:
        yield "Fields: " + ", ".join(f"`{field}`" for field in fields) + "."
    if methods := [_method(found, each) for each in vars(found) if _is_method(found, each)]:
        yield "\n".join(methods)


def _is_method(kind: type, name: str) -> bool:
    value = vars(kind)[name]
    is_method = inspect.isfunction(value) or isinstance(value, (property, classmethod))
    return is_method and not name.startswith("_") and bool(inspect.getdoc(value))


def _method(kind: type, name: str) -> str:
    value: Any = vars(kind)[name]
    first = (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ")
    return f"- `{name}{'' if isinstance(value, property) else '()'}`: {first}"


def _docstring(described: Any) -> Iterator[str]:
    """Yield the paragraphs of a docstring; names that it explains become a list."""
    for paragraph in re.split(r"\n\s*\n", inspect.getdoc(described) or ""):
        entries = re.split(r"\n(?=\S)", paragraph)
        explained = re.match(_NAMES, paragraph)
        yield "\n".join(map(_explained, entries)) if explained else paragraph


def _explained(entry: str) -> str:
    text = re.sub(r"\n\s*", " ", entry)
    if not (found := re.match(_NAMES, text)):
        return f"\n{text}"
    names = ", ".join(f"`{name}`" for name in found[1].split(", "))
    return f"- {names}: {text[found.end() :]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

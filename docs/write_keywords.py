"""Writes fertools/keywords.py from fertools/options.py; a test fails when the two differ."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin

from fertools import options
from fertools.checking import Declared, Options, Pairs, UserPath, declared

MODULE = Path(__file__).parents[1] / "fertools" / "keywords.py"

#: The options whose keywords each function takes.
KEYWORDS: Final[dict[str, tuple[type[Options], ...]]] = {
    "SampleKeywords": (options.SampleOptions,),
    "BuildKeywords": (options.BuildOptions, options.RunOptions),
    "TrainKeywords": (options.TrainOptions, options.TrainRunOptions),
    "PreviewKeywords": (options.PreviewOptions,),
    "StatsKeywords": (options.StatsOptions,),
    "SuspectsKeywords": (options.SuspectsOptions,),
    "EvaluateKeywords": (options.EvaluateOptions,),
    "PredictKeywords": (options.PredictOptions,),
    "ReportKeywords": (options.ReportOptions,),
    "ExportKeywords": (options.ExportOptions,),
    "ExportDatasetKeywords": (options.ExportDatasetOptions,),
}

#: An argument of its own in `build_dataset`, which also takes an object.
EXPLICIT: Final = "detector"

_HEAD: Final = '''"""The keywords that fertools' functions take, for type checkers and editors.

Written by `make docs` from fertools/options.py, where each is documented: change them there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict
'''


def module() -> str:
    """Return the text of the module: a TypedDict for each function."""
    return "\n\n".join([_HEAD, *(_typed_dict(*entry) for entry in KEYWORDS.items())])


def _typed_dict(name: str, kinds: tuple[type[Options], ...]) -> str:
    lines = [
        _wrapped(f"    {option.name}: {_type(option)}")
        for kind in kinds
        for option in declared(kind)
        if option.name != EXPLICIT
    ]
    names = " and ".join(kind.__name__ for kind in kinds)
    head = [f"class {name}(TypedDict, total=False):", f'    """The fields of {names}."""', ""]
    return "\n".join([*head, *lines]) + "\n"


def _wrapped(line: str) -> str:
    """Return a line of at most 100 characters, or a longer one divided as `ruff format` does."""
    if len(line) <= 100:
        return line
    return line.replace("[", "[\n        ", 1).removesuffix("]") + "\n    ]"


def _type(option: Declared) -> str:
    texts = ["Path"] if UserPath() in option.marks else []
    texts += map(_one, option.types)
    return " | ".join(texts + ["Mapping[str, str]"] * (Pairs() in option.marks))


def _one(kind: Any) -> str:
    if get_origin(kind) is tuple:  # one text counts as one value
        return "str | Sequence[str]"
    if values := get_args(kind):
        texts = (f'"{value}"' if isinstance(value, str) else str(value) for value in values)
        return f"Literal[{', '.join(texts)}]"
    return "None" if kind is NoneType else str(kind.__name__)


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="utf-8")

"""Find the code in the documentation: blocks of Markdown pages, examples of docstrings."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:\A|\n\n)((?: {4}\S.*\n)(?: {4}.*\n)*)")


@dataclass(frozen=True)
class Block:
    """A block of code in a page; `language` is "" for one that is indented instead of fenced."""

    page: str
    language: str
    code: str

    @property
    def first(self) -> str:
        """The first line that is no import and no comment, without its prompt."""
        lines = [line.removeprefix("$ ").strip() for line in self.code.splitlines()]
        rest = (x for x in lines if x and not re.match(r"#|import |from .* import ", x))
        return next(rest, lines[0]).partition(" #")[0].rstrip()


@dataclass(frozen=True)
class Example:
    """A docstring's line `Example: …`, by the name of what it is an example of."""

    name: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks of code in their order; blocks of `text` are drawings and lists."""
    text, name = page.read_text("utf-8"), page.relative_to(ROOT).as_posix()
    found = [(m.start(), Block(name, m[1], m[2])) for m in _FENCED.finditer(text)]
    plain = _FENCED.sub(lambda m: "\n" * len(m[0]), text)
    found += [
        (m.start(), Block(name, "", textwrap.dedent(m[1]))) for m in _INDENTED.finditer(plain)
    ]
    return [block for _, block in sorted(found, key=lambda x: x[0]) if block.language != "text"]


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the docstring of all in the package that has one."""
    for file in sorted((ROOT / "fertools").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield from _of(module, ast.parse(file.read_text("utf-8")))


def examples() -> Iterator[Example]:
    """Yield the examples in docstrings that are prose, not doctests."""
    for name, text in docstrings():
        for paragraph in re.split(r"\n\s*\n", text):
            if found := re.match(r"\s*Example: (.*)", paragraph, re.DOTALL):
                yield Example(name, " ".join(found[1].split()))


def _of(name: str, node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if text := ast.get_docstring(node):
            yield name, text
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _of(f"{name}.{child.name}", child)

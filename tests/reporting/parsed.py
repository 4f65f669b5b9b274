"""Read a page as a browser does, without one."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

#: Elements without an end.
_VOID = {"meta", "input", "img", "br", "link"}


class Parsed(HTMLParser):
    """A page: its elements in order, the text of its scripts, and its visible text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self.open: list[str] = []
        self._script: str | None = None
        self.feed(file.read_text("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.elements.append((tag, named))
        if tag not in _VOID:
            self.open.append(tag)
        if tag in ("script", "style"):
            self._script = named.get("id") or tag
            self.scripts[self._script] = ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.texts.append(data)
        else:
            self.scripts[self._script] += data

    @property
    def figures(self) -> Any:
        return json.loads(self.scripts["figures"])

    @property
    def data(self) -> Any:
        return json.loads(gzip.decompress(b64decode(self.scripts["data"])))

    def column(self, name: str) -> list[Any]:
        """Return the values of a column of the rows."""
        found = next(each for each in self.data["columns"] if each["name"] == name)
        if "values" in found:
            return list(found["values"])
        words = [*found["words"], None]
        return [words[code] for code in found["codes"]]

    def picture(self, row: int) -> bytes:
        data = self.data
        first = row // data["pack"] * data["pack"]
        start = sum(data["lengths"][first:row])
        text = self.scripts[f"pack-{row // data['pack']}"]
        return b64decode(text[start : start + data["lengths"][row]])

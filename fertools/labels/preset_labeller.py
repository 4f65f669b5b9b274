"""Label photos by a preset's pattern and side tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fertools.data import Drop, Label, Reason, Split
from fertools.errors import SourceError, printable
from fertools.labels.tables import TableRow, Tables
from fertools.layouts.preset import Preset, as_word
from fertools.options import LabelOptions

_SEXES: Final = {"남": "남", "여": "여", "m": "남", "male": "남", "f": "여", "female": "여"}

_FACELESS: Final = Drop(Reason.NO_FACE, "the data set says that it shows no face")


@dataclass(frozen=True, slots=True)
class PresetLabeller:
    """The label options, and what a preset and its side tables say of each photo."""

    options: LabelOptions
    preset: Preset
    tables: Tables
    warnings: tuple[str, ...] = ()

    @property
    def classes(self) -> Mapping[str, str]:
        """The classes in the order of their indices, each with its English; empty if any word is."""
        return {name: self.preset.english.get(name, name) for name in self.preset.class_names}

    def label(self, key: str) -> Label:
        """Return the label of a photo; the side tables count before its name."""
        fields = self._fields(key)
        age = as_word(fields.get("age", ""))
        return Label(
            emotion=self._class_of(key, fields.get("class", "")),
            subject=fields.get("subject"),
            sex=_SEXES.get(fields.get("sex", "").casefold()),
            age=int(age) // 10 * 10 if age.isdecimal() and int(age) < 200 else None,
        )

    def official_split(self, key: str) -> Split | None:
        """Return the set's own split of a photo, None where it has none."""
        return self.preset.split_of(self._fields(key).get("split", ""))

    def drop(self, key: str) -> Drop | None:
        """Return why a photo has no example, if the set itself says so."""
        row = self.tables.find(key)
        return _FACELESS if row and row.faceless else None

    def _fields(self, key: str) -> dict[str, str]:
        match = re.search(self.preset.pattern, key, re.IGNORECASE)
        named = match.groupdict() if match else {}
        row = self.tables.find(key) or TableRow()
        fields = {name: text for name, text in named.items() if text} | dict(row.fields)
        if "class" in row.fields and self.preset.class_of(row.fields["class"]) is None:
            fields["class"] = named.get("class") or ""
        return fields

    def _class_of(self, key: str, word: str) -> str | None:
        found = self.preset.class_of(word)
        if found is None and self.preset.classes and as_word(word).isdecimal():
            raise SourceError(
                f"{printable(key)}: {printable(word)} is no class of {self.preset.title}; its files have "
                f"{', '.join('='.join(words[1::-1]) for words in self.preset.classes)}: this copy "
                "numbers them otherwise; say the classes in a --table"
            )
        return found

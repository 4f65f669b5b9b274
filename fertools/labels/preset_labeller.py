"""Label photos by a preset's pattern and side tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fertools.data import Drop, Label, Reason, Split
from fertools.errors import SourceError, printable
from fertools.labels.annotations import MatchReport
from fertools.labels.counted_votes import CountedVotes
from fertools.labels.tables import Tables
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
        """The classes in the order of their indices with their English; {} if any word is one."""
        return {name: self.preset.english.get(name, name) for name in self.preset.class_names}

    def label(self, key: str) -> Label:
        """Return the label of a photo; the side tables count before its name."""
        named, listed = self._named(key), self._listed(key)
        fields = named | listed
        age = as_word(fields.get("age", ""))
        words = [fields["class"] for fields in (listed, named) if "class" in fields]
        return Label(
            emotion=self._find_class(key, words),
            subject=fields.get("subject"),
            sex=_SEXES.get(fields.get("sex", "").casefold()),
            age=int(age) // 10 * 10 if age.isdecimal() and int(age) < 200 else None,
        )

    def official_split(self, key: str) -> Split | None:
        """Return the set's own split of a photo, None where it has none."""
        fields = self._named(key) | self._listed(key)
        return self.preset.split_of(fields.get("split", ""))

    def votes(self, keys: Sequence[str]) -> CountedVotes:
        """Return the annotators' votes that side tables count, a row a key."""
        found = map(self.tables.find, keys) if self.preset.voted else ()
        rows = (row.votes if row else None for row in found)
        return CountedVotes.of(self.preset.class_names, rows, len(keys))

    def is_voted(self, key: str) -> bool:
        """Return whether a side table counts votes on a photo."""
        row = self.tables.find(key)
        return row is not None and any(row.votes.values())

    def match(self, keys: Sequence[str]) -> MatchReport:
        """Return how many of the photos have votes; () of names, which the tables' rows have."""
        recorded = int(self.votes(keys).recorded.sum())
        return MatchReport(recorded, len(keys) - recorded, 0, (), ())

    def drop(self, key: str) -> Drop | None:
        """Return why a photo has no example, if the set itself says so."""
        row = self.tables.find(key)
        return _FACELESS if row and row.faceless else None

    def _named(self, key: str) -> dict[str, str]:
        match = re.search(self.preset.pattern, key, re.IGNORECASE)
        return {name: text for name, text in match.groupdict().items() if text} if match else {}

    def _listed(self, key: str) -> dict[str, str]:
        row = self.tables.find(key)
        return dict(row.fields) if row else {}

    def _find_class(self, key: str, words: Sequence[str]) -> str | None:
        """Return the class of the first word that means one. Raises SourceError for a number."""
        for word in words:
            if found := self.preset.class_of(word):
                return found
            if as_word(word).isdecimal():
                numbers = ", ".join("=".join(each[1::-1]) for each in self.preset.classes)
                raise SourceError(
                    f"{printable(key)}: {printable(word)} is no class of {self.preset.title}; its "
                    f"files have {numbers}: this copy numbers them otherwise; say the classes in a "
                    "--table"
                )
        return None

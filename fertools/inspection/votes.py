"""Compare the votes of a ledger with what uploader and annotators said.

uploader  annot_a  annot_b  annot_c                    words, or null
    │        └────────┴────────┴── counted by class ──▶ votes
    └── its class ──▶ uploader of the record
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.dataset.manifest import Manifest
from fertools.inspection.ledger_rows import SLOTS, LedgerRows
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS
from fertools.options import LabelOptions

#: The options that decide which class a word has.
_CLASS_OPTIONS: Final = ("classes", "rename", "drop")

#: The most rows that are named.
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Votes:
    """What a ledger's rows say who said, as classes of the dataset.

    said   int32, (rows, 4): the class of each of SLOTS, -1 for none; (rows, 0) in format 1 and for
           a dataset without votes
    """

    rows: LedgerRows
    said: NDArray[np.int32]

    @classmethod
    def of(cls, rows: LedgerRows, manifest: Manifest) -> Votes:
        if not manifest.uploader:
            return cls(rows, np.zeros((len(rows), 0), np.int32))
        class_of = word_classes(manifest)
        columns = [rows.words[slot] for slot in SLOTS]
        classes = [np.array([*map(class_of, c.words), -1], np.int32)[c.codes] for c in columns]
        return cls(rows, np.column_stack(classes))

    def uploader(self, row: int) -> int:
        """Return the class of the uploader's word, -1 for none."""
        return int(self.said[row, 0]) if self.said.size else -1

    def problems(self, ledger: str) -> Iterator[str]:
        """Yield a line for each row whose votes are not what its annotators said.

        Votes without a word of any annotator come from elsewhere, such as a table of counts.
        """
        wrong = self._wrong()[:_MOST]
        for key in self.rows.key_texts(wrong.tolist()):
            yield f"{ledger}: {key} has other votes than its annotators"

    def _wrong(self) -> Ints:
        if not self.said.size:
            return np.zeros(0, np.int64)
        annotators = [self.rows.words[slot].codes >= 0 for slot in SLOTS[1:]]
        classes = np.arange(self.rows.votes.shape[1])
        counted = sum(
            (self.said[:, slot, np.newaxis] == classes).astype(np.int16) for slot in (1, 2, 3)
        )
        return np.flatnonzero(np.any(annotators, axis=0) & (counted != self.rows.votes).any(axis=1))


def word_classes(manifest: Manifest) -> Callable[[str], int]:
    """Return the function from an annotator's word to its class, -1 for none."""
    names = [entry.name for entry in manifest.classes]
    if manifest.options["classes"] == "auto":  # of a preset, whose words are its classes
        return lambda word: names.index(word) if word in names else -1
    options = LabelOptions.of({name: manifest.options[name] for name in _CLASS_OPTIONS})
    renamed = [pair.partition("=")[0].strip() for pair in options.rename]
    # Of class folders only the classes are known, not the folders that were renamed or dropped.
    classes = ClassMap.of(options, {*EMOTIONS, *names, *renamed, *options.drop})

    def class_of(word: str) -> int:
        index = classes.index_of.get(word)
        name = None if index is None else classes.names[index]
        return names.index(name) if name in names else -1

    return class_of

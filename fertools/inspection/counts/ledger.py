"""Count what a dataset's ledger says: people, places, faces, votes, repeated files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Ints, Words
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from fertools.inspection.counts.counting import (
    Container,
    FieldColumns,
    Histogram,
    seconds_of,
    sorted_words,
    words_of_numbers,
)
from fertools.pipeline.parts import KEPT

#: What a ledger that cannot be read raises.
LEDGER_FAULTS: Final = (OSError, pa.ArrowException, ValueError, KeyError)

_SIDES: Final = ("x0", "y0", "x1", "y1")
_WORDS: Final = (
    *("container", "subject", "sex", "emotion", "place"),
    *("label", "outcome", "split"),
)
_NUMBERS: Final = ("bytes", "age", *_SIDES, "faces", "confidence", "iou")

#: Pixels: six bins from one power of two to the next would be too fine, two are enough.
_SIZE_EDGES: Final = (0, *(x for e in range(5, 17) for x in (2**e, 3 * 2 ** (e - 1))))
_SHARE_EDGES: Final = tuple(round(x / 20, 2) for x in range(21))


@dataclass(frozen=True, slots=True)
class LedgerStats:
    """The counts of the examples that need the ledger. Augmented copies are not counted.

    subjects       people; `photos_each` is the fewest, the median and the most photos of one
    sexes …        examples by sex; `ages` by decade, `places` by place
    sessions       bursts of one person; `photos_each_session` as `photos_each`
    containers     folders and zips, with their entries and examples
    face_sizes     shorter side of the face's box in pixels of the photo
    enlarged       faces whose shorter side is smaller than the crop
    confidences    the detector's, 0 to 1
    ious           of the annotators' box and the detector's; None if there are none
    faces_each     photos by the number of faces in them
    repeated       examples whose file is, byte for byte, that of an earlier example
    votes_by_name  by the name's emotion, the sum of the votes for each class; None without votes
    """

    subjects: int
    photos_each: tuple[int, ...]
    sexes: dict[str, int]
    ages: dict[str, int]
    places: dict[str, int]
    sessions: int
    photos_each_session: tuple[int, ...]
    containers: tuple[Container, ...]
    face_sizes: Histogram
    enlarged: int
    confidences: Histogram
    ious: Histogram | None
    faces_each: dict[str, int]
    repeated: int
    votes_by_name: dict[str, list[int]] | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class LedgerTable:
    """The ledger of a dataset, without the keys. Raises LEDGER_FAULTS if it cannot be read.

    500,000 rows take about 150 MB.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self._manifest = manifest
        names = [*_WORDS, *_NUMBERS, "stamp", "votes", "digest"]
        # Codes, not texts: a batch of rows holds a word once.
        self._table = pq.read_table(path, columns=names, read_dictionary=[*_WORDS])

    @cached_property
    def fields(self) -> FieldColumns:
        classes = [entry.name for entry in self._manifest.classes]
        outcome = sorted_words(self._words("outcome"), (KEPT,))
        kept = outcome.words.index(KEPT) if KEPT in outcome.words else -2
        columns = {
            "class": sorted_words(self._words("label"), classes),
            "split": sorted_words(self._words("split"), tuple(Split)),
            "age": words_of_numbers(self._numbers("age", -1)),
            "container": self._words("container"),
            "outcome": outcome,
        }
        names = ("sex", "place", "emotion", "subject")
        texts = {name: sorted_words(self._words(name)) for name in names}
        return FieldColumns(columns | texts, outcome.codes == kept)

    def count(self) -> LedgerStats:
        fields, kept = self.fields, self.fields.is_photo
        subjects, *photos_each = fields.people()
        sessions, *photos_each_session = fields.sessions(self._times())
        x0, y0, x1, y1 = (self._numbers(side, 0)[kept] for side in _SIDES)
        sizes = np.minimum(x1 - x0, y1 - y0)
        faces, counts = np.unique(self._numbers("faces", 0)[kept], return_counts=True)
        ious = self._numbers("iou", -1, np.float64)[kept]
        digests = self._table["digest"].filter(pa.array(kept))
        return LedgerStats(
            subjects=subjects,
            photos_each=tuple(photos_each),
            sexes=fields.count("sex"),
            ages=fields.count("age"),
            places=fields.count("place"),
            sessions=sessions,
            photos_each_session=tuple(photos_each_session),
            containers=fields.containers(self._numbers("bytes", 0)),
            face_sizes=Histogram.of(sizes, _SIZE_EDGES),
            enlarged=int((sizes < self._manifest.image.size).sum()),
            confidences=_shares(self._numbers("confidence", 0, np.float64)[kept]),
            ious=_shares(ious[ious >= 0]) if (ious >= 0).any() else None,
            faces_each=dict(zip(map(str, faces.tolist()), counts.tolist(), strict=True)),
            repeated=int(kept.sum()) - pc.count_distinct(digests).as_py(),
            votes_by_name=self._votes_by_name(),
        )

    def _votes_by_name(self) -> dict[str, list[int]] | None:
        votes = self._table["votes"].combine_chunks()
        voted = np.asarray(votes.is_valid())
        if not voted.any():
            return None
        numbers = np.asarray(votes.flatten()).reshape(int(voted.sum()), -1)
        emotion = self.fields.columns["emotion"]
        codes = emotion.codes[voted]
        sums = {word: numbers[codes == i].sum(0) for i, word in enumerate(emotion.words)}
        return {word: row.tolist() for word, row in sums.items() if row.any()}

    def _times(self) -> Ints:
        chunks = (seconds_of(chunk.to_pylist()) for chunk in self._table["stamp"].iterchunks())
        return np.concatenate([np.zeros(0, np.int64), *chunks])

    def _words(self, name: str) -> Words:
        column = self._table[name]
        if not len(column):
            return Words(np.zeros(0, np.int32), [])
        column = column.unify_dictionaries().combine_chunks()
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Words(codes.astype(np.int32), column.dictionary.to_pylist())

    def _numbers(self, name: str, null: int, dtype: type = np.int64) -> NDArray[Any]:
        column = self._table[name].combine_chunks().fill_null(null)
        return np.asarray(column).astype(dtype)


def manifest_fields(
    photos: Mapping[str, Mapping[str, int]], classes: Sequence[str]
) -> FieldColumns:
    """Return the columns class and split of a dataset without its ledger.

    photos   by split and class, the number of photos
    """
    cells = [
        (i, j, count)
        for j, own in enumerate(photos.values())
        for i, count in enumerate(own.get(name, 0) for name in classes)
    ]
    rows, columns, counts = np.array(cells, np.int32).reshape(-1, 3).T
    return FieldColumns(
        {
            "class": Words(np.repeat(rows, counts), classes),
            "split": Words(np.repeat(columns, counts), list(photos)),
        },
        np.ones(int(counts.sum()), np.bool_),
    )


def _shares(values: NDArray[Any]) -> Histogram:
    return Histogram.of(np.clip(values, 0, 1), _SHARE_EDGES)

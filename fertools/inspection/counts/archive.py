"""Count what is in an archive, by names alone: no photo is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.columns import Ints, Words
from fertools.console import name_pair, percent, shorten, table
from fertools.errors import printable
from fertools.inspection.counts.counting import (
    Container,
    CrossTable,
    FieldColumns,
    parse_fields,
    seconds_of,
    sorted_words,
    words_of_numbers,
)
from fertools.inspection.counts.tables import (
    containers_table,
    count_table,
    cross_table,
    csv_text,
    people_text,
)
from fertools.options import SourceOptions
from fertools.pipeline.catalog import Catalog, count_outcomes
from fertools.pipeline.label_sources import label_archive
from fertools.pipeline.parts import KEPT

#: The fields of --by.
FIELDS: Final = ("class", "sex", "age", "place", "container", "outcome", "emotion", "subject")

#: Fields that an archive has not before it is built.
_OF_DATASETS: Final = ("split",)

#: The outcome of a photo that a build would process.
PHOTO: Final = "photo"

#: Names that do not parse, of which so many are examples.
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Photos whose names do not follow the archive's grammar, with some of their keys."""

    photos: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """The contents of an archive as far as names say.

    members       entries of every kind
    photos        those that a build processes; `bytes` is their size in all
    classes       photos by class, in the order of the labels; `english` names them
    subjects      people; `photos_each` is the fewest, the median and the most photos of one, and
                  `unknown_people` counts the photos whose names carry no person
    sexes         photos by sex; `ages` by decade, `places` by place
    sessions      bursts of one person; `photos_each_session` as `photos_each`
    dropped       entries that will be no examples, by reason
    unparsed      photos whose names do not follow the archive's grammar
    containers    the folders and zips, in the order of the build
    by            the cross table of --by
    notes         lines for the user, such as where the plot is
    """

    members: int
    photos: int
    bytes: int
    classes: dict[str, int]
    english: dict[str, str]
    subjects: int
    photos_each: tuple[int, ...]
    unknown_people: int
    sexes: dict[str, int]
    ages: dict[str, int]
    dropped: dict[str, int]
    warnings: tuple[str, ...]
    places: dict[str, int]
    sessions: int
    photos_each_session: tuple[int, ...]
    unparsed: Unparsed
    containers: tuple[Container, ...]
    by: CrossTable | None = None
    notes: tuple[str, ...] = ()
    kind: str = "archive"

    @property
    def english_names(self) -> dict[str, str]:
        """The English name of each class."""
        return self.english

    @property
    def class_split(self) -> CrossTable:
        """The photos by class: what is drawn without --by."""
        rows = tuple(((name,), count) for name, count in self.classes.items())
        return CrossTable(("class",), "photos", (tuple(self.classes),), rows)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"by": self.by and self.by.to_dict()}

    def csv(self) -> str:
        """Return the table of --by, or the classes, as CSV."""
        if self.by:
            return csv_text((*self.by.fields, self.by.counted), self.by.flat_rows)
        rows = [
            (name, self.english[name], count, round(count / max(self.photos, 1), 6))
            for name, count in self.classes.items()
        ]
        return csv_text(("class", "english", "photos", "share"), rows)

    def text(self) -> str:
        head = f"{self.photos:,} photos of {self.members:,} entries, {self.bytes / 1e9:.2f} GB"
        tables = [cross_table(self.by, self.english)] if self.by else self._tables()
        warnings = (f"warning: {printable(warning)}" for warning in self.warnings)
        return "\n\n".join([head, *tables, *warnings, *(f"note: {note}" for note in self.notes)])

    def _tables(self) -> Iterator[str]:
        rows = [
            (name_pair(name, self.english[name]), count, percent(count, self.photos))
            for name, count in self.classes.items()
        ]
        yield table(("class", "photos", "share"), [*rows, ("all", self.photos, "")], foot=True)
        if self.subjects:
            yield people_text(self)
            yield count_table("sex", self.sexes)
            yield count_table("age", self.ages)
            yield count_table("place", self.places)
        if self.unknown_people:
            yield (
                f"{self.unknown_people:,} of {self.photos:,} photos carry no person in their "
                "names: a split takes each for a person of its own, so that a leak cannot be "
                "excluded"
            )
        if self.subjects and self.unparsed.photos:
            yield self._unparsed()
        if self.dropped:
            yield table(("no example", "entries"), list(self.dropped.items()))
        yield containers_table(self.containers)

    def _unparsed(self) -> str:
        names = [f"  {shorten(printable(key), 78)}" for key in self.unparsed.examples]
        more = self.unparsed.photos - len(names)
        last = [f"  and {more:,} more"] if more else []
        head = f"{self.unparsed.photos:,} names of photos do not parse:"
        return "\n".join([head, *names, *last])


def count_archive(
    path: Path, by: Sequence[str] = (), source: SourceOptions | None = None
) -> Census:
    """Count the people, classes and photos of an archive. Raises SourceError, OptionError."""
    fields = parse_fields(by, FIELDS, _OF_DATASETS)
    found, catalog = label_archive(path, source or SourceOptions())
    selected, names = catalog.selected, catalog.classes.names
    columns = _fields(catalog)
    dropped = count_outcomes(catalog.class_or_drop, catalog.drops)
    del dropped[KEPT]
    subjects, *photos_each = columns.people()
    sessions, *photos_each_session = columns.sessions(_times(catalog))
    sizes = catalog.members.columns.numbers("size")
    classes = columns.count("class")
    return Census(
        members=len(catalog.members),
        photos=len(selected),
        bytes=int(sizes[selected].sum()),
        classes={name: classes.get(name, 0) for name in names},
        english=dict(zip(names, catalog.classes.english, strict=True)),
        subjects=subjects,
        photos_each=tuple(photos_each),
        unknown_people=int((columns.columns["subject"].codes[selected] < 0).sum()),
        sexes=columns.count("sex"),
        ages=columns.count("age"),
        dropped=dict(dropped.most_common()),
        warnings=(*found.faults, *found.warnings, *map(printable, catalog.warnings)),
        places=columns.count("place"),
        sessions=sessions,
        photos_each_session=tuple(photos_each_session),
        unparsed=_unparsed(catalog),
        containers=columns.containers(sizes),
        by=columns.cross_table(fields) if fields else None,
    )


def _fields(catalog: Catalog) -> FieldColumns:
    is_photo = catalog.class_or_drop >= 0
    reasons = [str(drop.reason) for drop in catalog.drops]
    outcomes = [PHOTO, *dict.fromkeys(reasons)]
    code_of = np.array([*map(outcomes.index, reasons), 0], np.int32)  # the last is that of photos
    codes = code_of[np.where(is_photo, len(reasons), -1 - catalog.class_or_drop)]
    words = {name: _label(catalog, name) for name in ("sex", "place", "subject")}
    return FieldColumns(
        {
            "class": Words(np.maximum(catalog.class_or_drop, -1), catalog.classes.names),
            **words,
            "age": words_of_numbers(catalog.labels.numbers("age", fill=-1)),
            "container": Words(*catalog.members.columns.codes("container")),
            "outcome": Words(codes, outcomes),
            "emotion": sorted_words(
                Words(*catalog.labels.codes("emotion")), tuple(catalog.classes.index_of)
            ),
        },
        is_photo,
    )


def _label(catalog: Catalog, name: str) -> Words:
    return sorted_words(Words(*catalog.labels.codes(name)))


def _times(catalog: Catalog) -> Ints:
    # Batch by batch: half a million stamps as texts would be 80 MB.
    batches = (seconds_of(batch["stamp"].to_pylist()) for batch in catalog.labels.batches)
    return np.concatenate([np.zeros(0, np.int64), *batches])


def _unparsed(catalog: Catalog) -> Unparsed:
    # A name that parses states a sex; folders state none.
    sexes = catalog.labels.codes("sex")[0]
    rows = np.flatnonzero((catalog.members.dropped < 0) & (sexes < 0))
    return Unparsed(len(rows), tuple(catalog.members.keys_at(rows[:_EXAMPLES])))

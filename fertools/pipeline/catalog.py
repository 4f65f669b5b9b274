"""Every member with its label and its class, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.archive.folder import RetryPolicy
from fertools.archive.members import Keys, Members, keys_of
from fertools.archive.reader import Reader
from fertools.columns import Columns, Ints, Words, column
from fertools.data import Box, Drop, Label, ReadFault, Reason, Unusable
from fertools.errors import OptionError, SourceError, printable
from fertools.labels.annotations import (
    Agreement,
    Annotations,
    MatchReport,
    agreement,
    decide_emotion,
    vote_counts,
)
from fertools.labels.classes import ClassMap
from fertools.labels.labeller import Labeller
from fertools.labels.records import LabelRecord, median_box
from fertools.options import LabelOptions

# Members whose name is not a photo's and says nothing.
_NAMELESS = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE, Reason.DAMAGED_ARCHIVE})

_WORD: Final = pa.dictionary(pa.int32(), pa.string())

#: What names say, a row a member.
LABELS: Final = pa.schema(
    [
        ("subject", _WORD),
        ("sex", _WORD),
        ("age", pa.int16()),
        ("emotion", _WORD),
        ("place", _WORD),
        ("stamp", _WORD),
        ("shot", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The archive by name alone: columns of one length, in the archive's order.

    labels       by LABELS
    fates        int32, (members,): the class index of a member that shall be looked at, or -1 - i
                 where drops[i] says why it shall not
    wanted       int64, the positions of those that shall be looked at
    annotations  what annotators say; a record is unpacked when it is asked for
    joined       how photos and label records met
    agreement    by emotion, how far annotators agree with the names
    notes        how folders were read, a line each for the user
    """

    members: Members
    labels: Columns
    fates: NDArray[np.int32]
    wanted: Ints
    drops: tuple[Drop, ...]
    classes: ClassMap
    rule: LabelOptions
    annotations: Annotations
    joined: MatchReport
    agreement: dict[str, Agreement]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, members: Members, rule: LabelOptions, annotations: Annotations | None = None
    ) -> Catalog:
        """Label the members by a rule; SourceError and OptionError come from the rule."""
        told = annotations or Annotations()
        photos = members.photo_keys
        labeller = Labeller.of(rule, photos)
        rule = labeller.options
        if rule.votes_needed and not len(told):
            raise OptionError(
                f"--labels {rule.labels} needs label files, and the archive has none: add "
                "[라벨]….zip or its folder to SRC, or use --labels name"
            )
        labels = Columns(_labels(members, labeller), LABELS)
        emotions, words = labels.codes("emotion")
        classes = ClassMap.of(rule, words)
        named = [*words, None]  # at -1 stands None
        fates, drops = _Fates(rule, classes, members.drops).of(members, emotions, named, told)
        wanted = np.flatnonzero(fates >= 0)
        agreed = agreement(
            (named[emotion], record) for emotion, record in _recorded(members, emotions, told)
        )
        joined = told.match(photos)
        return cls(
            members,
            labels,
            fates,
            wanted,
            drops,
            classes,
            rule,
            told,
            joined,
            agreed,
            labeller.warnings,
        )

    @property
    def codes(self) -> Ints:
        """The class index of each member, int64, -1 where it has none."""
        return np.maximum(self.fates, -1).astype(np.int64)

    @property
    def voted(self) -> bool:
        """Whether any photo has a label record, so that examples hold votes."""
        return self.joined.found > 0

    def keys(self, rows: Ints) -> Keys:
        """Return the keys of the members at these positions."""
        return self.members.keys_at(rows)

    def subjects(self, rows: Ints) -> Words:
        """Return the people whom the names of the members at these positions say."""
        return Words(*self.labels.codes("subject")).take(rows)

    def votes(self, rows: Ints) -> Iterator[tuple[int, ...]]:
        """Yield the votes for each class of these members, the uploader's included."""
        for key in self.keys(rows):
            yield vote_counts(self.annotations.record_of(key), self.classes)

    def box(self, rows: Ints) -> Iterator[Box | None]:
        """Yield the annotators' median box, or None, of these members."""
        for key in self.keys(rows):
            record = self.annotations.record_of(key)
            yield median_box(record.boxes) if record else None

    def boxes(self) -> dict[str, Box]:
        """Return the annotators' median boxes of the wanted members that have one, by key."""
        wanted = self.wanted
        found = zip(self.keys(wanted), self.box(wanted), strict=True)
        return {key: box for key, box in found if box}


def _labels(members: Members, labeller: Labeller) -> Iterator[pa.RecordBatch]:
    """Read every name; those of files that are no photos are not even looked at."""
    silent = [drop.reason in _NAMELESS for drop in members.drops] + [False]  # at -1
    nothing = Label()
    for batch in members.columns.slices():
        rows = zip(keys_of(batch).to_pylist(), batch["dropped"].to_pylist(), strict=True)
        labels = [nothing if silent[drop] else labeller.label(key) for key, drop in rows]
        arrays = [column([getattr(label, f.name) for label in labels], f.type) for f in LABELS]
        yield pa.record_batch(arrays, schema=LABELS)


class _Fates:
    """Decides which class a member belongs to, or why to none."""

    def __init__(self, rule: LabelOptions, classes: ClassMap, drops: Sequence[Drop]) -> None:
        self._rule = rule
        self._classes = classes
        self._drops = {drop: number for number, drop in enumerate(drops)}
        self._known: dict[str | None, int] = {}

    def of(
        self,
        members: Members,
        emotions: NDArray[np.int32],
        named: Sequence[str | None],
        told: Annotations,
    ) -> tuple[NDArray[np.int32], tuple[Drop, ...]]:
        """Return the fates and drops of a catalog; `emotions` are indices into `named`."""
        if self._rule.votes_needed:
            keys = zip(members.keys, emotions, strict=True)
            decided = (self._one(named[code], told.record_of(key)) for key, code in keys)
            fates = np.fromiter(decided, np.int32, len(members))
        else:
            each = np.array([self._one(emotion, None) for emotion in named], np.int32)
            fates = each[emotions]
        dropped = members.dropped
        return np.where(dropped >= 0, -1 - dropped, fates).astype(np.int32), tuple(self._drops)

    def _one(self, named: str | None, record: LabelRecord | None) -> int:
        emotion = decide_emotion(self._rule, named, record)
        if isinstance(emotion, Drop):
            return self._number(emotion)
        if emotion not in self._known:
            fate = self._classes.class_of(Label(emotion=emotion))
            self._known[emotion] = fate if isinstance(fate, int) else self._number(fate)
        return self._known[emotion]

    def _number(self, drop: Drop) -> int:
        return -1 - self._drops.setdefault(drop, len(self._drops))


def _recorded(
    members: Members, emotions: NDArray[np.int32], told: Annotations
) -> Iterator[tuple[int, LabelRecord | None]]:
    """Yield each photo's emotion and record, where there are records at all."""
    if not len(told):
        return
    photos = members.dropped < 0
    for code, key in zip(emotions[photos].tolist(), members.photo_keys, strict=True):
        yield code, told.record_of(key)


def read_annotations(
    source: Path, members: Members, *, accept_unreadable: bool = False
) -> tuple[Annotations, int]:
    """Read every label file of the archive, wherever it lies; what is wrong is a problem line.

    Returns the annotations, and how many files the system did not let be read. Raises SourceError
    for such a file, unless that is accepted.
    """
    lost: list[str] = []
    annotations = Annotations.of(_label_files(source, members, accept_unreadable, lost))
    return annotations, len(lost)


def _label_files(
    source: Path, members: Members, accept_unreadable: bool, lost: list[str]
) -> Iterator[tuple[str, bytes | Drop]]:
    codes = [i for i, drop in enumerate(members.drops) if drop.reason is Reason.LABEL_FILE]
    retries = RetryPolicy()
    with Reader(source) as reader:
        for member in members.take(np.flatnonzero(np.isin(members.dropped, codes))):
            try:
                yield member.key, retries.retry(partial(reader.read, member))
            except Unusable as verdict:
                yield member.key, verdict.drop
            except ReadFault as fault:
                if not accept_unreadable:
                    raise unread_source(
                        [f"{printable(member.key)}: {fault.drop.detail}"]
                    ) from fault
                lost.append(member.key)
                yield member.key, fault.drop


def unread_source(faults: Sequence[str]) -> SourceError:
    """Return the error for what the system does not let be listed or read in an archive."""
    more = f" and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    return SourceError(
        f"{faults[0]}{more}: make it readable, and give the same command; "
        "--accept-unreadable goes on without it"
    )

"""Label every member of the archive by name, and select the photos to process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.archive.folder import RetryPolicy
from fertools.archive.members import Members, keys_of
from fertools.archive.reader import Reader
from fertools.columns import Columns, Ints, Words, number_by_first_row, to_array
from fertools.data import Box, Drop, Label, ReadFault, Reason, Unusable
from fertools.errors import OptionError, SourceError, printable
from fertools.labels.annotations import Annotations, MatchReport
from fertools.labels.classes import ClassMap
from fertools.labels.counted_votes import CountedVotes
from fertools.labels.labeller import Labeller
from fertools.labels.preset_labeller import PresetLabeller
from fertools.labels.records import median_box
from fertools.labels.votes import Agreement, VoteTable, decide_emotion
from fertools.options import LabelOptions
from fertools.pipeline.parts import KEPT

#: Reasons of members that are no photos: their names are not read.
_NO_PHOTO: Final = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE, Reason.DAMAGED_ARCHIVE})

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

    labels         by LABELS
    class_or_drop  int32, (members,): the class index of a member to process, or -1 - i where
                   drops[i] is the reason not to process it
    selected       int64: the positions of the members to process, ascending
    options        the label options without `auto`
    annotations    the label records; a record is unpacked on access
    labeller       how names, folders and side tables were read
    vote_table     who said what of each member
    matches        how many photos and label records match
    agreement      by emotion, how far annotators agree with the names
    warnings       how folders were read, a line each
    """

    members: Members
    labels: Columns
    class_or_drop: NDArray[np.int32]
    selected: Ints
    drops: tuple[Drop, ...]
    classes: ClassMap
    options: LabelOptions
    annotations: Annotations
    labeller: Labeller | PresetLabeller
    vote_table: VoteTable | CountedVotes
    matches: MatchReport
    agreement: dict[str, Agreement]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        members: Members,
        options: LabelOptions,
        annotations: Annotations | None = None,
        preset: PresetLabeller | None = None,
    ) -> Catalog:
        """Label the members, by a preset's labeller where there is one.

        Raises SourceError where names and folders say nothing, and OptionError where the options
        need label files, or classes that the archive does not have.
        """
        annotations = annotations or Annotations()
        photos = members.photo_keys
        labeller = preset or Labeller.of(options, photos)
        options = labeller.options
        vote_table = preset.votes(members.keys) if preset else _vote_table(members, annotations)
        if options.votes_needed and not vote_table.recorded.any():
            raise OptionError(
                f"--labels {options.labels} needs label files, and the archive has none: "
                + ("" if preset else "add [라벨]….zip or its folder to SRC, or ")
                + "use --labels name"
            )
        labels = Columns(_labels(members, labeller), LABELS)
        emotions = Words(*labels.codes("emotion"))
        classes = ClassMap.of(options, emotions.words, preset.classes if preset else None)
        class_or_drop, drops = _classify(options, classes, members, emotions, vote_table)
        return cls(
            members,
            labels,
            class_or_drop,
            selected=np.flatnonzero(class_or_drop >= 0),
            drops=drops,
            classes=classes,
            options=options,
            annotations=annotations,
            labeller=labeller,
            vote_table=vote_table,
            matches=preset.match(photos) if preset else annotations.match(photos),
            agreement=vote_table.agreement(emotions),
            warnings=labeller.warnings,
        )

    @property
    def voted(self) -> bool:
        """Whether any photo has a label record, so that examples hold votes."""
        return self.matches.with_record > 0

    def subjects(self, rows: Ints) -> Words:
        return Words(*self.labels.codes("subject")).take(rows)

    def class_index(self, rows: Ints) -> Ints:
        """Return the class indices, int64, of selected members."""
        return self.class_or_drop[rows].astype(np.int64)

    def votes(self, rows: Ints) -> Ints:
        """Return how many annotators chose each class, int64, (rows, classes)."""
        return self.vote_table.votes(rows, self.classes)

    def uploader(self, rows: Ints) -> Ints:
        """Return the class of the uploader's word, int64, (rows,); -1 where it has none."""
        return self.vote_table.uploader(rows, self.classes)

    def annotated_boxes(self, rows: Ints) -> Iterator[Box | None]:
        """Yield the annotators' median box, or None, of these members."""
        for key in self.members.keys_at(rows):
            record = self.annotations.record_of(key)
            yield median_box(record.boxes) if record else None

    def boxes_by_key(self) -> dict[str, Box]:
        """Return the annotators' median boxes of the selected members that have one."""
        keys, boxes = self.members.keys_at(self.selected), self.annotated_boxes(self.selected)
        return {key: box for key, box in zip(keys, boxes, strict=True) if box}


def count_outcomes(class_or_drop: NDArray[np.int32], drops: Sequence[Drop]) -> Counter[str]:
    """Count the outcomes of members, in the order in which they occur first."""
    numbers, first = number_by_first_row(np.minimum(class_or_drop, 0))
    counts: Counter[str] = Counter()
    for code, count in zip(
        class_or_drop[first].tolist(), np.bincount(numbers).tolist(), strict=True
    ):
        counts[KEPT if code >= 0 else str(drops[-1 - code].reason)] += count
    return counts


def _labels(members: Members, labeller: Labeller | PresetLabeller) -> Iterator[pa.RecordBatch]:
    no_photo = [drop.reason in _NO_PHOTO for drop in members.drops] + [False]  # -1: not dropped
    empty = Label()
    for batch in members.columns.slices():
        rows = zip(keys_of(batch).to_pylist(), batch["dropped"].to_pylist(), strict=True)
        labels = [empty if no_photo[drop] else labeller.label(key) for key, drop in rows]
        arrays = [to_array([getattr(label, f.name) for label in labels], f.type) for f in LABELS]
        yield pa.record_batch(arrays, schema=LABELS)


def _classify(
    options: LabelOptions,
    classes: ClassMap,
    members: Members,
    emotions: Words,
    vote_table: VoteTable | CountedVotes,
) -> tuple[NDArray[np.int32], tuple[Drop, ...]]:
    """Return `class_or_drop` and `drops` of the catalog; `emotions` are those of the names."""
    drops = {drop: number for number, drop in enumerate(members.drops)}
    class_of = cache(lambda emotion: classes.class_of(Label(emotion=emotion)))

    def decide(name: str | None, votes: Sequence[str | None] | None) -> int:
        emotion = decide_emotion(options, name, votes)
        found = emotion if isinstance(emotion, Drop) else class_of(emotion)
        return -1 - drops.setdefault(found, len(drops)) if isinstance(found, Drop) else found

    names = [*emotions.words, None]  # code -1 is None
    if options.votes_needed:
        patterns = np.column_stack([emotions.codes, vote_table.patterns()])
        different, numbers = np.unique(patterns, axis=0, return_inverse=True)
        codes = np.array(
            [decide(names[name], vote_table.answers(votes)) for name, *votes in different.tolist()],
            np.int32,
        )[numbers.reshape(-1)]
    else:
        codes = np.array([decide(name, None) for name in names], np.int32)[emotions.codes]
    dropped = members.dropped
    return np.where(dropped >= 0, -1 - dropped, codes).astype(np.int32), tuple(drops)


def _vote_table(members: Members, annotations: Annotations) -> VoteTable:
    if not len(annotations):
        return VoteTable.empty(len(members))
    photos = (members.dropped < 0).tolist()
    keys = zip(members.keys, photos, strict=True)
    return VoteTable.of(
        (annotations.said(key) if photo else None for key, photo in keys), len(members)
    )


def read_annotations(
    source: Path, members: Members, *, accept_unreadable: bool = False
) -> tuple[Annotations, int]:
    """Read every label file of the archive; what is wrong with one is a line of `problems`.

    Returns the annotations and the number of files that the system did not let be read. Raises
    SourceError for such a file unless `accept_unreadable`.
    """
    unread: list[str] = []
    annotations = Annotations.of(label_files(source, members, accept_unreadable, unread))
    return annotations, len(unread)


def label_files(
    source: Path,
    members: Members,
    accept_unreadable: bool,
    unread: list[str],
    wanted: Callable[[str], object] = bool,
) -> Iterator[tuple[str, bytes | Drop]]:
    """Yield key and bytes of each label file whose key is `wanted`, or why it cannot be read.

    Keys of files that the system does not let be read are added to `unread`; raises SourceError
    instead unless `accept_unreadable`.
    """
    codes = [i for i, drop in enumerate(members.drops) if drop.reason is Reason.LABEL_FILE]
    retries = RetryPolicy()
    with Reader(source) as reader:
        for member in members.take(np.flatnonzero(np.isin(members.dropped, codes))):
            if not wanted(member.key):
                continue
            try:
                yield member.key, retries.retry(partial(reader.read, member))
            except Unusable as damage:
                yield member.key, damage.drop
            except ReadFault as fault:
                if not accept_unreadable:
                    raise unreadable_source(
                        [f"{printable(member.key)}: {fault.drop.detail}"]
                    ) from fault
                unread.append(member.key)
                yield member.key, fault.drop


def unreadable_source(faults: Sequence[str]) -> SourceError:
    """Return the error for files and folders of the archive that cannot be listed or read."""
    more = f" and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    return SourceError(
        f"{faults[0]}{more}: make it readable, and give the same command; "
        "--accept-unreadable continues without it"
    )

"""Label every member of the archive by name, and select the photos to process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from fertools.labels.corrections import Corrections
from fertools.labels.counted_votes import CountedVotes
from fertools.labels.labeller import Labeller
from fertools.labels.preset_labeller import PresetLabeller
from fertools.labels.records import median_box
from fertools.labels.votes import Agreement, VoteTable
from fertools.options import FaceOptions, LabelOptions
from fertools.pipeline.labelling.classify import Classes
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
    corrected      by row, what a person changed in its class
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
    corrected: dict[int, str]
    agreement: dict[str, Agreement]
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        members: Members,
        options: LabelOptions,
        annotations: Annotations | None = None,
        corrections: Corrections | None = None,
        secret: bytes = b"",
        *,
        preset: PresetLabeller | None = None,
    ) -> Catalog:
        """Label the members, by a preset's labeller where there is one.

        secret   with which pseudonyms are made: corrections may name photos by them

        Raises SourceError where names and folders say nothing, and OptionError where the options
        need label files, or name classes or photos that the archive does not have.
        """
        annotations = annotations or Annotations()
        photos = members.photo_keys
        labeller = preset or Labeller.of(options, photos)
        options = labeller.options
        vote_table = preset.votes(members.keys) if preset else _vote_table(members, annotations)
        if not options.rule.by_name and not vote_table.recorded.any():
            advice = "" if preset else "add [라벨]….zip or its folder to SRC, or "
            raise OptionError(
                f"--labels {options.rule.name} needs label files, and the archive has none: "
                f"{advice}use --labels name"
            )
        labels = Columns(_labels(members, labeller), LABELS)
        emotions = Words(*labels.codes("emotion"))
        classes = ClassMap.of(options, emotions.words, preset.classes if preset else None)
        found = Classes.by_rule(options, classes, members, emotions, vote_table)
        if corrections:
            rows = corrections.by_row(members.keys, members.dropped < 0, secret)
            found = found.overruled(classes, corrections, rows)
        return cls(
            members,
            labels,
            found.class_or_drop,
            selected=np.flatnonzero(found.class_or_drop >= 0),
            drops=found.drops,
            classes=classes,
            options=options,
            annotations=annotations,
            labeller=labeller,
            vote_table=vote_table,
            matches=preset.match(photos) if preset else annotations.match(photos),
            corrected=found.corrected,
            agreement=vote_table.agreement(emotions),
            warnings=labeller.warnings,
        )

    @property
    def voted(self) -> bool:
        """Whether any photo has a label record, so that examples hold votes."""
        return self.matches.with_record > 0

    @property
    def rule(self) -> str:
        """How classes were decided, in words."""
        three = isinstance(self.vote_table, VoteTable)
        words = self.options.rule.words(self.options.disputed, three=three)
        if self.options.rule.corrections is None:
            return words
        return f"{words}; then corrections by hand, of {len(self.corrected):,} photos"

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
        """Return the annotators' median box, or None, of these members."""
        return map(partial(_annotated_box, self.annotations), self.members.keys_at(rows))


def boxes_to_crop(
    annotations: Annotations, keys: Iterable[str], faces: FaceOptions
) -> dict[str, Box]:
    """Return the annotators' median boxes by key, with `--detector aihub`; else nothing."""
    if faces.detector != "aihub":
        return {}
    boxes = ((key, _annotated_box(annotations, key)) for key in keys)
    return {key: box for key, box in boxes if box}


def check_boxes(annotations: Annotations, keys: Iterable[str], faces: FaceOptions) -> None:
    """Raise OptionError if no photo has a box, and no network finds faces instead."""
    if not (faces.compare or any(_annotated_box(annotations, key) for key in keys)):
        raise OptionError(
            "--no-compare needs label files, and no photo has a box in one: "
            "add [라벨]….zip or its folder to SRC, or leave out --no-compare"
        )


def _annotated_box(annotations: Annotations, key: str) -> Box | None:
    record = annotations.record_of(key)
    return median_box(record.boxes) if record else None


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


def _vote_table(members: Members, annotations: Annotations) -> VoteTable:
    if not len(annotations):
        return VoteTable.empty(len(members))
    photos = (members.dropped < 0).tolist()
    keys = zip(members.keys, photos, strict=True)
    return VoteTable.of(
        (annotations.said(key) if photo else None for key, photo in keys), len(members)
    )


def read_annotations(
    source: Path,
    members: Members,
    *,
    accept_unreadable: bool = False,
    kept: Mapping[str, bytes] | None = None,
) -> tuple[Annotations, int]:
    """Read every label file of the archive; what is wrong with one is a line of `problems`.

    kept   bytes of label files that are not there any more, by key

    Returns the annotations and the number of files that the system did not let be read. Raises
    SourceError for such a file unless `accept_unreadable`.
    """
    unread: list[str] = []
    files = label_files(source, members, accept_unreadable, unread, kept=kept)
    annotations = Annotations.of(files)
    return annotations, len(unread)


def label_files(
    source: Path,
    members: Members,
    accept_unreadable: bool,
    unread: list[str],
    *,
    kept: Mapping[str, bytes] | None = None,
    wanted: Callable[[str], object] = bool,
) -> Iterator[tuple[str, bytes | Drop]]:
    """Yield key and bytes of each label file whose key is `wanted`, or why it cannot be read.

    Keys of files that the system does not let be read are added to `unread`; raises SourceError
    instead unless `accept_unreadable`.
    """
    codes = [i for i, drop in enumerate(members.drops) if drop.reason is Reason.LABEL_FILE]
    retries = RetryPolicy()
    with Reader(source, kept=kept) as reader:
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

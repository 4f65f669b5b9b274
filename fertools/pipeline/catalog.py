"""Every member with its label and its class, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fertools.archive import Reader
from fertools.data import Box, Drop, Label, Member, Reason, Unusable
from fertools.errors import OptionError
from fertools.labels import (
    Agreement,
    Annotations,
    ClassMap,
    Joined,
    Labeller,
    LabelRecord,
    LabelRule,
    agreement,
    decide,
    median_box,
    vote_counts,
)

# Members whose name is not a photo's and says nothing.
_NAMELESS = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE, Reason.DAMAGED_ARCHIVE})


@dataclass(frozen=True, slots=True)
class Catalog:
    """The archive by name alone: columns of one length, in the archive's order.

    fates        the class index of each member that shall be looked at, or why it shall not
    annotations  what annotators say; a record is unpacked when it is asked for
    joined       how photos and label records met
    agreement    by emotion, how far annotators agree with the names
    notes        how folders were read, a line each for the user
    """

    members: Sequence[Member]
    labels: Sequence[Label]
    fates: Sequence[int | Drop]
    classes: ClassMap
    rule: LabelRule
    annotations: Annotations
    joined: Joined
    agreement: dict[str, Agreement]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, members: Sequence[Member], rule: LabelRule, annotations: Annotations | None = None
    ) -> Catalog:
        """Label the members by a rule; SourceError and OptionError come from the rule."""
        told = annotations or Annotations()
        photos = [member.key for member in members if member.dropped is None]
        labeller = Labeller.of(rule, photos)
        rule = labeller.rule
        if rule.votes_needed and not len(told):
            raise OptionError(
                f"--labels {rule.labels} needs label files, and the archive has none: add "
                "[라벨]….zip or its folder to SRC, or use --labels name"
            )
        labels = [
            Label() if _nameless(member) else labeller.label(member.key) for member in members
        ]
        classes = ClassMap.of(rule, {label.emotion for label in labels})
        fates = [
            member.dropped or _fate(rule, classes, label, told.record_of(member.key))
            for member, label in zip(members, labels, strict=True)
        ]
        agreed = agreement(
            (label.emotion, told.record_of(member.key))
            for member, label in zip(members, labels, strict=True)
            if member.dropped is None
        )
        joined = told.joined(photos)
        return cls(members, labels, fates, classes, rule, told, joined, agreed, labeller.notes)

    @property
    def wanted(self) -> list[int]:
        """The positions of the members that shall be looked at."""
        return [i for i, fate in enumerate(self.fates) if not isinstance(fate, Drop)]

    @property
    def codes(self) -> NDArray[np.int64]:
        """The class index of each member, int64, -1 where it has none."""
        return np.array([-1 if isinstance(f, Drop) else f for f in self.fates], dtype=np.int64)

    @property
    def voted(self) -> bool:
        """Whether any photo has a label record, so that examples hold votes."""
        return self.joined.found > 0

    def votes(self, i: int) -> tuple[int, ...]:
        """Give the votes for each class of the member at a position, the uploader's included."""
        return vote_counts(self.annotations.record_of(self.members[i].key), self.classes)

    def box(self, i: int) -> Box | None:
        """Give the annotators' median box of the member at a position, or None."""
        record = self.annotations.record_of(self.members[i].key)
        return median_box(record.boxes) if record else None

    def boxes(self) -> dict[str, Box]:
        """Give the annotators' median boxes of the wanted members that have one, by key."""
        found = ((self.members[i].key, self.box(i)) for i in self.wanted)
        return {key: box for key, box in found if box}


def read_annotations(source: Path, members: Sequence[Member]) -> Annotations:
    """Read every label file of the archive, wherever it lies; what is wrong is a problem line."""
    return Annotations.of(_label_files(source, members))


def _label_files(source: Path, members: Sequence[Member]) -> Iterator[tuple[str, bytes | Drop]]:
    with Reader(source) as reader:
        for member in members:
            if member.dropped is None or member.dropped.reason is not Reason.LABEL_FILE:
                continue
            try:
                yield member.key, reader.read(member)
            except Unusable as verdict:
                yield member.key, verdict.drop


def _fate(
    rule: LabelRule, classes: ClassMap, label: Label, record: LabelRecord | None
) -> int | Drop:
    emotion = decide(rule, label.emotion, record)
    return (
        emotion if isinstance(emotion, Drop) else classes.class_of(replace(label, emotion=emotion))
    )


def _nameless(member: Member) -> bool:
    return member.dropped is not None and member.dropped.reason in _NAMELESS

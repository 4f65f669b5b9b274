"""Every member with its label and its class, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fertools.data import Drop, Label, Member, Reason
from fertools.labels import ClassMap, LabelRule

# Members whose name is not a photo's and says nothing.
_NAMELESS = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE, Reason.DAMAGED_ARCHIVE})


@dataclass(frozen=True, slots=True)
class Catalog:
    """The archive by name alone: three columns of one length, in the archive's order.

    fates   the class index of each member that shall be looked at, or why it shall not
    """

    members: Sequence[Member]
    labels: Sequence[Label]
    fates: Sequence[int | Drop]
    classes: ClassMap
    rule: LabelRule

    @classmethod
    def of(cls, members: Sequence[Member], rule: LabelRule) -> Catalog:
        """Label the members by a rule; SourceError and OptionError come from the rule."""
        rule = rule.resolve([member.key for member in members if member.dropped is None])
        labels = [Label() if _nameless(member) else rule.label(member.key) for member in members]
        classes = ClassMap.of(rule, {label.emotion for label in labels})
        fates = [
            member.dropped or classes.class_of(label)
            for member, label in zip(members, labels, strict=True)
        ]
        return cls(members, labels, fates, classes, rule)

    @property
    def wanted(self) -> list[int]:
        """The positions of the members that shall be looked at."""
        return [i for i, fate in enumerate(self.fates) if not isinstance(fate, Drop)]


def _nameless(member: Member) -> bool:
    return member.dropped is not None and member.dropped.reason in _NAMELESS

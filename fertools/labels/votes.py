"""What the annotators' votes decide: a photo's emotion, its soft label, what names are worth.

Three annotators looked at each photo without having been there. The uploader, who meant an emotion
and named the file by it, is not among the voters: his vote would make the name its own witness.
So the annotators' word stands against the name's: a 불안 that two of three call 슬픔 is a 슬픔.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fertools.data import Drop, Reason
from fertools.labels.classes import ClassMap, LabelRule
from fertools.labels.records import LabelRecord
from fertools.labels.words import EMOTIONS, UNKNOWN

_NO_RECORD = Drop(Reason.DISPUTED, "no label record tells what the annotators saw")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far annotators agree with the names of one emotion's photos.

    records     photos that have a record
    majority    of these, those of which two or three annotators say the name's emotion
    unanimous   all three
    nobody      none of them
    """

    records: int
    majority: int
    unanimous: int
    nobody: int


def decide(rule: LabelRule, named: str | None, record: LabelRecord | None) -> str | Drop | None:
    """Give a photo's emotion from its name's and its record, or why it stays without one.

    An emotion needs the votes of as many of the three annotators as `rule.votes_needed` says; of
    several with equally many, the name's is taken or none. Without enough agreement, or without
    a record, the photo is DISPUTED, or keeps the name's emotion with `--disputed keep`.

    >>> record = LabelRecord("1.jpg", uploader="불안", votes=("슬픔", "슬픔", "불안"), boxes=())
    >>> decide(LabelRule(labels="majority"), "불안", record)
    '슬픔'
    """
    if rule.votes_needed == 0:
        return named
    found = _agreed(record, named, rule.votes_needed)
    if found is not None:
        return found
    if rule.disputed == "keep":
        return named
    return Drop(Reason.DISPUTED, _told(record)) if record else _NO_RECORD


def vote_counts(record: LabelRecord | None, classes: ClassMap) -> tuple[int, ...]:
    """Count a photo's votes, the uploader's among them, for each class: a soft label.

    As many numbers as classes, none above 4; all 0 without a record. A vote for an emotion that
    is no class of this dataset counts nowhere.
    """
    counts = [0] * len(classes.names)
    for word in (record.uploader, *record.votes) if record else ():
        index = classes.becomes.get(word) if word else None
        if index is not None:
            counts[index] += 1
    return tuple(counts)


def agreement(
    photos: Iterable[tuple[str | None, LabelRecord | None]],
) -> dict[str, Agreement]:
    """Sum up, by the emotion of the name, how the annotators agree with it.

    Takes each photo's emotion and record; gives the archive's emotions in their order, those only
    of which there is a photo with a record.
    """
    # By emotion and by how many of three say the same.
    seen = Counter((named, record.votes.count(named)) for named, record in photos if record)
    found = {}
    for word in EMOTIONS:
        nobody, one, two, three = (seen[word, votes] for votes in range(4))
        if records := nobody + one + two + three:
            found[word] = Agreement(records, two + three, three, nobody)
    return found


def _agreed(record: LabelRecord | None, named: str | None, needed: int) -> str | None:
    counts = Counter(word for word in record.votes if word) if record else Counter[str]()
    most = max(counts.values(), default=0)
    if most < needed:
        return None
    first = [word for word, count in counts.items() if count == most]
    return first[0] if len(first) == 1 else named if named in first else None


def _told(record: LabelRecord) -> str:
    """Tell the votes, the most frequent first: "불안 1, 슬픔 1, 알수없음 1"."""
    counts = Counter(word or UNKNOWN for word in record.votes)
    order = sorted(counts, key=lambda word: (word == UNKNOWN, -counts[word], word))
    return ", ".join(f"{word} {counts[word]}" for word in order)

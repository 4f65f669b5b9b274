"""Keep all label records as one table, find a photo's record, and evaluate its votes.

    photo's key ──▶ base name, NFC ──▶ its lookup name ──▶ the records of that lookup name

A record is packed into bytes, so that half a million take 0.2 GB and not 0.6:

    uploader A B C      boxes   x0 y0 x1 y1 each       name
    4 × int8, -1 none   uint8   4 × float64, up to 3   UTF-8, NFC

Three annotators looked at each photo without having been there. The uploader, who meant an emotion
and named the file by it, has no vote: such a vote would let the name confirm itself. So the
annotators' majority is independent of the name: a photo named 불안 that two of three annotators
label 슬픔 becomes 슬픔.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from typing import Final

from fertools.data import Box, Drop, Reason
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS, UNKNOWN, base_name, lookup_name
from fertools.labels.records import LabelRecord, read_records
from fertools.options import LabelOptions

#: Names that a list in a report shows; the counts beside it are of all.
MAX_LISTED: Final = 20

_VOTES: Final = struct.Struct("<4bB")  # the four votes, and the number of boxes
_EDGES: Final = struct.Struct("<4d")
_VOTE_WORDS: Final = (*EMOTIONS, None)  # None at -1
_VOTE_NUMBERS: Final = {word: i for i, word in enumerate(EMOTIONS)} | {None: -1}

_NO_RECORD = Drop(Reason.DISPUTED, "no label record tells what the annotators saw")


@dataclass(frozen=True, slots=True)
class MatchReport:
    """How many photos have a record, how many have none, and how many records have no photo.

    photos, records   the first keys of photos, and names of records, that have no match
    """

    with_record: int
    without_record: int
    without_photo: int
    photos: tuple[str, ...]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Annotations:
    """The records of all label files, and a line for each file that has something wrong."""

    problems: tuple[str, ...] = ()
    _rows: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes | Drop]]) -> Annotations:
        """Read label files: the key and the bytes of each, or why it could not be read.

        A repeated record, as where one zip is in two folders, counts once. If two records of one
        name contradict each other, the first in the order given is used and the file of the second
        gets a problem.
        """
        rows: dict[bytes, tuple[bytes, ...]] = {}
        problems = []
        for key, data in files:
            if isinstance(data, Drop):
                problems.append(f"{key}: not read: {data.detail or data.reason}")
            elif faults := "; ".join(_add_records(rows, data)):
                problems.append(f"{key}: {faults}")
        return cls(tuple(problems), rows)

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def record_of(self, key: str) -> LabelRecord | None:
        """Return a photo's record by the photo's key, None if there is none.

        A record of exactly the same name first; else the only record with the same lookup name,
        which ignores `&` or `_`, the ending's case and a copy number. Of several, none is taken.
        """
        row = self._row_of(key)
        return None if row is None else _unpack(row)

    def match(self, keys: Iterable[str]) -> MatchReport:
        """Count and list photos and records that match and that do not, for all photos' keys."""
        with_record, without_record, matched = 0, 0, set()
        photos: list[str] = []
        for key in keys:
            row = self._row_of(key) if self._rows else None
            if row is not None:
                with_record += 1
                matched.add(row)
                continue
            without_record += 1
            if len(photos) < MAX_LISTED:
                photos.append(key)
        rest = [row for row in chain.from_iterable(self._rows.values()) if row not in matched]
        names = tuple(_unpack(row).name for row in rest[:MAX_LISTED])
        return MatchReport(with_record, without_record, len(rest), tuple(photos), names)

    def _row_of(self, key: str) -> bytes | None:
        name = base_name(key)
        rows = self._rows.get(_lookup_digest(name), ())
        if len(rows) == 1:
            return rows[0]
        return next((row for row in rows if _name_bytes(row) == _encode_name(name)), None)


def _add_records(rows: dict[bytes, tuple[bytes, ...]], data: bytes) -> Iterator[str]:
    """Add a label file's records, and yield its faults."""
    contradictions, first = 0, ""
    for record in read_records(data):
        if isinstance(record, Drop):
            yield record.detail
            continue
        row, digest = _pack(record), _lookup_digest(record.name)
        known = rows.get(digest, ())
        if row in known:
            continue
        if any(_name_bytes(other) == _name_bytes(row) for other in known):
            contradictions, first = contradictions + 1, first or record.name
            continue
        rows[digest] = (*known, row)
    if contradictions:
        # In quotes and escaped, because text from a file is printed.
        yield (
            f"{contradictions:,} of its records contradict an earlier one, which holds "
            f"({first!r} first)"
        )


def _lookup_digest(name: str) -> bytes:
    """Return 16 bytes of the lookup name: a third of the memory of the text."""
    return blake2b(_encode_name(lookup_name(name)), digest_size=16).digest()


def _encode_name(name: str) -> bytes:
    # JSON can escape half of a surrogate pair, and a file system can hold one.
    return name.encode("utf-8", "surrogatepass")


def _pack(record: LabelRecord) -> bytes:
    votes = (_VOTE_NUMBERS[word] for word in (record.uploader, *record.votes))
    edges = (_EDGES.pack(box.x0, box.y0, box.x1, box.y1) for box in record.boxes)
    return b"".join((_VOTES.pack(*votes, len(record.boxes)), *edges, _encode_name(record.name)))


def _name_bytes(row: bytes) -> bytes:
    return row[_VOTES.size + row[_VOTES.size - 1] * _EDGES.size :]


def _unpack(row: bytes) -> LabelRecord:
    *votes, _ = _VOTES.unpack_from(row)
    name = _name_bytes(row)
    uploader, *annotators = (_VOTE_WORDS[vote] for vote in votes)
    return LabelRecord(
        name=name.decode("utf-8", "surrogatepass"),
        uploader=uploader,
        votes=tuple(annotators),
        boxes=tuple(Box(*edges) for edges in _EDGES.iter_unpack(row[_VOTES.size : -len(name)])),
    )


def decide_emotion(
    options: LabelOptions, named: str | None, record: LabelRecord | None
) -> str | Drop | None:
    """Return a photo's emotion from its name's emotion and its record, or why it has none.

    An emotion needs the votes of `options.votes_needed` of the three annotators. Among several
    with equally many votes, the name's is taken or none. Without enough agreement, or without a
    record, the photo is DISPUTED, or keeps the name's emotion with `--disputed keep`.

    >>> record = LabelRecord("1.jpg", uploader="불안", votes=("슬픔", "슬픔", "불안"), boxes=())
    >>> decide_emotion(LabelOptions(labels="majority"), "불안", record)
    '슬픔'
    """
    if options.votes_needed == 0:
        return named
    emotion = _agreed_emotion(record, named, options.votes_needed)
    if emotion is not None:
        return emotion
    if options.disputed == "keep":
        return named
    return Drop(Reason.DISPUTED, _describe_votes(record)) if record else _NO_RECORD


def _agreed_emotion(record: LabelRecord | None, named: str | None, needed: int) -> str | None:
    counts = Counter(word for word in record.votes if word) if record else Counter[str]()
    most = max(counts.values(), default=0)
    if most < needed:
        return None
    leading = [word for word, count in counts.items() if count == most]
    if len(leading) == 1:
        return leading[0]
    return named if named in leading else None


def _describe_votes(record: LabelRecord) -> str:
    """Return the votes, the most frequent first: "불안 1, 슬픔 1, 알수없음 1"."""
    counts = Counter(word or UNKNOWN for word in record.votes)
    order = sorted(counts, key=lambda word: (word == UNKNOWN, -counts[word], word))
    return ", ".join(f"{word} {counts[word]}" for word in order)


def vote_counts(record: LabelRecord | None, classes: ClassMap) -> tuple[int, ...]:
    """Count a photo's votes, the uploader's included, for each class: a soft label.

    As many numbers as classes, none above 4; all 0 without a record. A vote for an emotion that
    has no class in this dataset is not counted.
    """
    words = (record.uploader, *record.votes) if record else ()
    indices = [classes.index_of.get(word) for word in words if word]
    return tuple(map(indices.count, range(len(classes.names))))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many photos with one emotion in their names have a record, and what it says.

    majority    of these, those where two or three annotators chose the name's emotion
    unanimous   where all three did
    """

    records: int
    majority: int
    unanimous: int


def count_agreement(
    photos: Iterable[tuple[str | None, LabelRecord | None]],
) -> dict[str, Agreement]:
    """Return, for each emotion in the photos' names, how many annotators agree with it.

    Takes each photo's emotion and record; returns the archive's emotions in their order, except
    those without a photo with a record.
    """
    # By emotion and by the number of annotators who agree.
    counts = Counter((named, record.votes.count(named)) for named, record in photos if record)
    agreements = {}
    for word in EMOTIONS:
        none, one, two, three = (counts[word, votes] for votes in range(4))
        if records := none + one + two + three:
            agreements[word] = Agreement(records, two + three, three)
    return agreements

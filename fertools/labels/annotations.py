"""All label files as one table, in which a photo finds its record.

    photo's key ──▶ base name, NFC ──▶ its spelling, forgiven ──▶ the records of that spelling

A record is packed into bytes, so that half a million take 0.2 GB and not 0.6:

    uploader A B C      boxes   x0 y0 x1 y1 each       name
    4 × int8, -1 none   uint8   4 × float64, up to 3   UTF-8, NFC
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
from fertools.labels.filename import EMOTIONS, UNKNOWN, base_name, forgiven
from fertools.labels.records import LabelRecord, read_records
from fertools.options import LabelOptions

#: Names that a list in a report shows; the counts beside it are of all.
LISTED: Final = 20

_HEAD: Final = struct.Struct("<4bB")
_EDGES: Final = struct.Struct("<4d")
_WORDS: Final = (*EMOTIONS, None)  # at -1 stands None
_NUMBERS: Final = {word: i for i, word in enumerate(EMOTIONS)} | {None: -1}


@dataclass(frozen=True, slots=True)
class Joined:
    """How photos and records met.

    found            photos that have a record
    without_record   photos that have none; `photos` are the first keys of them
    without_photo    records that no photo asked for; `records` are the first names of them
    """

    found: int
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
        """Read label files: the key and the bytes of each, or why there are none.

        A record that comes again, as where one zip lies in two folders, counts once. Where two
        records of one name contradict each other, the first in the order given holds and the
        file of the second gets a problem.
        """
        rows: dict[bytes, tuple[bytes, ...]] = {}
        problems = []
        for key, data in files:
            if isinstance(data, Drop):
                problems.append(f"{key}: not read: {data.detail or data.reason}")
            elif said := "; ".join(_add(rows, data)):
                problems.append(f"{key}: {said}")
        return cls(tuple(problems), rows)

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def record_of(self, key: str) -> LabelRecord | None:
        """Give a photo's record by the photo's key, or None where there is none.

        The very same name first; else the one record whose name is the same with an `&` for a
        `_`, the ending in another case or a copy's number. Where several are, none is taken.
        """
        row = self._row_of(key)
        return None if row is None else _unpacked(row)

    def joined(self, keys: Iterable[str]) -> Joined:
        """Count and list what meets and what does not, for the keys of all photos."""
        found, without, asked = 0, 0, set()
        photos: list[str] = []
        for key in keys:
            row = self._row_of(key) if self._rows else None
            if row is not None:
                found += 1
                asked.add(row)
                continue
            without += 1
            if len(photos) < LISTED:
                photos.append(key)
        lonely = [row for row in chain.from_iterable(self._rows.values()) if row not in asked]
        names = tuple(_unpacked(row).name for row in lonely[:LISTED])
        return Joined(found, without, len(lonely), tuple(photos), names)

    def _row_of(self, key: str) -> bytes | None:
        name = base_name(key)
        rows = self._rows.get(_spelling(name), ())
        if len(rows) == 1:
            return rows[0]
        return next((row for row in rows if _name(row) == _bytes(name)), None)


def _add(rows: dict[bytes, tuple[bytes, ...]], data: bytes) -> Iterator[str]:
    """Add a label file's records, and yield what was wrong with it."""
    against, first = 0, ""
    for record in read_records(data):
        if isinstance(record, Drop):
            yield record.detail
            continue
        row, spelling = _packed(record), _spelling(record.name)
        known = rows.get(spelling, ())
        if row in known:
            continue
        if any(_name(other) == _name(row) for other in known):
            against, first = against + 1, first or record.name
            continue
        rows[spelling] = (*known, row)
    if against:
        # In quotes and escaped: what a file says of itself is printed.
        yield f"{against:,} of its records contradict an earlier one, which holds ({first!r} first)"


def _bytes(name: str) -> bytes:
    # JSON can escape half of a surrogate pair, and a file system can hold one.
    return name.encode("utf-8", "surrogatepass")


def _spelling(name: str) -> bytes:
    """Give 16 bytes that all spellings of a name share: a third of the memory of the text."""
    return blake2b(_bytes(forgiven(name)), digest_size=16).digest()


def _packed(record: LabelRecord) -> bytes:
    votes = (_NUMBERS[word] for word in (record.uploader, *record.votes))
    edges = (_EDGES.pack(box.x0, box.y0, box.x1, box.y1) for box in record.boxes)
    return b"".join((_HEAD.pack(*votes, len(record.boxes)), *edges, _bytes(record.name)))


def _name(row: bytes) -> bytes:
    return row[_HEAD.size + row[_HEAD.size - 1] * _EDGES.size :]


def _unpacked(row: bytes) -> LabelRecord:
    *votes, _ = _HEAD.unpack_from(row)
    name = _name(row)
    uploader, *annotators = (_WORDS[vote] for vote in votes)
    return LabelRecord(
        name=name.decode("utf-8", "surrogatepass"),
        uploader=uploader,
        votes=tuple(annotators),
        boxes=tuple(Box(*edges) for edges in _EDGES.iter_unpack(row[_HEAD.size : -len(name)])),
    )


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


def decide(rule: LabelOptions, named: str | None, record: LabelRecord | None) -> str | Drop | None:
    """Give a photo's emotion from its name's and its record, or why it stays without one.

    An emotion needs the votes of as many of the three annotators as `rule.votes_needed` says; of
    several with equally many, the name's is taken or none. Without enough agreement, or without
    a record, the photo is DISPUTED, or keeps the name's emotion with `--disputed keep`.

    >>> record = LabelRecord("1.jpg", uploader="불안", votes=("슬픔", "슬픔", "불안"), boxes=())
    >>> decide(LabelOptions(labels="majority"), "불안", record)
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

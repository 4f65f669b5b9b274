"""Store all label records in one table, find the record of a photo, and evaluate its votes.

    photo's key ──▶ base name, NFC ──▶ lookup name ──▶ records with this lookup name

A record is packed into bytes: half a million records take 0.2 GB instead of 0.6 GB.

    uploader A B C      boxes   x0 y0 x1 y1 each       name
    4 × int8, -1 none   uint8   4 × float64, up to 3   UTF-8, NFC

Three annotators, who were not present at the shooting, labelled each photo. The uploader intended
an emotion and put it into the file name; for the majority only the annotators' votes count. So the
majority is independent of the name: a photo named 불안 that two of three annotators label 슬픔
becomes 슬픔.
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

#: Most names in a list of a report; the counts are of all photos or records.
MAX_LISTED: Final = 20

_VOTES: Final = struct.Struct("<4bB")  # the four votes, and the number of boxes
_EDGES: Final = struct.Struct("<4d")
_VOTE_WORDS: Final = (*EMOTIONS, None)  # -1 is the index of None
_VOTE_NUMBERS: Final = {word: i for i, word in enumerate(EMOTIONS)} | {None: -1}

_NO_RECORD = Drop(Reason.DISPUTED, "no label record tells what the annotators saw")


@dataclass(frozen=True, slots=True)
class MatchReport:
    """The numbers of photos with and without a record, and of records without a photo.

    photos, records   keys and names of the first photos and records without a match
    """

    with_record: int
    without_record: int
    without_photo: int
    photos: tuple[str, ...]
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Annotations:
    """The records of all label files; `problems` has one line per file with an error."""

    problems: tuple[str, ...] = ()
    _rows: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes | Drop]]) -> Annotations:
        """Read label files.

        files   key of each file, and its bytes or the reason why it could not be read

        Equal records count once: one zip may be in two folders. If two records of one name differ,
        the first is used, and the file of the second gets a line in `problems`.
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
        """Return the record of the photo with this key, or None.

        If one record has the lookup name of the photo (`lookup_name`), it is returned. If several
        have it, only a record with exactly the same file name is returned.
        """
        row = self._row_of(key)
        return None if row is None else _unpack(row)

    def match(self, keys: Iterable[str]) -> MatchReport:
        """Match the keys of all photos with the records."""
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
    """Add the records of a label file to `rows`, and yield the errors of the file."""
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
        # !r quotes and escapes the name, because text from a file is printed.
        yield (
            f"{contradictions:,} of its records contradict an earlier one, which holds "
            f"({first!r} first)"
        )


def _lookup_digest(name: str) -> bytes:
    """Hash the lookup name to 16 bytes: a third of the memory of the text."""
    return blake2b(_encode_name(lookup_name(name)), digest_size=16).digest()


def _encode_name(name: str) -> bytes:
    # JSON and file systems can contain one half of a surrogate pair.
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
    """Return the emotion of a photo from its name and its record, or a Drop (DISPUTED).

    An emotion needs votes of at least `options.votes_needed` of the three annotators. On a tie it
    must be the emotion in the name. If no emotion has enough votes, or without a record, the photo
    is DISPUTED; with `--disputed keep` it keeps the emotion in its name.

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
    """Count the votes for each class, the uploader's included: a soft label.

    Returns one number from 0 to 4 per class; all are 0 without a record. A vote for an emotion
    without a class in this dataset is not counted.
    """
    words = (record.uploader, *record.votes) if record else ()
    indices = [classes.index_of.get(word) for word in words if word]
    return tuple(map(indices.count, range(len(classes.names))))


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of annotators with one emotion in file names; all numbers count photos.

    records     photos with this emotion in the name and a record
    majority    of these, photos for which two or three annotators chose this emotion
    unanimous   of these, photos for which all three chose it
    """

    records: int
    majority: int
    unanimous: int


def count_agreement(
    photos: Iterable[tuple[str | None, LabelRecord | None]],
) -> dict[str, Agreement]:
    """Return the agreement of annotators with each emotion in the photos' names.

    Takes the emotion in the name, and the record, of each photo. The result has the archive's
    emotions in their order; emotions without any record are omitted.
    """
    # Keys: the emotion, and the number of annotators who chose it.
    counts = Counter((named, record.votes.count(named)) for named, record in photos if record)
    agreements = {}
    for word in EMOTIONS:
        none, one, two, three = (counts[word, votes] for votes in range(4))
        if records := none + one + two + three:
            agreements[word] = Agreement(records, two + three, three)
    return agreements

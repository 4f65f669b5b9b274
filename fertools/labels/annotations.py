"""Store all label records in one table, and find the record of a photo.

    photo's key ──▶ base name, NFC ──▶ lookup name ──▶ records with this lookup name

A record is packed into bytes: half a million records take 0.2 GB instead of 0.6 GB.

    uploader A B C      boxes   x0 y0 x1 y1 each       name
    4 × int8, -1 none   uint8   4 × float64, up to 3   UTF-8, NFC

The four int8 are indices into VOTE_WORDS (`votes.VoteTable`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from typing import Final

from fertools.data import Box, Drop
from fertools.labels.filename import VOTE_WORDS, base_name, lookup_name
from fertools.labels.records import LabelRecord, read_records

#: Most names in a list of a report; the counts are of all photos or records.
MAX_LISTED: Final = 20

_VOTES: Final = struct.Struct("<4bB")  # the four words, and the number of boxes
_EDGES: Final = struct.Struct("<4d")
_VOTE_NUMBERS: Final = {word: i for i, word in enumerate(VOTE_WORDS)} | {None: -1}


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

    def said(self, key: str) -> bytes | None:
        """Return the words of uploader, A, B and C of the photo with this key: four int8.

        They are indices into VOTE_WORDS, -1 without a word. Returns None without a record.
        """
        row = self._row_of(key)
        return None if row is None else row[: _VOTES.size - 1]

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
    uploader, *annotators = ((*VOTE_WORDS, None)[vote] for vote in votes)
    return LabelRecord(
        name=name.decode("utf-8", "surrogatepass"),
        uploader=uploader,
        votes=tuple(annotators),
        boxes=tuple(Box(*edges) for edges in _EDGES.iter_unpack(row[_VOTES.size : -len(name)])),
    )

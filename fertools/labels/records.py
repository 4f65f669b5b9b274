"""Read the archive's label JSON: three annotators' votes and boxes for each photo.

    {"filename": "1076…_여_30_기쁨_….jpg", "faceExp_uploader": "기쁨",
     "annot_A": {"boxes": {"minX": 304.6, "minY": 282.9, "maxX": 1044.5, "maxY": 1206.6},
                 "faceExp": "중립"},
     "annot_B": …, "annot_C": …}

AI-Hub's own description calls the blocks `faceBB_A` … and puts the vote beside the box's edges, as
`label`; both are read.

A file is read entry by entry, however large, unusual or damaged it is:

    bytes ──decode, 256 KiB at a time──▶ window of text ──one JSON value at a time──▶ entries

The tree of a whole file is never in memory: a class's 62,000 records are 60 MB on disk and, as
text and Python objects, 300 MB more; the window takes 3 MB.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from statistics import median
from typing import Any, Final
from unicodedata import normalize

from fertools.data import Box, Drop, Reason, Unusable
from fertools.labels.filename import EMOTIONS, archive_word, base_name

ANNOTATORS: Final = "ABC"

_EDGES: Final = ("minX", "minY", "maxX", "maxY")

#: Pixels that a JPEG's side may have: ITU-T T.81 gives it 16 bits.
_MAX_SIDE: Final = 65_535.0

#: Bytes decoded at once.
_CHUNK_BYTES: Final = 1 << 18

#: Characters that an entry may have; the archive's have a thousand.
_MAX_ENTRY_LENGTH: Final = 1 << 16

_WHITESPACE: Final = re.compile(r"[ \t\r\n]*")

# Whole numbers become floats too: `int` refuses more than 4,300 digits, a float is then inf.
_DECODER: Final = json.JSONDecoder(parse_int=float)


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One photo's record.

    name      the photo's file name without folders, NFC
    uploader  the emotion that the uploader meant, in the archive's word, or None
    votes     of annotators A, B and C, in the archive's words; None for 알수없음, for a word that
              is no emotion of the archive, and for an annotator who is missing
    boxes     up to three, in pixels of the upright photo, each with an area
    """

    name: str
    uploader: str | None
    votes: tuple[str | None, ...]
    boxes: tuple[Box, ...]


def read_records(data: bytes) -> Iterator[LabelRecord | Drop]:
    """Yield the records of a label file and, behind them, one Drop if anything was wrong.

    Nothing is raised, whatever the bytes. Records that are complete before the damage are
    returned. A box that is not finite, inverted, empty or off the photo is left out; the part of a
    box that is left of the photo or above it is cut off.
    """
    count, nameless, without_content = 0, 0, 0
    faults = []
    try:
        for entry in _read_entries(data):
            record = _parse_record(entry)
            if record is None:
                nameless += 1
                continue
            count += 1
            without_content += not (any(record.votes) or record.boxes)
            yield record
    except Unusable as damage:
        faults.append(damage.drop.detail)
    if nameless or not (count or faults):
        faults.append(f"{nameless:,} of its entries name no photo" if nameless else "it is empty")
    if without_content:
        faults.append(f"{without_content:,} of its {count:,} records hold neither a vote nor a box")
    if faults:
        yield Drop(Reason.DAMAGED, "; ".join(faults))


def median_box(boxes: Sequence[Box]) -> Box | None:
    """Return the box whose every edge is the median of the boxes' edges; None without boxes.

    One annotator who is far off does not move it. Edges in pixels of the upright photo, like the
    input; if all boxes have an area, the result has one too.
    """
    if not boxes:
        return None
    edges = zip(*((box.x0, box.y0, box.x1, box.y1) for box in boxes), strict=True)
    return Box(*map(median, edges))


def _parse_record(entry: Any) -> LabelRecord | None:
    """Return the record of an entry, None if it names no photo."""
    fields = _dict_or_empty(entry)
    filename = fields.get("filename")
    name = base_name(filename.replace("\\", "/")) if isinstance(filename, str) else ""
    if not name:
        return None
    blocks = [
        _dict_or_empty(fields.get(f"annot_{letter}") or fields.get(f"faceBB_{letter}"))
        for letter in ANNOTATORS
    ]
    boxes = [_dict_or_empty(block.get("boxes")) for block in blocks]
    return LabelRecord(
        name=name,
        uploader=_parse_vote(fields.get("faceExp_uploader")),
        votes=tuple(
            _parse_vote(block.get("faceExp") or box.get("label"))
            for block, box in zip(blocks, boxes, strict=True)
        ),
        boxes=tuple(box for edges in boxes if (box := _parse_box(edges))),
    )


def _dict_or_empty(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parse_vote(value: Any) -> str | None:
    # Longer strings are not words, and would only fill the cache.
    return _archive_emotion(value) if isinstance(value, str) and len(value) < 40 else None


@lru_cache(maxsize=256)  # two million votes are a dozen words
def _archive_emotion(word: str) -> str | None:
    emotion = archive_word(normalize("NFC", word).strip())
    return emotion if emotion in EMOTIONS else None


def _parse_box(values: dict[str, Any]) -> Box | None:
    edges: list[Any] = [values.get(edge) for edge in _EDGES]
    # The sum is finite only if each of them is.
    if set(map(type, edges)) != {float} or not isfinite(sum(edges)):
        return None
    box = Box(*[min(max(edge, 0.0), _MAX_SIDE) for edge in edges])
    return box if box.area > 0 else None


def _read_entries(data: bytes) -> Iterator[Any]:
    """Yield the values of a JSON list, in UTF-8 (with or without BOM) or CP949.

    A file with a single value, or with one value per line, is read in the same way; every number
    is a float. A comma may be missing, and one may be superfluous.

    Raises Unusable (DAMAGED) behind the last complete value if the file is cut short, is not JSON,
    is nested too deep or has an entry above 65,536 characters; and at the end of a file with
    bytes that its encoding does not allow.
    """
    encoding, invalid = _detect_encoding(data)
    window = _TextWindow(data, encoding)
    is_list = window.skip("[")
    number = 0
    while window.peek() not in ("", "]"):
        number += 1
        yield window.value(number)
        window.skip(",")
    if is_list and not window.skip("]"):
        raise Unusable(Reason.DAMAGED, f"the file is cut short behind entry {number:,}")
    if window.peek():
        raise Unusable(Reason.DAMAGED, f"what follows entry {number:,} is not part of the list")
    if invalid:
        raise Unusable(Reason.DAMAGED, f"{invalid:,} characters in it are not {encoding.upper()}")


class _TextWindow:
    """The part of a file's text that is being read: at least an entry's length, or all the rest."""

    def __init__(self, data: bytes, encoding: str) -> None:
        # An invalid byte costs its record, not those behind it.
        self._chunks = _decode_chunks(data, encoding)
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """Skip whitespace and return the character there, "" at the end of the file."""
        while True:
            self._fill()
            blank = _WHITESPACE.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def skip(self, character: str) -> bool:
        """Skip whitespace and a character, if it is there; return whether it was."""
        is_there = self.peek() == character
        self._at += is_there
        return is_there

    def value(self, number: int) -> Any:
        """Return the JSON value that begins here, the file's entry of this number."""
        self._fill()
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except RecursionError:
            cause = "nested too deep"
        except ValueError as error:
            cause = getattr(error, "msg", str(error))
        else:
            if end - self._at <= _MAX_ENTRY_LENGTH:
                self._at = end
                return value
            cause = f"longer than {_MAX_ENTRY_LENGTH:,} characters"
        raise Unusable(
            Reason.DAMAGED, f"entry {number:,} is damaged or cut short ({cause}); no more was read"
        )

    def _fill(self) -> bool:
        """Decode until an entry of any allowed length is complete; return whether text came in."""
        has_grown = False
        while len(self._text) - self._at < _MAX_ENTRY_LENGTH and (chunk := next(self._chunks, "")):
            self._text, self._at, has_grown = self._text[self._at :] + chunk, 0, True
        return has_grown


def _detect_encoding(data: bytes) -> tuple[str, int]:
    """Return a file's encoding, and how many of its characters are invalid in it.

    UTF-8 first: the CP949 bytes of the seven emotions are never valid UTF-8, but the UTF-8 bytes
    of 기쁨, 분노, 불안 and 중립 are valid CP949. If neither fits, the one with fewer invalid
    characters: a flipped byte in a UTF-8 file must not turn it all into other syllables.
    """
    invalid = _count_invalid(data, "utf-8")
    if invalid and (other := _count_invalid(data, "cp949")) < invalid:
        return "cp949", other
    return "utf-8", invalid


def _count_invalid(data: bytes, encoding: str) -> int:
    return sum(chunk.count("\N{REPLACEMENT CHARACTER}") for chunk in _decode_chunks(data, encoding))


def _decode_chunks(data: bytes, encoding: str) -> Iterator[str]:
    """Yield a file's text without its BOM; a character cut off by the end is left out."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    for at in range(start, len(data), _CHUNK_BYTES):
        yield decoder.decode(data[at : at + _CHUNK_BYTES])

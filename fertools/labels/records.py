"""Read the archive's label JSON: three annotators' votes and boxes for each photo.

    {"filename": "1076…_여_30_기쁨_….jpg", "faceExp_uploader": "기쁨",
     "annot_A": {"boxes": {"minX": 304.6, "minY": 282.9, "maxX": 1044.5, "maxY": 1206.6},
                 "faceExp": "중립"},
     "annot_B": …, "annot_C": …}

AI-Hub's own description calls the blocks `faceBB_A` … and puts the vote into `boxes`, as `label`.
Both forms are read.

A file is read entry by entry, even if it is large, unusual or damaged:

    bytes ──decode, 256 KiB at a time──▶ window of text ──one JSON value at a time──▶ entries

A whole file is never parsed at once: the 62,000 records of a class are 60 MB on disk, and 300 MB
more as text and Python objects; the window takes 3 MB.
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
from fertools.labels.filename import EMOTIONS, UNKNOWN, archive_word, base_name

ANNOTATORS: Final = "ABC"

_EDGES: Final = ("minX", "minY", "maxX", "maxY")

#: Largest side of a JPEG in pixels: 16 bits in ITU-T T.81.
_MAX_SIDE: Final = 65_535.0

#: Bytes decoded together.
_CHUNK_BYTES: Final = 1 << 18

#: Most characters of an entry; entries of the archive have a thousand.
_MAX_ENTRY_LENGTH: Final = 1 << 16

_WHITESPACE: Final = re.compile(r"[ \t\r\n]*")

# Whole numbers become floats too: `int` raises above 4,300 digits, `float` returns inf.
_DECODER: Final = json.JSONDecoder(parse_int=float)


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """The label record of one photo.

    name      file name of the photo without folders, NFC
    uploader  the emotion that the uploader intended, in the archive's word or 알수없음, or None
    votes     votes of annotators A, B and C, in the archive's words or 알수없음; None for any other
              word, and for a missing annotator
    boxes     up to three boxes in pixels of the upright photo, none empty
    """

    name: str
    uploader: str | None
    votes: tuple[str | None, ...]
    boxes: tuple[Box, ...]


def read_records(data: bytes) -> Iterator[LabelRecord | Drop]:
    """Yield the records of a label file, then one Drop if the file has errors.

    Never raises. Records before a damage are yielded. A box is omitted if it is infinite, inverted,
    empty or outside the photo; the part of a box left of or above the photo is cut off.
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
    """Return the box whose edges are the medians of the edges of all boxes; None without boxes.

    One bad box out of three has little influence. If no box is empty, neither is the result.
    """
    if not boxes:
        return None
    edges = zip(*((box.x0, box.y0, box.x1, box.y1) for box in boxes), strict=True)
    return Box(*map(median, edges))


def _parse_record(entry: Any) -> LabelRecord | None:
    """Convert an entry to a record; None if it has no file name."""
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


@lru_cache(maxsize=256)  # two million votes consist of a dozen words
def _archive_emotion(word: str) -> str | None:
    emotion = archive_word(normalize("NFC", word).strip())
    return emotion if emotion in EMOTIONS or emotion == UNKNOWN else None


def _parse_box(values: dict[str, Any]) -> Box | None:
    edges: list[Any] = [values.get(edge) for edge in _EDGES]
    # The sum is finite only if each edge is.
    if set(map(type, edges)) != {float} or not isfinite(sum(edges)):
        return None
    box = Box(*[min(max(edge, 0.0), _MAX_SIDE) for edge in edges])
    return box if box.area > 0 else None


def _read_entries(data: bytes) -> Iterator[Any]:
    """Yield the values of a JSON list, in UTF-8 (with or without BOM) or CP949.

    A file with a single value, or with one value per line, is read in the same way. Every number
    is a float. Commas may be missing, and one comma may follow the last value.

    Raises Unusable (DAMAGED) after the last complete value if the file is cut short, is not JSON,
    is nested too deep or has an entry above 65,536 characters; and after all values if some bytes
    are invalid in the file's encoding.
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
    """The text of a file from the current position on: at least one entry, or all that remains."""

    def __init__(self, data: bytes, encoding: str) -> None:
        # An invalid byte damages its own record, not the records after it.
        self._chunks = _decode_chunks(data, encoding)
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """Skip whitespace and return the next character, "" at the end of the file."""
        while True:
            self._fill()
            blank = _WHITESPACE.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def skip(self, character: str) -> bool:
        """Skip whitespace, then `character` if it comes next; return whether it did."""
        is_there = self.peek() == character
        self._at += is_there
        return is_there

    def value(self, number: int) -> Any:
        """Return the JSON value at the current position; `number` is for error messages."""
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
        """Decode until the window is long enough for any entry; return whether text was added."""
        has_grown = False
        while len(self._text) - self._at < _MAX_ENTRY_LENGTH and (chunk := next(self._chunks, "")):
            self._text, self._at, has_grown = self._text[self._at :] + chunk, 0, True
        return has_grown


def _detect_encoding(data: bytes) -> tuple[str, int]:
    """Return the encoding of a file, and the number of characters that are invalid in it.

    UTF-8 is tried first: the CP949 bytes of the seven emotions are never valid UTF-8, but the UTF-8
    bytes of 기쁨, 분노, 불안 and 중립 are valid CP949. If both have invalid characters, the
    encoding with fewer is returned: one flipped byte must not make a UTF-8 file CP949.
    """
    invalid = _count_invalid(data, "utf-8")
    if invalid and (other := _count_invalid(data, "cp949")) < invalid:
        return "cp949", other
    return "utf-8", invalid


def _count_invalid(data: bytes, encoding: str) -> int:
    return sum(chunk.count("\N{REPLACEMENT CHARACTER}") for chunk in _decode_chunks(data, encoding))


def _decode_chunks(data: bytes, encoding: str) -> Iterator[str]:
    """Yield the text of a file without BOM; an incomplete last character is omitted."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    for at in range(start, len(data), _CHUNK_BYTES):
        yield decoder.decode(data[at : at + _CHUNK_BYTES])

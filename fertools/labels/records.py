"""A label file's entries, one after the other, however large, strange or broken the file is.

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

#: Bytes decoded at once.
_CHUNK: Final = 1 << 18

#: Characters that an entry may have; the archive's have a thousand.
_LONGEST: Final = 1 << 16

_BLANK: Final = re.compile(r"[ \t\r\n]*")

# Whole numbers become floats too: `int` refuses more than 4,300 digits, a float is then inf.
_DECODER: Final = json.JSONDecoder(parse_int=float)


def read_entries(data: bytes) -> Iterator[Any]:
    """Yield the values of a JSON list, in UTF-8 (with or without BOM) or CP949.

    A file that holds one value, or one a line, reads alike; every number is a float. Commas may
    be missing or one too many.

    Raises Unusable (DAMAGED) behind the last whole value where the file is cut short, is no JSON,
    nests too deep or has an entry above 65,536 characters; and at the end of a file of which
    some bytes are no text.
    """
    encoding, lost = _encoding(data)
    window = _Window(data, encoding)
    listed = window.take("[")
    number = 0
    while window.ahead() not in ("", "]"):
        number += 1
        yield window.value(number)
        window.take(",")
    if listed and not window.take("]"):
        raise Unusable(Reason.DAMAGED, f"the file is cut short behind entry {number:,}")
    if window.ahead():
        raise Unusable(Reason.DAMAGED, f"what follows entry {number:,} is not part of the list")
    if lost:
        raise Unusable(Reason.DAMAGED, f"{lost:,} characters in it are not {encoding.upper()}")


class _Window:
    """The part of a file's text that is being read: at least an entry's length, or all the rest."""

    def __init__(self, data: bytes, encoding: str) -> None:
        # A byte that is no text costs its record, not those behind it.
        self._pieces = _decoded(data, encoding)
        self._text = ""
        self._at = 0

    def ahead(self) -> str:
        """Pass over blanks and give the character there, "" at the end of the file."""
        while True:
            self._fill()
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> bool:
        """Pass over blanks and, if it is there, a character; say whether it was."""
        found = self.ahead() == sign
        self._at += found
        return found

    def value(self, number: int) -> Any:
        """Give the JSON value that begins here, the file's entry of that number."""
        self._fill()
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except RecursionError:
            why = "nested too deep"
        except ValueError as error:
            why = getattr(error, "msg", str(error))
        else:
            if end - self._at <= _LONGEST:
                self._at = end
                return value
            why = f"longer than {_LONGEST:,} characters"
        raise Unusable(
            Reason.DAMAGED, f"entry {number:,} is damaged or cut short ({why}); no more was read"
        )

    def _fill(self) -> bool:
        """See to it that an entry of any allowed length is whole; say whether text came in."""
        came = False
        while len(self._text) - self._at < _LONGEST and (piece := next(self._pieces, "")):
            self._text, self._at, came = self._text[self._at :] + piece, 0, True
        return came


def _encoding(data: bytes) -> tuple[str, int]:
    """Say how a file is encoded, and how many of its characters are not.

    UTF-8 first: the CP949 bytes of the seven emotions are never valid UTF-8, but the UTF-8 bytes
    of 기쁨, 분노, 불안 and 중립 are valid CP949. Where neither fits, the one that loses less: a
    flipped byte in a UTF-8 file must not turn it all into other syllables.
    """
    lost = _lost(data, "utf-8")
    if lost and (other := _lost(data, "cp949")) < lost:
        return "cp949", other
    return "utf-8", lost


def _lost(data: bytes, encoding: str) -> int:
    return sum(piece.count("\N{REPLACEMENT CHARACTER}") for piece in _decoded(data, encoding))


def _decoded(data: bytes, encoding: str) -> Iterator[str]:
    """Yield a file's text without its BOM; a character cut off by the end is left out."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    for at in range(start, len(data), _CHUNK):
        yield decoder.decode(data[at : at + _CHUNK])


ANNOTATORS: Final = "ABC"

_EDGES: Final = ("minX", "minY", "maxX", "maxY")

#: Pixels that a JPEG's side may have: ITU-T T.81 gives it 16 bits.
_LONGEST_SIDE: Final = 65_535.0


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One photo's record.

    name      the photo's file name without folders, NFC
    uploader  the emotion that the uploader meant, in the archive's word, or None
    votes     what annotators A, B and C saw, in the archive's words; None for 알수없음, for a word
              that is no emotion of the archive, and for an annotator who is missing
    boxes     up to three, in pixels of the upright photo, each with an area

    Raises ValueError for anything else.
    """

    name: str
    uploader: str | None
    votes: tuple[str | None, ...]
    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"a record needs a photo's name without folders, got {self.name!r}")
        if len(self.votes) != len(ANNOTATORS):
            raise ValueError(f"{len(ANNOTATORS)} annotators vote, got {self.votes}")
        if strangers := {self.uploader, *self.votes} - {None, *EMOTIONS}:
            raise ValueError(f"a vote is an emotion of the archive or None, got {strangers}")
        if len(self.boxes) > len(ANNOTATORS) or any(box.area <= 0 for box in self.boxes):
            raise ValueError(f"up to three boxes with an area, got {self.boxes}")

    @property
    def blank(self) -> bool:
        """Whether it holds neither a vote nor a box."""
        return not (any(self.votes) or self.boxes)


def read_records(data: bytes) -> Iterator[LabelRecord | Drop]:
    """Yield the records of a label file and, behind them, one Drop if anything was wrong.

    Nothing is raised, whatever the bytes. Records that are whole before the damage come; a box
    that is not finite, inverted, empty or off the photo is left out, and so is what lies left of
    or above it.
    """
    count, nameless, blank = 0, 0, 0
    troubles = []
    try:
        for entry in read_entries(data):
            record = _record(entry)
            if record is None:
                nameless += 1
                continue
            count, blank = count + 1, blank + record.blank
            yield record
    except Unusable as damage:
        troubles.append(damage.drop.detail)
    if nameless or not (count or troubles):
        troubles.append(f"{nameless:,} of its entries name no photo" if nameless else "it is empty")
    if blank:
        troubles.append(f"{blank:,} of its {count:,} records hold neither a vote nor a box")
    if troubles:
        yield Drop(Reason.DAMAGED, "; ".join(troubles))


def median_box(boxes: Sequence[Box]) -> Box | None:
    """Give the box whose every edge is the median of the boxes' edges; None of no boxes.

    One annotator who is far off does not move it. Edges in pixels of the upright photo, as those
    given; of boxes with an area it has one too.
    """
    if not boxes:
        return None
    return Box(
        x0=median(box.x0 for box in boxes),
        y0=median(box.y0 for box in boxes),
        x1=median(box.x1 for box in boxes),
        y1=median(box.y1 for box in boxes),
    )


def _record(entry: Any) -> LabelRecord | None:
    """Read a record from an entry, or give None where it names no photo."""
    fields = _fields(entry)
    named = fields.get("filename")
    name = base_name(named.replace("\\", "/")) if isinstance(named, str) else ""
    if not name:
        return None
    blocks = [
        _fields(fields.get(f"annot_{who}") or fields.get(f"faceBB_{who}")) for who in ANNOTATORS
    ]
    marks = [_fields(block.get("boxes")) for block in blocks]
    return LabelRecord(
        name=name,
        uploader=_emotion(fields.get("faceExp_uploader")),
        votes=tuple(
            _emotion(block.get("faceExp") or mark.get("label"))
            for block, mark in zip(blocks, marks, strict=True)
        ),
        boxes=tuple(box for mark in marks if (box := _box(mark))),
    )


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _emotion(value: Any) -> str | None:
    # Longer strings are no words, and would only fill the cache.
    return _known(value) if isinstance(value, str) and len(value) < 40 else None


@lru_cache(maxsize=256)  # two million votes are a dozen words
def _known(word: str) -> str | None:
    emotion = archive_word(normalize("NFC", word).strip())
    return emotion if emotion in EMOTIONS else None


def _box(mark: dict[str, Any]) -> Box | None:
    edges: list[Any] = [mark.get(edge) for edge in _EDGES]
    # The sum is finite only if each of them is.
    if set(map(type, edges)) != {float} or not isfinite(sum(edges)):
        return None
    box = Box(*[min(max(edge, 0.0), _LONGEST_SIDE) for edge in edges])
    return box if box.area > 0 else None

"""What the archive's label JSON says about a photo: three annotators' votes and boxes.

    {"filename": "1076…_여_30_기쁨_….jpg", "faceExp_uploader": "기쁨",
     "annot_A": {"boxes": {"minX": 304.6, "minY": 282.9, "maxX": 1044.5, "maxY": 1206.6},
                 "faceExp": "중립"},
     "annot_B": …, "annot_C": …}

AI-Hub's own description calls the blocks `faceBB_A` … and puts the vote beside the box's edges, as
`label`; both are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from statistics import median
from typing import Any, Final
from unicodedata import normalize

from fertools.data import Box, Drop, Reason, Unusable
from fertools.labels.entries import read_entries
from fertools.labels.name import base_name
from fertools.labels.words import EMOTIONS, archive_word

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

"""Turn ledger rows into the columns of a page.

A page without photos is made to be shared, and file names name people: it has only the columns of
`_ANONYMOUS`, and no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

#: Columns of the ledger that no page shows: the key contains the container.
_HIDDEN: Final = ("container", "landmarks", "digest")

#: Columns that name neither a file nor a person nor a moment.
_ANONYMOUS: Final = (
    *("sex", "age", "emotion", "label", "votes", "uploader", "annot_a", "annot_b", "annot_c"),
    *("outcome", "x0", "y0", "x1", "y1", "confidence", "faces", "width", "height", "iou", "split"),
)

#: What a column is called in the details, where its name is not plain.
_TITLES: Final = {
    "bytes": "bytes of the file",
    "emotion": "the name says",
    "label": "class",
    "iou": "overlap with the annotators' box",
    "copies": "augmented copies",
    "faces": "faces found",
    "width": "width of the photo",
    "height": "height of the photo",
}

Column = dict[str, Any]


def columns(rows: pa.Table, *, names: bool) -> Iterator[Column]:
    """Yield the columns of a page: name, title, and values, or words and codes.

    names   whether the page may name files and people
    """
    for name in rows.schema.names:
        if name not in _HIDDEN if names else name in _ANONYMOUS:
            yield column(name, rows[name].to_pylist())


def column(name: str, values: Sequence[Any]) -> Column:
    """Return one column; words that repeat are stored once, with a code a row, -1 for null."""
    head = {"name": name} | ({"title": _TITLES[name]} if name in _TITLES else {})
    if not any(isinstance(value, str) for value in values):
        return head | {"values": [_short(value) for value in values]}
    numbers = {word: code for code, word in enumerate(sorted({v for v in values if v is not None}))}
    if 2 * len(numbers) > len(values):
        return head | {"values": list(values)}
    return head | {
        "words": list(numbers),
        "codes": [-1 if value is None else numbers[value] for value in values],
    }


def _short(value: Any) -> Any:
    """Return a number with the digits that the page shows."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value

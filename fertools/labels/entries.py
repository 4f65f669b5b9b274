"""A label file's entries, one after the other, however large, strange or broken the file is.

    bytes ──decode, 256 KiB at a time──▶ window of text ──one JSON value at a time──▶ entries

The tree of a whole file is never in memory: a class's 62,000 records are 60 MB on disk and, as
text and Python objects, 300 MB more; the window takes 3 MB.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from fertools.data import Reason, Unusable

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

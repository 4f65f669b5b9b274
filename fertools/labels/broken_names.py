"""Recognise Korean names that a tool has decoded with another encoding than theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, product
from typing import Final

#: What unpacking tools take names for, and what names are written in. UTF-8 is tried first: Korean
#: in UTF-8 is often valid CP949 as well, and Korean in CP949 is not valid UTF-8.
_TAKEN_FOR: Final = ("latin-1", "cp1252", "cp437", "cp850")
_WRITTEN_IN: Final = ("utf-8", "cp949")

_HANGUL: Final = re.compile(r"[가-힣]{2}")

#: The most names that are examined.
_MOST: Final = 1000


def repaired(name: str) -> str | None:
    """Return a name as it was meant, if it is Korean in another encoding; None if it is not.

    >>> repaired("±â»Ý"), repaired("▒Γ╗▌"), repaired("happy"), repaired("기쁨")
    ('기쁨', '기쁨', None, None)
    """
    if name.isascii() or _HANGUL.search(name):
        return None
    for taken_for, written_in in product(_TAKEN_FOR, _WRITTEN_IN):
        try:
            meant = name.encode(taken_for).decode(written_in)
        except UnicodeError:
            continue
        if _HANGUL.search(meant):
            return meant
    return None


def first_broken(keys: Iterable[str]) -> tuple[str, str] | None:
    """Return the first step of a path that is broken, and as it was meant; None without one."""
    steps = (step for key in islice(keys, _MOST) for step in key.split("/"))
    return next(((step, meant) for step in steps if (meant := repaired(step))), None)

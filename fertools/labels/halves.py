"""Which of AI-Hub's two halves a photo lies in, as its folders say."""

from __future__ import annotations

import re
from typing import Final

_HALVES: Final = (
    # EMOIMG_기쁨_VALID, 2.Validation; before training, for which no name has "valid" in it
    ("validation", re.compile(r"(?<![a-z])valid(ation)?(?![a-z])", re.IGNORECASE)),
    ("training", re.compile(r"(?<![a-z])train(ing)?(?![a-z])", re.IGNORECASE)),
)


def official_half(key: str) -> str | None:
    """Give "training" or "validation" from the folders and zips that a photo lies in, or None.

    The innermost that says one of them counts.

    >>> official_half("2.Validation/[원천]EMOIMG_기쁨_VALID.zip/1.jpg")
    'validation'
    """
    for folder in reversed(key.split("/")[:-1]):
        for half, word in _HALVES:
            if word.search(folder):
                return half
    return None

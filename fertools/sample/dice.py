"""Dice: one random generator for each thing that is drawn, so that none disturbs another.

A generator is made from (seed, what it is for) alone. One person more, or one photo less,
changes nobody else's face; and a photo can be drawn again, alone, byte for byte.
"""

from __future__ import annotations

import numpy as np

from fertools.hashing import rank


def dice(seed: int, *what: object) -> np.random.Generator:
    """Give the generator of one thing, named by words and numbers: `dice(7, "person", 3)`."""
    key = "\x1f".join(str(word) for word in what)
    return np.random.default_rng(int.from_bytes(rank(seed, key, "sample"), "big"))

"""The order of a seed: rows by the hash of their keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.hashing import rank


def by_hash(keys: Sequence[str], seed: int, purpose: str) -> NDArray[np.int64]:
    """Give the numbers of the keys in the order of their ranks, int64, (len(keys),).

    Raises ValueError if a key is there twice: then the order of the rows would decide.
    """
    if len(set(keys)) < len(keys):
        raise ValueError(f"{len(keys)} keys, but only {len(set(keys))} different ones")
    ranks = [rank(seed, key, purpose) for key in keys]
    return np.array(sorted(range(len(ranks)), key=ranks.__getitem__), dtype=np.int64)

"""The order of a seed: rows by the hash of their keys."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fertools.hashing import by_rank, ranks


def by_hash(keys: Iterable[str], seed: int, purpose: str) -> NDArray[np.int64]:
    """Return the numbers of the keys in the order of their ranks, int64, (keys,).

    Raises ValueError if a key is there twice.
    """
    return by_rank(ranks(seed, keys, purpose))

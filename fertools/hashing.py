"""Order rows and make pseudonyms with a keyed hash, without a random generator.

A row's rank depends only on (seed, key), not on the number of workers, the order of arrival or the
other rows. The same seed and the same names result in the same splits and the same shards.

    rank(7, key)              16 bytes, the sort key of a row
    pseudonym(secret, …)      32 hex digits, shown instead of a name

The hash is blake2b, because it is keyed, in the standard library, and equal on every machine.
`hash()` differs from process to process, and the order of a seeded generator changes when a row is
added. Tried and left: md5(seed + key), where ("1", "2x") and ("12", "x") collide.

A change of these functions changes the order of every dataset: the golden values in
tests/test_hashing.py never change.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Keys hashed at a time: digests as Python objects need four times the memory of numbers.
_BLOCK: Final = 1 << 15


def rank(seed: int, key: str, purpose: str = "order") -> bytes:
    """Return the sort key of a row under a seed, 16 bytes.

    `purpose` (at most 16 bytes of UTF-8) makes orders independent of each other: the order for the
    splits must not predict the order within a shard.
    """
    return _digest(str(seed).encode("ascii"), key, purpose)


def ranks(seed: int, keys: Iterable[str], purpose: str = "order") -> NDArray[np.uint64]:
    """Return the 128-bit `rank` of each key as its high and low 64 bits: uint64, (keys, 2)."""
    digests = (rank(seed, key, purpose) for key in keys)
    blocks = iter(lambda: b"".join(islice(digests, _BLOCK)), b"")
    numbers = [np.frombuffer(block, ">u8").astype(np.uint64) for block in blocks]
    return np.concatenate([np.zeros(0, np.uint64), *numbers]).reshape(-1, 2)


def order_by_rank(ranks: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the row numbers in the order of the rows' ranks (see `ranks`), int64, (rows,).

    Raises ValueError if two rows have the same rank, because their order would be undefined.
    """
    high, low = ranks.T
    order = np.lexsort((low, high))
    same = high[order[1:]] == high[order[:-1]]
    same &= low[order[1:]] == low[order[:-1]]
    if repeated := int(same.sum()):
        raise ValueError(
            f"{len(ranks)} keys, but only {len(ranks) - repeated} different ones: "
            "the order of two rows would be undefined"
        )
    return order


def order_by_hash(keys: Iterable[str], seed: int, purpose: str) -> NDArray[np.int64]:
    """Return the indices of the keys in the order of their ranks, int64, (keys,).

    Raises ValueError if a key appears twice.
    """
    return order_by_rank(ranks(seed, keys, purpose))


def pseudonym(secret: bytes, text: str, purpose: str) -> str:
    """Return the pseudonym of a name: 32 hex digits, keyed with a secret of at most 64 bytes.

    Under one secret, equal names have equal pseudonyms. Without the secret, a reader cannot hash
    known names and compare them with pseudonyms. Datasets of revision 0 used the decimal digits of
    the seed as the secret, although their manifest publishes the seed.
    """
    return _digest(secret, text, purpose).hex()


def _digest(key: bytes, text: str, purpose: str) -> bytes:
    # surrogatepass: a damaged file name may contain unpaired surrogates.
    body = text.encode("utf-8", "surrogatepass")
    return blake2b(body, digest_size=16, key=key, person=purpose.encode("utf-8")).digest()

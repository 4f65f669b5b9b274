"""Order rows and make pseudonyms with a keyed hash, without a random generator.

A row's position is a function of (seed, key) alone. The number of workers, the order of arrival and
the other rows change nothing; two people with the same seed and the same names get the same splits
and the same shards.

    rank(7, key)              16 bytes to sort by
    pseudonym(secret, …)      32 hex digits to show

blake2b, because it is keyed, in the standard library, and the same on every machine: `hash()`
differs from process to process, and a seeded generator produces another order as soon as one more
row uses it. Tried and left: md5(seed + key), where ("1", "2x") and ("12", "x") collide.

Any change here changes the order of every dataset ever built: the golden values in
tests/test_hashing.py never change.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Keys hashed before their digests become numbers: digests as objects take four times the memory.
_BLOCK: Final = 1 << 15


def rank(seed: int, key: str, purpose: str = "order") -> bytes:
    """Return the 16 bytes by which a key is sorted in the order of a seed.

    `purpose` (at most 16 bytes of UTF-8) makes orders independent: the order of the test split must
    not predict the order within a shard.
    """
    return _digest(str(seed).encode("ascii"), key, purpose)


def ranks(seed: int, keys: Iterable[str], purpose: str = "order") -> NDArray[np.uint64]:
    """Return the `rank` of each key as two numbers to sort by, uint64, (keys, 2)."""
    digests = (rank(seed, key, purpose) for key in keys)
    blocks = iter(lambda: b"".join(islice(digests, _BLOCK)), b"")
    numbers = [np.frombuffer(block, ">u8").astype(np.uint64) for block in blocks]
    return np.concatenate([np.zeros(0, np.uint64), *numbers]).reshape(-1, 2)


def order_by_rank(ranks: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the numbers of the rows in the order of their ranks (see `ranks`), int64, (rows,).

    Raises ValueError if two rows have one rank, because their order would be undefined.
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
    """Return the numbers of the keys in the order of their ranks, int64, (keys,).

    Raises ValueError if a key appears twice.
    """
    return order_by_rank(ranks(seed, keys, purpose))


def pseudonym(secret: bytes, text: str, purpose: str) -> str:
    """Return the pseudonym of a name: 32 hex digits, keyed with a secret of at most 64 bytes.

    Equal names have equal pseudonyms under one secret. Without the secret, known names cannot be
    hashed and compared with pseudonyms. Datasets of revision 0 used the decimal digits of the seed,
    which their manifest publishes.
    """
    return _digest(secret, text, purpose).hex()


def _digest(key: bytes, text: str, purpose: str) -> bytes:
    # surrogatepass: a damaged file name may have lone surrogates.
    body = text.encode("utf-8", "surrogatepass")
    return blake2b(body, digest_size=16, key=key, person=purpose.encode("utf-8")).digest()

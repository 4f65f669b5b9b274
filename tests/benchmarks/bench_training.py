"""How fast the trainer's stages are, side by side in one run: images per CPU-second.

    python tests/benchmarks/bench_training.py OUT

OUT is a dataset that build-dataset wrote. The best of three passes counts: other work on the
machine makes a pass slower, never faster. ImageDataGenerator needs scipy and is left out without.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fertools.training.quiet import import_tensorflow

PASSES = 3
COUNT = 256


def rate(work: Callable[[], int]) -> float:
    """Give the best images per CPU-second of three passes, after one to compile."""
    work()
    found = 0.0
    for _ in range(PASSES):
        begin = time.process_time()
        images = work()
        found = max(found, images / (time.process_time() - begin))
    return found


def loader(out: Path, **options: Any) -> Callable[[], int]:
    """Read a split once."""
    from fertools.training import load

    data = load(out, "train", batch=64, **options)
    return lambda: sum(len(labels) for _, labels in data)


def augmentation(images: Any, keys: Any) -> dict[str, Callable[[], int]]:
    """Give the warp alone and all of the talk's augmentation."""
    import tensorflow as tf

    from fertools.training.augment import RANGES, Augment, compiled, draw_matrices, warp

    augment = Augment(RANGES["talk"], stretch=True, erase=False)
    whole = tf.function(lambda: augment(images, keys, training=True), autograph=False)
    gray = tf.cast(images, tf.float32)
    drawn = tf.constant(draw_matrices(keys, RANGES["talk"], images.shape[1]).numpy())
    return {
        "warp": lambda: len(compiled(warp)(gray, drawn).numpy()),
        "talk": lambda: len(whole().numpy()),
    }


def generator(images: Any) -> Callable[[], int]:
    """Do the same with ImageDataGenerator, as the talk did."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    draw = np.random.default_rng(0)

    def noisy(image: Any) -> Any:
        image = image + draw.standard_normal(image.shape) * draw.uniform(1, 5)
        return (image - image.min()) / (image.max() - image.min()) * 255

    made = ImageDataGenerator(
        rotation_range=40,
        width_shift_range=0.07,
        height_shift_range=0.07,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
        preprocessing_function=noisy,
    )
    return lambda: len(next(made.flow(images.astype(np.float32), batch_size=len(images))))


def main(out: Path) -> None:
    import_tensorflow()
    from fertools.shards import Manifest

    image = Manifest.read(out).image
    shape = (COUNT, image.size, image.size, 1)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    rates = {f"read and decode {image.format}": rate(loader(out, shuffle=True))}
    rates["read from the cache"] = rate(loader(out, shuffle=True, cache=True))
    for name, work in augmentation(images, np.arange(COUNT, dtype=np.int32)).items():
        rates[f"augment: {name}"] = rate(work)
    if find_spec("scipy"):
        rates["augment: ImageDataGenerator"] = base = rate(generator(images))
        print(f"talk / ImageDataGenerator: {rates['augment: talk'] / base:.1f}")
    for name, value in rates.items():
        print(f"{name:30} {value:9,.0f} images per CPU-second at {image.size} px")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""How fast the trainer's stages are, side by side in one run.

    python -m tests.benchmarks.bench_training OUT             input and augmentation
    python -m tests.benchmarks.bench_training OUT --steps 6   and ResNet-50, from shards and without
    python -m tests.benchmarks.bench_training OUT --whole 3   train against plain fit, three seeds

OUT is a dataset that build-dataset wrote, of a few thousand images at least: a small one measures
how a pipeline starts. Rates are images per CPU-second, the best of three passes: other work on
the machine makes a pass slower, never faster. ImageDataGenerator needs scipy and is left out
without. Steps are timed by the clock, in turns, and their medians compared.

--whole measures instead what a small data set takes from the start of the process to its end: of
`fertools train` with its defaults, and of `plain_fit` with the same network, epochs and batch, in
turns, a seed a turn.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from fertools.training.backend import import_tensorflow

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
    from fertools.training.data import load

    data = load(out, "train", batch=64, **options)
    return lambda: sum(len(labels) for _, labels in data)


def parsing(out: Path) -> Callable[[], int]:
    """Parse and decode a split that is in memory already."""
    import tensorflow as tf

    from fertools.training.data import DatasetSplit, decoded, parser

    source = DatasetSplit.open(out, "train")
    files = [str(out / shard.file) for shard in source.shards]
    records = tf.constant(list(tf.data.TFRecordDataset(files).as_numpy_iterator()))
    parse = parser(source, ("image", "label"))
    data = decoded(tf.data.Dataset.from_tensor_slices(records), parse).batch(64)
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


def steps(out: Path, count: int, batch: int) -> dict[str, float]:
    """Images/s of the talk's training: from shards, and from one batch that is there already."""
    import keras
    import tensorflow as tf

    from fertools.training.backend import Device
    from fertools.training.data import DatasetSplit
    from fertools.training.fit import TrainingData
    from fertools.training.model import build, compile_learner, import_build
    from fertools.training.recipe import Recipe

    source = DatasetSplit.open(out, "train")
    options = Recipe.of({"batch": batch, "epochs": 1000})
    data = TrainingData(source, None, options, 0, cache=False)
    keras.utils.set_random_seed(0)
    classes = len(source.manifest.classes)
    device = Device.choose(options.precision)
    print(device.text())
    with device.scope():
        network = build(options, source.manifest.image.size, classes, import_build(options.model))
        learner = compile_learner(network, options, 1000, jit=device.jit)
    shards = data.training_batches(0)
    ready = tf.data.Dataset.from_tensors(next(iter(shards))).repeat()
    sources = {"shards": iter(shards), "synthetic": iter(ready)}
    taken: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(PASSES + 1):
        for name, batches in sources.items():
            start = time.perf_counter()
            for _ in range(count):
                learner.train_on_batch(*next(batches))
            if turn:  # the first one compiles, and fills buffers
                taken[name].append(time.perf_counter() - start)
    return {name: count * batch / median(times) for name, times in taken.items()}


def whole(out: Path, seeds: int) -> None:
    """Print seconds and test accuracy of `fertools train` and of plain fit, from start to end."""
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for seed in range(seeds):
            run = Path(work) / f"run-{seed}"
            ours = process(["fertools", "train", str(out), str(run), f"--seed={seed}"])
            peer = process(["tests.benchmarks.plain_fit", str(out), str(run), str(seed)])
            process(["fertools", "evaluate", str(run), str(out)])
            metrics = json.loads((run / "evaluation-test" / "metrics.json").read_bytes())
            found = metrics["accuracy"]["value"], float(peer[2])
            rows.append((*ours[:2], *peer[:2]))
            for name, times, accuracy in zip(("train", "plain"), (ours, peer), found, strict=True):
                print(f"seed {seed}, {name}: {times[0]:.1f} s of CPU, {times[1]:.1f} s", end="")
                print(f", test accuracy {accuracy:.3f}", flush=True)
    cpu, clock, plain_cpu, plain_clock = (median(column) for column in zip(*rows, strict=True))
    print(
        f"train / plain fit: {cpu / plain_cpu:.2f} of CPU, {clock / plain_clock:.2f} by the clock"
    )


def process(words: list[str]) -> tuple[float, float, str]:
    """Run a module; return its CPU seconds, its seconds, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, end - start, done.stdout


def main(out: Path, count: int, batch: int) -> None:
    """Measure and tell."""
    import_tensorflow()
    from fertools.dataset.manifest import Manifest

    manifest = Manifest.read(out)
    image, kind = manifest.image, manifest.options["image_format"]
    shape = (COUNT, image.size, image.size, 1)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    rates = {f"parse and decode {kind}": rate(parsing(out))}
    rates[f"read, parse and decode {kind}"] = rate(loader(out, shuffle=True))
    rates["read from the cache"] = rate(loader(out, shuffle=True, cache=True))
    for name, work in augmentation(images, np.arange(COUNT, dtype=np.int32)).items():
        rates[f"augment: {name}"] = rate(work)
    if find_spec("scipy"):
        rates["augment: ImageDataGenerator"] = base = rate(generator(images))
        print(f"talk / ImageDataGenerator: {rates['augment: talk'] / base:.1f}")
    for name, value in rates.items():
        print(f"{name:30} {value:9,.0f} images per CPU-second at {image.size} px")
    if count:
        found = steps(out, count, batch)
        print(", ".join(f"{name} {value:.2f} images/s" for name, value in found.items()))
        print(f"shards / synthetic: {found['shards'] / found['synthetic']:.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="a dataset")
    parser.add_argument("--steps", type=int, default=0, help="steps of ResNet-50 a turn")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--whole", type=int, default=0, metavar="SEEDS", help="train from start on")
    return parser.parse_args()


if __name__ == "__main__":
    asked = _arguments()
    if asked.whole:
        whole(asked.out, asked.whole)
    else:
        main(asked.out, asked.steps, asked.batch)

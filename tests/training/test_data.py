"""What `load` gives: the dataset's own examples, in an order that seed and epoch stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from fertools.dataset.manifest import MANIFEST, ImageSpec, Manifest
from fertools.dataset.shards import read_examples
from fertools.errors import OptionError
from fertools.faces.crop import encode
from fertools.options import FaceOptions, ImageFormat
from fertools.training.data import load
from fertools.training.recipe import Recipe
from tests.training.datasets import write_splits
from tests.training.fakes import example, write_dataset

pytestmark = pytest.mark.slow


def keys(out: Path, **options: Any) -> list[bytes]:
    dataset = load(out, "train", features=("key",), **options)
    return [key for (key,) in dataset.as_numpy_iterator()]


def test_examples_are_those_on_disk(tmp_path: Path) -> None:
    write_splits(tmp_path, {"train": 7, "validation": 3})
    wanted = list(read_examples(tmp_path, "train"))
    features = ("image", "label", "key", "age", "box", "confidence")
    images, labels, names, ages, boxes, sure = zip(
        *load(tmp_path, "train", features=features).as_numpy_iterator(), strict=True
    )
    assert [image.shape for image in images] == [(16, 16, 1)] * 7
    assert [int(image.mean()) for image in images] == [80 * each.label for each in wanted]
    assert list(labels) == [each.label for each in wanted]
    assert [name.decode() for name in names] == [each.key for each in wanted]
    assert (ages[0], boxes[0].tolist()) == (-1, [0, 0, 9, 9])
    assert sure[0] == pytest.approx(0.9)
    sizes = [len(each) for each, _ in load(tmp_path, "train", batch=3).as_numpy_iterator()]
    assert sizes == [3, 3, 1]
    with pytest.raises(OptionError, match="no feature 'votes'"):
        load(tmp_path, "train", features=("votes",))


@pytest.mark.parametrize("size", [16, 255, 256])  # from 256 on they do not lie in one piece
@pytest.mark.parametrize("image_format", ["png", "raw", "jpeg"])
def test_pixels_are_those_that_were_encoded(
    size: int, image_format: ImageFormat, tmp_path: Path
) -> None:
    recipe = FaceOptions(size=size, image_format=image_format)
    grays = np.random.default_rng(size).integers(0, 256, (3, size, size)).astype(np.uint8)
    write_dataset(tmp_path, [replace(example(0, 1), image=encode(g, recipe)) for g in grays])
    manifest = Manifest.read(tmp_path)
    options = manifest.options | {"image_format": image_format}
    made = replace(manifest, image=ImageSpec(size, recipe.file_format), options=options)
    (tmp_path / MANIFEST).write_text(made.to_json(), "utf-8")
    images = np.array([image for image, _ in load(tmp_path, "test").as_numpy_iterator()])[..., 0]
    if image_format == "jpeg":
        grays = np.array([simplejpeg.decode_jpeg(encode(g, recipe), "GRAY")[..., 0] for g in grays])
    assert np.array_equal(images, grays)


@pytest.mark.parametrize("cache", [False, True])
def test_order_is_a_function_of_seed_and_epoch(cache: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    write_splits(tmp_path, {"train": 40})
    first = keys(tmp_path, shuffle=True, cache=cache)
    tf.random.set_seed(99)  # somebody's own must change nothing
    assert keys(tmp_path, shuffle=True, cache=cache) == first
    others = [
        keys(tmp_path, shuffle=True, cache=cache, epoch=1),
        keys(tmp_path, shuffle=True, cache=cache, seed=1),
        keys(tmp_path, cache=cache),
    ]
    for other in others:
        assert other != first and sorted(other) == sorted(first)


@pytest.mark.parametrize("at_once", [1, 5000, 1 << 30])
def test_however_few_bytes_are_shuffled_at_once_every_example_comes_once(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(tmp_path, {"train": 40})
    on_disk = keys(tmp_path)
    monkeypatch.setattr("fertools.training.data._BUFFER_BYTES", at_once)
    found = keys(tmp_path, shuffle=True)
    assert sorted(found) == sorted(on_disk)
    assert (found == on_disk) == (at_once == 1)


def test_training_that_begins_at_a_later_epoch_meets_what_is_left(tmp_path: Path) -> None:
    from fertools.training.data import DatasetSplit
    from fertools.training.fit import TrainingData

    write_splits(tmp_path, {"train": 10})
    options = Recipe(epochs=3, batch=4, balance=True)
    data = TrainingData(DatasetSplit.open(tmp_path, "train"), None, options, 0, cache=False)
    whole = list(data.training_batches(0).as_numpy_iterator())
    rest = list(data.training_batches(1).as_numpy_iterator())
    assert (len(whole), len(rest), data.steps) == (6, 4, 2)
    for (inputs, targets, weights), again in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(inputs["key"], again[0]["key"])
        np.testing.assert_array_equal(inputs["image"], again[0]["image"])
        np.testing.assert_array_equal(targets, again[1])
        # 4, 3, 3 of three classes: the rarer ones weigh more, an example 1 on average.
        wanted = np.array([10 / 12, 10 / 9, 10 / 9], np.float32)[targets.argmax(1)]
        np.testing.assert_allclose(weights, wanted)
    used = [key for batch in whole for key in batch[0]["key"].tolist()]
    assert len(set(used)) == len(used)  # no image is ever altered twice in the same way

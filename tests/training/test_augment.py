"""Augmentation: ImageDataGenerator's warp, and draws that depend on an image's key alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def images(count: int, size: int = 48) -> Any:
    return np.random.default_rng(1).integers(0, 256, (count, size, size, 1)).astype(np.uint8)


def test_the_warp_is_image_data_generators() -> None:
    pytest.importorskip("scipy")
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from fertools.training.augment import matrices, warp

    generator = ImageDataGenerator(fill_mode="nearest")
    draw = np.random.default_rng(0)
    for image in images(30).astype(np.float32):
        theta, shear = draw.uniform(-40, 40), draw.uniform(-20, 20)
        tx, ty = draw.uniform(-4, 4, 2)
        zx, zy = draw.uniform(0.8, 1.2, 2)
        mirror = bool(draw.random() < 0.5)
        wanted = generator.apply_transform(
            image,
            {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy}
            | {"flip_horizontal": mirror},
        )
        one = {"rotation": theta, "shear": shear, "shift_x": tx, "shift_y": ty}
        one |= {"zoom_x": zx, "zoom_y": zy, "mirror": -1.0 if mirror else 1.0}
        arrays = {name: np.array([value], np.float32) for name, value in one.items()}
        got = keras.ops.convert_to_numpy(warp(image[None], matrices(**arrays, size=48)))[0]
        # Neighbours differ by up to 255 here, so that a place off by 1e-4 shows.
        assert np.abs(got - wanted).max() < 0.05
        assert np.abs(got - wanted).mean() < 0.01


def test_an_image_becomes_the_same_in_any_batch_and_another_under_another_key() -> None:
    import keras

    from fertools.training.augment import RANGES, Augment

    augment = Augment(RANGES["talk"], stretch=True, erase=True)
    batch, keys = images(6), np.arange(6, dtype=np.int32) + 1000
    whole = keras.ops.convert_to_numpy(augment(batch, keys, training=True))
    half = keras.ops.convert_to_numpy(augment(batch[3:], keys[3:], training=True))
    np.testing.assert_allclose(half, whole[3:], atol=1e-3)
    other = keras.ops.convert_to_numpy(augment(batch, keys + 1, training=True))
    assert np.abs(other - whole).mean() > 5
    assert whole.min() == 0 and whole.max() <= 255.001
    untouched = keras.ops.convert_to_numpy(augment(batch, keys, training=False))
    np.testing.assert_array_equal(untouched, batch)


def test_draws_have_the_distributions_that_they_claim() -> None:
    import keras

    from fertools.training.augment import normals, uniforms

    keys = np.arange(500, dtype=np.int32)
    flat = keras.ops.convert_to_numpy(uniforms(keys, 400, 0))
    assert flat.min() >= 0 and flat.max() < 1
    counts = np.histogram(flat, 20, (0, 1))[0]
    assert np.abs(counts / flat.size - 0.05).max() < 0.002  # 4 standard deviations
    assert np.abs(np.corrcoef(flat.T[:40]) - np.eye(40)).max() < 0.25
    assert np.abs(np.corrcoef(flat[:40]) - np.eye(40)).max() < 0.25
    bell = keras.ops.convert_to_numpy(normals(keys, 401, 0))
    assert bell.shape == (500, 401)
    assert abs(bell.mean()) < 0.01 and abs(bell.std() - 1) < 0.01
    assert abs((np.abs(bell) < 1.96).mean() - 0.95) < 0.003
    assert not np.array_equal(flat, keras.ops.convert_to_numpy(uniforms(keys, 400, 1)))


def test_no_noise_is_infinite(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    from fertools.training import augment as draws

    ends = np.array([[0, (1 << 24) - 1]], np.int32)
    monkeypatch.setattr(draws, "_bits", lambda *_: keras.ops.convert_to_tensor(ends))
    low, high = keras.ops.convert_to_numpy(draws.normals(None, 2, 0))[0]
    assert 5 < high == -low < 6


def test_erasing_covers_a_rectangle_of_about_every_other_image() -> None:
    import keras

    from fertools.training.augment import erase

    keys = np.arange(400, dtype=np.int32)
    black = np.zeros((400, 48, 48, 1), np.float32)
    covered = (keras.ops.convert_to_numpy(erase(black, keys)) > 0).mean((1, 2, 3))
    assert 0.4 < (covered > 0).mean() < 0.6
    hit = covered[covered > 0]
    assert hit.min() > 0.01 and hit.max() < 0.37 and 0.14 < hit.mean() < 0.21


def test_mixup_mixes_targets_as_it_mixes_images() -> None:
    import keras

    from fertools.training.augment import mixup, mixup_shares

    shares = keras.ops.convert_to_numpy(mixup_shares(np.arange(4000, dtype=np.int32)))
    assert shares.min() >= 0.5 and shares.max() <= 1
    # The larger of two Beta(½, ½) shares: the mean is ½ + 1/π.
    assert abs(shares.mean() - (0.5 + 1 / np.pi)) < 0.01
    rows = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    halves = np.array([0.75, 0.5], np.float32)
    got = keras.ops.convert_to_numpy(mixup(rows, halves))
    np.testing.assert_allclose(got, [[0.75, 0.25], [0.5, 0.5]])

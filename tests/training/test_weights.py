"""Weights go to the disk and back as bytes, by what Keras offers to everybody."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fertools.training
from fertools.errors import DatasetError
from fertools.training.checkpoints import read_file
from fertools.training.recipe import Recipe

HOME = Path(fertools.training.__file__).parent


def learner(seed: int) -> Any:
    from fertools.training.backend import import_tensorflow

    import_tensorflow()
    import keras

    from fertools.training.model import build, compile_learner

    keras.utils.set_random_seed(seed)
    recipe = Recipe(depth=8, width=4)
    return compile_learner(build(recipe, 16, 3), recipe, 9, jit=False)


@pytest.mark.slow
def test_weights_and_optimizer_are_saved_to_bytes_and_loaded_from_them(tmp_path: Path) -> None:
    """R2 and R4: Keras' stores take memory, named; this is the one thing it does not document."""
    from fertools.training.weights import load, save

    first, second = learner(0), learner(1)
    first.optimizer.iterations.assign(7)
    data = save(first)
    path = tmp_path / "kept.weights.h5"
    load(second, data, path, "cure")
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(second.optimizer.iterations) == 7
    # Equal weights are equal bytes, however many layers the process has made: the file's SHA-256
    # says which network it is.
    assert save(second) == data
    # And the bytes are an ordinary file of Keras' for everybody else.
    path.write_bytes(save(first.network))
    learner(2).network.load_weights(path)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"not HDF5", b"cut"])
def test_damaged_bytes_are_one_line(damage: bytes, tmp_path: Path) -> None:
    """R4."""
    from fertools.training.weights import load, save

    model = learner(0)
    data = save(model)[:-500] if damage == b"cut" else damage
    with pytest.raises(DatasetError, match=r"does not fit the network.*: the cure") as raised:
        load(model, data, tmp_path / "x", "the cure")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_saver_gives_the_bytes_that_keras_gives() -> None:
    from fertools.training.weights import Saver, save

    model = learner(0)
    before = save(model)
    states, networks = Saver(model), Saver(model.network)
    assert save(model) == before  # numbers were in the weights' place meanwhile
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 16, 16, 1), np.uint8)
    batch = {"image": images, "key": np.arange(8, dtype=np.int32)}
    for _ in range(2):
        model.train_on_batch(batch, np.eye(3)[np.arange(8) % 3])
        assert states.save() == save(model) != before
        assert networks.save() == save(model.network)


@pytest.mark.slow
def test_a_layer_that_keeps_something_else_is_saved_by_keras() -> None:
    from fertools.training.backend import import_tensorflow

    import_tensorflow()
    import keras

    from fertools.training.weights import Saver, save

    class Own(keras.layers.Dense):  # type: ignore[misc]  # keras has no types
        def save_own_variables(self, store: Any) -> None:
            super().save_own_variables(store)
            store["other"] = np.array([0.5, 2.5])

    model = keras.Sequential([keras.Input((3,)), Own(2), keras.layers.Dropout(0.5)])
    saver = Saver(model)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert saver.save() == save(model)


def test_weights_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is missing: the cure"):
        read_file(tmp_path / "nowhere", "the cure")
    with pytest.raises(DatasetError, match="cannot be read: Is a directory: the cure"):
        read_file(tmp_path, "the cure")


@pytest.mark.parametrize("file", sorted(HOME.glob("*.py")), ids=lambda file: file.name)
def test_nothing_private_of_another_package_is_used(file: Path) -> None:
    """R2: a private method that was inherited from Keras was not there in other versions."""
    mine = {"self", "cls"}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            known = isinstance(node.value, ast.Name) and node.value.id in mine
            dunder = node.attr.startswith("__")
            assert known or dunder, f"{file.name}:{node.lineno}: {node.attr}"
        if isinstance(node, ast.ImportFrom):
            assert ".src" not in (node.module or ""), f"{file.name}:{node.lineno}"
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            assert "keras.callbacks.BackupAndRestore" not in bases

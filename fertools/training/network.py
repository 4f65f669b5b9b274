"""The whole network: gray values in 0 to 255, stretched or scaled, a body, a head, logits."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from fertools.errors import OptionError
from fertools.training.recipe import DEPTHS, TrainRecipe
from fertools.training.resnet import ResNet

Build = Callable[[int, int], keras.Model]
"""Makes somebody's own network: (size, classes) -> images in -1 to 1 to logits."""


def build(recipe: TrainRecipe, size: int, classes: int, own: Build | None = None) -> keras.Model:
    """Make a network with fresh weights: float32 (N, size, size, 1) in 0..255 -> logits.

    Logits are float32 (N, classes) under every dtype policy. `own` takes the ResNet's place.
    """
    image = keras.Input((size, size, 1), dtype="float32", name="image")
    x = centred(image, stretch=recipe.stretch == "always")
    if own is not None:
        x = own(size, classes)(x)
    else:
        body = ResNet(DEPTHS[recipe.depth], recipe.width, recipe.init, recipe.zero_gamma)
        x = _head(body(x), recipe, classes)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="network")


def answering(network: keras.Model) -> keras.Model:
    """Put softmax behind a network: the same weights, probabilities instead of logits."""
    chances = layers.Softmax(dtype="float32", name="probabilities")(network.output)
    return keras.Model(network.input, chances)


def centred(image: Any, *, stretch: bool) -> Any:
    """Bring gray values 0..255 to -1..1, with `stretch` from each image's darkest to brightest."""
    if not stretch:
        return image / 127.5 - 1.0
    low = ops.amin(image, axis=(1, 2, 3), keepdims=True)
    high = ops.amax(image, axis=(1, 2, 3), keepdims=True)
    # An image of one gray has no range: it becomes -1 everywhere instead of NaN.
    return (image - low) * (2.0 / ops.maximum(high - low, 1.0)) - 1.0


def find(word: str) -> Build | None:
    """Import the function that "module:function" names, None for ""; raise OptionError."""
    if not word:
        return None
    module, _, function = word.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    # The last three are those of a file that is no Python and of a module such as ".mine".
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as fault:
        raise OptionError(f"--model {word} cannot be imported: {fault}") from fault
    if not callable(found):
        raise OptionError(f"--model {word} is not a function")
    made: Build = found
    return made


def _head(x: Any, recipe: TrainRecipe, classes: int) -> Any:
    flat = recipe.head == "flatten"
    x = (layers.Flatten if flat else layers.GlobalAveragePooling2D)(name="pool")(x)
    if recipe.head_units:
        x = layers.Dense(recipe.head_units, "relu", kernel_initializer=recipe.init, name="hidden")(
            x
        )
    return layers.Dense(classes, kernel_initializer=recipe.init, dtype="float32", name="classes")(x)

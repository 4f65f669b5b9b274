"""The whole network: gray values in 0 to 255, stretched or scaled, a body, a head, logits."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
from keras import layers, ops

from fertools.errors import OptionError
from fertools.options import TrainOptions
from fertools.training.augment import RANGES, Augment, mixed, mixing_shares

Build = Callable[[int, int], keras.Model]
"""Makes somebody's own network: (size, classes) -> images in -1 to 1 to logits."""

#: Blocks in each stage, by the depth that the network is known by: 3 layers a block, stem, head.
DEPTHS: Final = {
    8: (1, 1),
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def build(recipe: TrainOptions, size: int, classes: int, own: Build | None = None) -> keras.Model:
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


def _head(x: Any, recipe: TrainOptions, classes: int) -> Any:
    flat = recipe.head == "flatten"
    x = (layers.Flatten if flat else layers.GlobalAveragePooling2D)(name="pool")(x)
    if recipe.head_units:
        x = layers.Dense(recipe.head_units, "relu", kernel_initializer=recipe.init, name="hidden")(
            x
        )
    return layers.Dense(classes, kernel_initializer=recipe.init, dtype="float32", name="classes")(x)


@dataclass(frozen=True, slots=True)
class ResNet:
    """A body without input and head: calling it on (N, H, W, 1) gives (N, H / 32, W / 32, C).

    blocks       blocks in each stage, such as (3, 4, 6, 3)
    width        w of the picture; C is 4 w 2^(stages - 1)
    init         kernel initialiser; `seed` makes each layer's own
    zero_gamma   begin the last batch norm of every block with 0, so that it begins as identity
    """

    blocks: Sequence[int]
    width: int = 64
    init: str = "he_normal"
    zero_gamma: bool = False

    def __call__(self, x: Any) -> Any:
        """Apply the body to a symbolic tensor.

        Every layer has a name: Keras' own would count the process's layers, and the same weights
        would not be the same bytes.
        """
        # The stem stays in small networks too: under oneDNN, TensorFlow 2.21 crashes on a 1×1
        # convolution of stride 2 that reads an image of one to three channels.
        x = layers.ReLU(name="stem_relu")(self._convolve(x, self.width, 7, 2, "stem"))
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
        for stage, blocks in enumerate(self.blocks):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                x = self._block(x, self.width << stage, stride, f"stage{stage + 1}_{block + 1}")
        return x

    def _block(self, x: Any, width: int, stride: int, name: str) -> Any:
        shortcut = x
        if stride > 1 or x.shape[-1] != 4 * width:
            shortcut = self._convolve(x, 4 * width, 1, stride, f"{name}_shortcut")
        x = layers.ReLU(name=f"{name}_a_relu")(self._convolve(x, width, 1, 1, f"{name}_a"))
        x = layers.ReLU(name=f"{name}_b_relu")(self._convolve(x, width, 3, stride, f"{name}_b"))
        x = self._convolve(x, 4 * width, 1, 1, f"{name}_c", zero=self.zero_gamma)
        return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))

    def _convolve(
        self, x: Any, filters: int, side: int, stride: int, name: str, *, zero: bool = False
    ) -> Any:
        if stride > 1 and side > 1:
            x = layers.ZeroPadding2D(side // 2, name=f"{name}_pad")(x)
        x = layers.Conv2D(
            filters,
            side,
            stride,
            padding="valid" if stride > 1 else "same",
            use_bias=False,
            kernel_initializer=self.init,
            name=f"{name}_conv",
        )(x)
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer="zeros" if zero else "ones",
            name=f"{name}_norm",
        )(x)


class Learner(keras.Model):  # type: ignore[misc]  # keras has no types
    """Takes {"image": uint8 (N, S, S, 1), "key": int32 (N,)} and gives logits.

    Everything that only training needs happens in here, on the device, in `keras.ops`; `network`
    is what remains of it.
    """

    def __init__(self, network: keras.Model, recipe: TrainOptions) -> None:
        super().__init__(name="learner")
        self.network = network
        self._augment = Augment(
            RANGES.get(recipe.augment),
            stretch=recipe.stretch == "train",
            erase=recipe.mix == "erasing",
        )
        self._mixup = recipe.mix == "mixup"

    def build(self, shapes: Any) -> None:
        """Nothing is left to build: the network came built."""
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Return logits, of altered and mixed images in training."""
        images = self._augment(inputs["image"], inputs["key"], training=training)
        if training and self._mixup:
            images = mixed(images, mixing_shares(inputs["key"]))
        return self.network(images, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss, of targets mixed as their images were."""
        if training and self._mixup:
            y = mixed(y, mixing_shares(x["key"]))
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def compile_learner(
    network: keras.Model, recipe: TrainOptions, steps: int, *, jit: bool
) -> Learner:
    """Make the learner with its optimizer, loss and metrics; `steps` is those of all epochs."""
    learner = Learner(network, recipe)
    learner.build(None)  # else weights of an earlier run could not be loaded before the first step
    learner.compile(
        optimizer=_optimizer(recipe, steps),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.label_smoothing
        ),
        metrics=[
            keras.metrics.CategoricalAccuracy(name="accuracy"),
            keras.metrics.F1Score(average="macro", name="f1"),
        ],
        jit_compile=jit,
    )
    # Its variables must be there for a checkpoint to be loaded before the first step.
    learner.optimizer.build(learner.trainable_variables)
    return learner


def _optimizer(recipe: TrainOptions, steps: int) -> keras.optimizers.Optimizer:
    # A schedule of the step alone: it goes on by itself after an interruption, which what
    # watches the loss (ReduceLROnPlateau) does not.
    warmup = round(recipe.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.peak_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=recipe.peak_rate if warmup else None,
        warmup_steps=warmup,
    )
    if recipe.optimizer == "sgd":
        optimizer: keras.optimizers.Optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=recipe.decay, name="sgd"
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.decay, name="adamw")
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def is_finite(loss: Any) -> bool:
    """Return whether a loss is still a number."""
    return bool(ops.convert_to_numpy(ops.isfinite(loss)))

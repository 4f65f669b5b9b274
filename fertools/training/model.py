"""The network, and the model that trains it.

    gray 0..255 ── stretch or scale ── body ── head ── logits        `build`: what is saved
    augmentation, mixup ── network ── loss of mixed targets          `Learner`: training only

The body is ResNet v1.5 (He et al. 2016; v1.5: the stride sits in the 3×3 convolution).

          ┌── 1×1, w ── 3×3, w, stride s ── 1×1, 4w ──┐            every convolution without bias,
     x ───┤                                           + ── ReLU    followed by batch norm and,
          └── 1×1, 4w, stride s (first block only) ───┘            but for the last, ReLU

     stem 7×7, w, stride 2 · max 3×3, stride 2 · stages of w, 2w, 4w, 8w · head

Padding is that of the textbook, k // 2 on every side. Keras' "same" pads an even image by one
more at the right and the bottom only, which moves a feature map by half a pixel at each stride.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import keras
from keras import layers, ops

from fertools.errors import OptionError
from fertools.training.augment import RANGES, Augment, mixup, mixup_shares
from fertools.training.recipe import Recipe
from fertools.training.run import Build

#: Blocks in each stage, by the depth that the network is known by: 3 layers a block, stem, head.
DEPTHS: Final = {
    8: (1, 1),
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def build(options: Recipe, size: int, classes: int, own: Build | None = None) -> keras.Model:
    """Make a network with fresh weights: float32 (N, size, size, 1) in 0..255 -> logits.

    Logits are float32 (N, classes) under every dtype policy. `own` makes another body and head.
    """
    image = keras.Input((size, size, 1), dtype="float32", name="image")
    x = centred(image, stretch=options.stretch == "always")
    x = own(size, classes)(x) if own else _head(_resnet(x, options), options, classes)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="network")


def centred(image: Any, *, stretch: bool) -> Any:
    """Bring gray values 0..255 to -1..1, with `stretch` from each image's darkest to brightest."""
    if not stretch:
        return image / 127.5 - 1.0
    low = ops.amin(image, axis=(1, 2, 3), keepdims=True)
    high = ops.amax(image, axis=(1, 2, 3), keepdims=True)
    # An image of one gray has no range: it becomes -1 everywhere instead of NaN.
    return (image - low) * (2.0 / ops.maximum(high - low, 1.0)) - 1.0


def _resnet(x: Any, options: Recipe) -> Any:
    """Apply ResNet's body: (N, H, W, 1) -> (N, H / 32, W / 32, 4 w 2^(stages - 1)).

    Every layer has a name: Keras' own would count the process's layers, and the same weights
    would not be the same bytes.
    """
    # The stem stays in small networks too: under oneDNN, TensorFlow 2.21 crashes on a 1×1
    # convolution of stride 2 that reads an image of one to three channels.
    x = layers.ReLU(name="stem_relu")(_convolve(x, options.width, 7, "stem", options, stride=2))
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    for stage, blocks in enumerate(DEPTHS[options.depth]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            name = f"stage{stage + 1}_{block + 1}"
            x = _block(x, options.width << stage, stride, name, options)
    return x


def _block(x: Any, width: int, stride: int, name: str, options: Recipe) -> Any:
    shortcut, wide = x, 4 * width
    if stride > 1 or x.shape[-1] != wide:
        shortcut = _convolve(x, wide, 1, f"{name}_shortcut", options, stride=stride)
    x = _convolve(x, width, 1, f"{name}_a", options)
    x = layers.ReLU(name=f"{name}_a_relu")(x)
    x = _convolve(x, width, 3, f"{name}_b", options, stride=stride)
    x = layers.ReLU(name=f"{name}_b_relu")(x)
    x = _convolve(x, wide, 1, f"{name}_c", options, zero_gamma=options.zero_gamma)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _convolve(
    x: Any,
    filters: int,
    side: int,
    name: str,
    options: Recipe,
    *,
    stride: int = 1,
    zero_gamma: bool = False,
) -> Any:
    """Convolve and normalise; with `zero_gamma` the normalisation begins with 0."""
    if stride > 1 and side > 1:
        x = layers.ZeroPadding2D(side // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        side,
        stride,
        padding="valid" if stride > 1 else "same",
        use_bias=False,
        kernel_initializer=options.init,
        name=f"{name}_conv",
    )(x)
    gamma = "zeros" if zero_gamma else "ones"
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_norm"
    )(x)


def _head(x: Any, options: Recipe, classes: int) -> Any:
    pool = layers.Flatten if options.head == "flatten" else layers.GlobalAveragePooling2D
    x, init = pool(name="pool")(x), options.init
    if options.head_units:
        x = layers.Dense(options.head_units, "relu", kernel_initializer=init, name="hidden")(x)
    return layers.Dense(classes, kernel_initializer=init, dtype="float32", name="classes")(x)


def with_softmax(network: keras.Model, temperature: float | None = None) -> keras.Model:
    """Put softmax behind a network: the same weights, probabilities instead of logits.

    temperature   what the logits are divided by first, if it is given
    """
    logits = network.output
    if temperature is not None:
        logits = layers.Rescaling(1 / temperature, dtype="float32", name="temperature")(logits)
    probabilities = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(network.input, probabilities)


def import_build(name: str) -> Build | None:
    """Import the function that "module:function" names, None for ""; raise OptionError."""
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        made: Build = getattr(importlib.import_module(module), function)
    # The last three are those of a file that is no Python and of a module such as ".mine".
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as fault:
        raise OptionError(f"--model {name} cannot be imported: {fault}") from fault
    if not callable(made):
        raise OptionError(f"--model {name} is not a function")
    return made


class Learner(keras.Model):  # type: ignore[misc]  # keras has no types
    """The network in training: {"image": uint8 (N, S, S, 1), "key": int32 (N,)} -> logits.

    Everything that only training needs happens in here, on the device, in `keras.ops`; only
    `network` is kept as the result.
    """

    def __init__(self, network: keras.Model, options: Recipe) -> None:
        super().__init__(name="learner")
        self.network = network
        self._augment = Augment(
            RANGES.get(options.augment),
            stretch=options.stretch == "train",
            erase=options.mix == "erasing",
        )
        self._mixup = options.mix == "mixup"

    def build(self, shapes: Any) -> None:
        self.built = True  # the network was built by its maker

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        images = self._augment(inputs["image"], inputs["key"], training=training)
        if training and self._mixup:
            images = mixup(images, mixup_shares(inputs["key"]))
        return self.network(images, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if training and self._mixup:
            y = mixup(y, mixup_shares(x["key"]))
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def compile_learner(network: keras.Model, options: Recipe, steps: int, *, jit: bool) -> Learner:
    """Make the learner with its optimizer, loss and metrics; `steps` are those of all epochs."""
    learner = Learner(network, options)
    learner.build(None)  # else weights of an earlier run could not be loaded before the first step
    learner.compile(
        optimizer=_optimizer(options, steps),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=options.smoothing
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


def _optimizer(options: Recipe, steps: int) -> keras.optimizers.Optimizer:
    # A function of the step alone: it goes on by itself after an interruption. A schedule that
    # watches the loss (ReduceLROnPlateau) does not.
    warmup = round(options.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else options.peak_rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=options.peak_rate if warmup else None,
        warmup_steps=warmup,
    )
    if options.optimizer == "sgd":
        optimizer: keras.optimizers.Optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, weight_decay=options.decay, name="sgd"
        )
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=options.decay, name="adamw")
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer

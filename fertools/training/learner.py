"""The network while it learns: augmentation in front of it, mixup around it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from fertools.training.augment import RANGES, Augment, mixed, mixing_shares
from fertools.training.recipe import TrainRecipe


class Learner(keras.Model):  # type: ignore[misc]  # keras has no types
    """Takes {"image": uint8 (N, S, S, 1), "key": int32 (N,)} and gives logits.

    Everything that only training needs happens in here, on the device, in `keras.ops`; `network`
    is what remains of it.
    """

    def __init__(self, network: keras.Model, recipe: TrainRecipe) -> None:
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


def compile_learner(network: keras.Model, recipe: TrainRecipe, steps: int, *, jit: bool) -> Learner:
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


def _optimizer(recipe: TrainRecipe, steps: int) -> keras.optimizers.Optimizer:
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

"""What the learner is fed: batches of images with keys, targets and, balanced, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fertools.errors import OptionError
from fertools.training.input import epoch_keys, ordered
from fertools.training.recipe import TrainRecipe
from fertools.training.source import Source

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, slots=True)
class Feed:
    """Both splits that training looks at; `validation` is None where the dataset has none.

    An element is ({"image": uint8 (N, S, S, 1), "key": int32 (N,)}, targets float32
    (N, classes)), in training with weights float32 (N,) as a third where classes are balanced.
    """

    train: Source
    validation: Source | None
    recipe: TrainRecipe
    seed: int
    cache: bool

    def __post_init__(self) -> None:
        if self.recipe.soft_labels and not self.train.manifest.votes:
            raise OptionError(
                f"{self.train.out} holds no votes: leave --soft-labels out, or build the dataset "
                "with its annotators' votes"
            )

    @property
    def batch(self) -> int:
        """Images a step: as asked for, or all that there are."""
        return min(self.recipe.batch, self.train.records)

    @property
    def steps(self) -> int:
        """Steps an epoch; what does not fill a batch waits for an epoch with another order."""
        return self.train.records // self.batch

    def training(self, first_epoch: int) -> tf.data.Dataset:
        """Return all batches from an epoch to the end of the training, `steps` for each."""
        import tensorflow as tf

        epochs = range(first_epoch, self.recipe.epochs)
        keys = tf.constant(epoch_keys(self.seed, epochs, self.train.records))
        features = ("image", "label", "votes") if self.recipe.soft_labels else ("image", "label")
        batches = ordered(
            self.train, features, epochs, seed=self.seed, cache=self.cache, batch=self.batch
        )
        weights, places = self._weights(), tf.range(self.batch, dtype=tf.int32)

        def element(number: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
            image, label, *votes = batch
            first = tf.cast(number % self.steps * self.batch, tf.int32)
            key = keys[number // self.steps] + first + places
            target = self._target(label)
            target = _shares(votes[0], target) if votes else target
            row = ({"image": image, "key": key}, target)
            return (*row, tf.gather(weights, label)) if self.recipe.balance else row

        total = tf.data.experimental.assert_cardinality(self.steps * len(epochs))
        return batches.enumerate().map(element).apply(total).prefetch(tf.data.AUTOTUNE)

    def validating(self) -> tf.data.Dataset | None:
        """Return validation's batches once, unaltered, in the order on disk."""
        import tensorflow as tf

        if self.validation is None:
            return None
        examples = ordered(
            self.validation, ("image", "label"), None, seed=self.seed, cache=self.cache
        )

        def element(image: Any, label: Any) -> tuple[Any, ...]:
            key = tf.zeros_like(label, tf.int32)
            return {"image": image, "key": key}, self._target(label)

        # Not told how many there are, Keras takes the end for an interruption, and warns of it.
        total = tf.data.experimental.assert_cardinality(-(-self.validation.records // self.batch))
        return examples.batch(self.batch).map(element).apply(total).prefetch(tf.data.AUTOTUNE)

    def _target(self, label: Any) -> Any:
        import tensorflow as tf

        return tf.one_hot(label, len(self.train.manifest.classes), dtype=tf.float32)

    def _weights(self) -> list[float]:
        """Weigh each class by the inverse of its number, 1 on average over the examples."""
        counts = self.train.counts
        present = sum(count > 0 for count in counts)
        return [self.train.records / (present * count) if count else 0.0 for count in counts]


def _shares(votes: Any, target: Any) -> Any:
    """Turn votes into shares; where nobody voted, the name's class stands."""
    import tensorflow as tf

    counts = tf.cast(votes, tf.float32)
    total = tf.reduce_sum(counts, 1, keepdims=True)
    return tf.where(total > 0, counts / tf.maximum(total, 1.0), target)

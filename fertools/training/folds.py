"""Predict photos by a network that has not seen their people: folds of people.

    people ──▶ 5 folds        fold k:  learn the other four ──▶ predict fold k

There is no validation: the number of epochs is fixed, and the last weights predict. The crops are
an array, not shards: a fold is a choice of rows, and no shard is decoded once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.console import Progress
from fertools.errors import OptionError
from fertools.training.backend import Device
from fertools.training.data import epoch_number
from fertools.training.model import Learner, build, compile_learner
from fertools.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Crops:
    """Photos to predict, a row each.

    images   uint8 (N, S, S, 1), gray; may be a memory map
    labels   int64 (N,), 0 to `classes` - 1
    folds    int64 (N,), the fold in which a photo is predicted; a person is in one fold only
    """

    images: NDArray[np.uint8]
    labels: Ints
    folds: Ints
    classes: int


def predict_folds(
    crops: Crops,
    folds: Sequence[int],
    options: Recipe,
    *,
    seed: int,
    keep: Callable[[int, NDArray[np.float32]], None],
    quiet: bool,
) -> None:
    """Predict some of the folds; call `keep` with each fold's number and probabilities.

    The probabilities are float32 (n, classes), of the fold's n photos in their order. A fold's are
    a function of crops, options and seed, whichever other folds are predicted.
    """
    trainer = _Trainer.of(crops, options, seed)
    total = trainer.images * (int(crops.folds.max()) + 1)
    done = total - trainer.images * len(folds)
    with Progress("train folds", total, unit="images", quiet=quiet, done=done) as progress:
        for fold in folds:
            keep(fold, trainer.predict(fold, progress))


@dataclass(frozen=True, slots=True)
class _Trainer:
    """One network for all folds, since each compilation takes seconds; every fold resets it.

    start   the values of all variables, the optimizer's included, before the first step
    steps   of an epoch, the same in all folds
    """

    crops: Crops
    options: Recipe
    seed: int
    learner: Learner
    start: list[Any]
    batch: int
    steps: int

    @classmethod
    def of(cls, crops: Crops, options: Recipe, seed: int) -> _Trainer:
        fewest = len(crops.folds) - np.bincount(crops.folds).max()
        batch = min(options.batch, int(fewest))
        steps = int(fewest) // batch
        keras.utils.set_random_seed(seed)
        device = Device.choose(options.precision)
        with device.scope():
            network = build(options, crops.images.shape[1], crops.classes)
            learner = compile_learner(network, options, steps * options.epochs, jit=device.jit)
        start = [keras.ops.convert_to_numpy(value) for value in _variables(learner)]
        return cls(crops, options, seed, learner, start, batch, steps)

    @property
    def images(self) -> int:
        """The images of all steps of a fold."""
        return self.steps * self.batch * self.options.epochs

    def predict(self, fold: int, progress: Progress) -> NDArray[np.float32]:
        """Learn the other folds; return the probabilities of this fold's photos, (n, classes)."""
        crops = self.crops
        for variable, value in zip(_variables(self.learner), self.start, strict=True):
            variable.assign(value)
        self.learner.fit(
            _Batches(crops, np.flatnonzero(crops.folds != fold), self),
            epochs=self.options.epochs,
            callbacks=[_Counted(progress, self.batch)],
            verbose=0,
            shuffle=False,
        )
        found = self._probabilities(np.flatnonzero(crops.folds == fold))
        if not np.isfinite(found).all():
            raise OptionError(f"the network of fold {fold + 1} has diverged: give another --seed")
        return found

    def _probabilities(self, rows: Ints) -> NDArray[np.float32]:
        parts = np.split(rows, range(self.batch, len(rows), self.batch))
        logits = np.concatenate([self._logits(part) for part in parts]).astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)

    def _logits(self, rows: Ints) -> NDArray[np.float32]:
        """Predict at most a batch; it is filled up, as each shape would be compiled anew."""
        images = self.crops.images[np.resize(rows, self.batch)]
        inputs = {"image": images, "key": np.zeros(self.batch, np.int32)}
        return np.asarray(self.learner.predict_on_batch(inputs), np.float32)[: len(rows)]


def _variables(learner: Learner) -> list[Any]:
    return [*learner.variables, *learner.optimizer.variables]


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
    """Batches for a `Learner`, in an order that is a function of seed and epoch."""

    def __init__(self, crops: Crops, rows: Ints, trainer: _Trainer) -> None:
        super().__init__()
        self._crops, self._rows, self._trainer = crops, rows, trainer
        self._targets = np.eye(crops.classes, dtype=np.float32)
        self._begin(0)

    def __len__(self) -> int:
        return self._trainer.steps

    def __getitem__(self, step: int) -> tuple[dict[str, Any], NDArray[np.float32]]:
        batch = self._trainer.batch
        at = np.arange(step * batch, (step + 1) * batch)
        rows = self._order[at]
        # An example's key is the epoch's first one plus the example's place in the epoch.
        keys = ((self._first_key + at) % 2**31).astype(np.int32)
        inputs = {"image": self._crops.images[rows], "key": keys}
        return inputs, self._targets[self._crops.labels[rows]]

    def on_epoch_end(self) -> None:
        self._begin(self._epoch + 1)

    def _begin(self, epoch: int) -> None:
        self._epoch, seed = epoch, self._trainer.seed
        self._first_key = epoch_number(seed, epoch, "augment")
        order = np.random.default_rng(epoch_number(seed, epoch, "records"))
        self._order = order.permutation(self._rows)


class _Counted(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Counts the images of each step."""

    def __init__(self, progress: Progress, batch: int) -> None:
        super().__init__()
        self._progress, self._batch = progress, batch
        self._done = progress.done

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._progress.done == self._done:  # this step has compiled and would lower the rate
            self._progress.add_silently(self._batch)
            self._progress.start_clock()
        else:
            self._progress.add(self._batch)

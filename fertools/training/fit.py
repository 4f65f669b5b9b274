"""Train a network: `train` has a line for each stage, `_fit` passes `TrainingData` to Keras."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from fertools.checking import split_keywords, user_path
from fertools.dataset.manifest import MANIFEST
from fertools.errors import FertoolsError, OptionError
from fertools.files import locked, make_folder, run_write_error
from fertools.keywords import TrainKeywords
from fertools.options import FaceOptions, TrainOptions, TrainRunOptions
from fertools.training.backend import backend, import_tensorflow, require_tensorboard
from fertools.training.checkpoints import read_file
from fertools.training.curves import CurvesFile
from fertools.training.data import DatasetSplit, epoch_number, in_order, shuffled, with_length
from fertools.training.recipe import Recipe
from fertools.training.run import LOCK, Run, begun_recipe, choose_run
from fertools.training.targets import Targets, check_votes

if TYPE_CHECKING:
    import tensorflow as tf

    from fertools.training.model import Learner


def train(out: Path | str, run: Path | str, **options: Unpack[TrainKeywords]) -> Run:
    """Train a network from the dataset in `out` and keep its weights and figures in `run`.

    The options are the fields of TrainOptions and TrainRunOptions: epochs=30, depth=14, seed=1, …
    What is not given of depth, width, init, augment, epochs, batch and learning_rate is chosen by
    the number of training photos, stated in one line, and kept in run.json.

    A training that was interrupted goes on by the same call after the last finished epoch; one that
    is complete is not run again, but weights that are missing are made from the checkpoints. More
    `epochs` prolong a finished training: the learning rate then follows the schedule of the new
    number from that epoch on. Raises OptionError, DatasetError or OutputError, each one line that
    says what to do: also for a loss that is not a number, and where memory or the disk is too
    small.
    """
    asked, run_options = split_keywords(options, TrainOptions, TrainRunOptions)
    out, folder = user_path(out, "out"), user_path(run, "run")
    if run_options.tensorboard:
        require_tensorboard()
    begun = begun_recipe(folder) if run_options.resume else None
    data = _training_data(out, asked, run_options, begun)
    make_folder(folder)
    with locked(folder / LOCK, f"another training is writing {folder}: wait for it"):
        training, resumed = choose_run(_new_run(data, folder), resume=run_options.resume)
        if not (resumed and _is_training_complete(training) and _is_calibrated(training, data)):
            chosen = "" if begun else data.options.text(asked, data.train.records)
            if chosen and not run_options.quiet:
                print(chosen, file=sys.stderr, flush=True)
            import_tensorflow()
            with _in_one_line(data, folder):
                _fit(data, training, run_options, resumed=resumed)
                _calibrate(data, training)
        CurvesFile(folder).draw(training.store.rows())
    return training


def _training_data(
    out: Path, asked: TrainOptions, run_options: TrainRunOptions, begun: Recipe | None = None
) -> TrainingData:
    """Open the splits, and decide what was left open by their photos or by what was begun."""
    allow_leak = run_options.allow_leak
    training, validation = DatasetSplit.open(out, "train", allow_leak=allow_leak), None
    if replace(training, name="validation").shards:
        validation = DatasetSplit.open(out, "validation", allow_leak=allow_leak)
    recipe = Recipe.choose(asked, training.records, begun)
    return TrainingData(training, validation, recipe, run_options.seed, run_options.cache)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The splits that training reads; `validation` is None where the dataset has none.

    Their batches are ({"image": uint8 (N, S, S, 1), "key": int32 (N,)}, targets float32
    (N, classes)), in training with weights float32 (N,) as a third where classes are balanced.
    """

    train: DatasetSplit
    validation: DatasetSplit | None
    options: Recipe
    seed: int
    cache: bool

    def __post_init__(self) -> None:
        check_votes(self.options.soft_labels, self.train)

    @property
    def batch(self) -> int:
        """ImageSpec a step: those of the option, at most all."""
        return min(self.options.batch, self.train.records)

    @property
    def steps(self) -> int:
        """Steps an epoch; examples that do not fill a batch are left to other epochs."""
        return self.train.records // self.batch

    def training_batches(self, first_epoch: int) -> tf.data.Dataset:
        """Return the batches from an epoch to the end of the training, `steps` for each."""
        import tensorflow as tf

        epochs = range(first_epoch, self.options.epochs)
        targets = Targets.of(self.options.soft_labels, self.train)
        features = ("image", *targets.features)
        batches = shuffled(
            self.train, features, epochs, seed=self.seed, cache=self.cache, batch=self.batch
        )
        # An example's key is the epoch's first one plus the example's place in the epoch.
        largest = 2**31 - self.train.records
        starts = [epoch_number(self.seed, epoch, "augment") % largest for epoch in epochs]
        first_keys = tf.constant(starts, tf.int32)
        weights, offsets = self._class_weights(), tf.range(self.batch, dtype=tf.int32)

        def element(number: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
            image, label, *said = batch
            done = tf.cast(number % self.steps * self.batch, tf.int32)
            inputs = {"image": image, "key": first_keys[number // self.steps] + done + offsets}
            wanted = targets(label, *said)
            if self.options.balance:
                return inputs, wanted, tf.gather(weights, label)
            return inputs, wanted

        elements = with_length(batches.enumerate().map(element), self.steps * len(epochs))
        return elements.prefetch(tf.data.AUTOTUNE)

    def validation_batches(self) -> tf.data.Dataset | None:
        """Return validation's batches once, unaltered, in the order on disk."""
        import tensorflow as tf

        if self.validation is None:
            return None
        targets = Targets.of("none", self.validation)

        def element(image: Any, label: Any) -> tuple[Any, ...]:
            key = tf.zeros_like(label, tf.int32)
            return {"image": image, "key": key}, targets(label)

        examples = in_order(self.validation, ("image", "label"), cache=self.cache)
        elements = examples.batch(self.batch).map(element)
        # Without the length, Keras takes the end for an interruption, and warns of it.
        total = -(-self.validation.records // self.batch)
        return with_length(elements, total).prefetch(tf.data.AUTOTUNE)

    def _class_weights(self) -> list[float]:
        """Weigh each class by the inverse of its number, 1 on average over the examples."""
        manifest = self.train.manifest
        names = [entry.name for entry in manifest.classes]
        return manifest.splits[self.train.name].class_weights(names)


def _new_run(data: TrainingData, folder: Path) -> Run:
    """Return everything that the weights will depend on."""
    manifest = data.train.manifest
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    face_options = {field.name for field in fields(FaceOptions)}
    name = backend()
    packages = dict.fromkeys(("fertools", "keras", "tensorflow", "numpy", name))
    return Run(
        folder=folder,
        classes=manifest.classes,
        image=manifest.image,
        options=data.options,
        faces={key: value for key, value in manifest.options.items() if key in face_options},
        dataset={
            "name": manifest.name,
            "manifest": sha256((data.train.out / MANIFEST).read_bytes()).hexdigest(),
            "shards": {shard.file: shard.sha256 for shard in shards},
        },
        seed=data.seed,
        versions={package: version(package) for package in packages} | {"backend": name},
    )


def _is_training_complete(run: Run) -> bool:
    """Return whether the last epoch's checkpoint is there, and all that follows from it."""
    return run.store.finished >= run.options.epochs and run.store.is_current()


def _is_calibrated(run: Run, data: TrainingData) -> bool:
    """Return whether the temperatures are known, which cannot be fitted without validation."""
    return data.validation is None or run.store.is_calibrated()


def _fit(data: TrainingData, run: Run, run_options: TrainRunOptions, *, resumed: bool) -> None:
    import keras

    from fertools.training.backend import Device
    from fertools.training.callbacks import training_callbacks
    from fertools.training.model import build, compile_learner, import_build

    options = run.options
    own = import_build(options.model)
    keras.utils.set_random_seed(run.seed)
    device = Device.choose(options.precision)
    if not run_options.quiet:
        print(device.text(), file=sys.stderr, flush=True)
    with device.scope():
        network = build(options, run.image.size, len(run.classes), own)
        learner = compile_learner(network, options, data.steps * options.epochs, jit=device.jit)
    run.store.sweep()
    if not resumed:
        run.store.clear()
    run.write()  # only now: a network that cannot be built leaves nothing behind
    _restore(run, learner)
    if (finished := run.store.finished) >= options.epochs:
        return
    learner.fit(
        data.training_batches(finished),
        validation_data=data.validation_batches(),
        initial_epoch=finished,
        epochs=options.epochs,
        steps_per_epoch=data.steps,
        callbacks=training_callbacks(run, run_options, data.steps, data.batch),
        verbose=0,
        shuffle=False,  # the data has its order; True would warn of that
    )


def _calibrate(data: TrainingData, run: Run) -> None:
    """Fit the temperatures on validation, if there is one."""
    from fertools.training.model import import_build
    from fertools.training.temperature import calibrate

    if (validation := data.validation_batches()) is not None:
        calibrate(run, validation, import_build(run.options.model))


def _restore(run: Run, learner: Learner) -> None:
    """Load the newest checkpoint, after files that should follow from checkpoints are made."""
    from fertools.training.weights import load, save

    store = run.store

    def restore(epoch: int) -> None:
        path, cure = store.checkpoint(epoch), store.cure(epoch)
        load(learner, read_file(path, cure), path, cure)

    def network(epoch: int) -> bytes:
        restore(epoch)
        return save(learner.network)

    if store.finished:
        if not store.is_current():
            store.complete(network)
        restore(store.finished)


@contextmanager
def _in_one_line(data: TrainingData, folder: Path) -> Iterator[None]:
    """Turn what a backend or the system raises over memory, disk and shards into one line."""
    import tensorflow as tf

    try:
        yield
    except FertoolsError:
        raise
    except OSError as fault:
        raise run_write_error(folder, fault) from fault
    except (tf.errors.OpError, MemoryError, RuntimeError) as fault:  # the last is JAX's, PyTorch's
        text = str(fault)
        if (full := os.strerror(errno.ENOSPC)) in text:  # what TensorBoard's log meets
            raise run_write_error(folder, OSError(errno.ENOSPC, full)) from fault
        if isinstance(fault, tf.errors.ResourceExhaustedError | MemoryError) or (
            "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
        ):
            raise OptionError(
                f"memory does not suffice for --batch {data.batch}: "
                f"try --batch {max(1, data.batch // 2)}"
            ) from fault
        for split in (data.train, data.validation):
            if isinstance(fault, tf.errors.OpError) and split and (damage := split.damage()):
                raise damage from fault
        raise

"""Train a network: `train` has a line for each stage, `_fit` hands the work to Keras."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from fertools.checking import split_keywords, user_path
from fertools.dataset.manifest import MANIFEST
from fertools.errors import FertoolsError, OptionError, OutputError
from fertools.files import is_leftover, locked, make_folder, run_write_error
from fertools.keywords import TrainKeywords
from fertools.options import FaceOptions, TrainOptions, TrainRunOptions
from fertools.training.backend import backend, import_tensorflow
from fertools.training.checkpoints import HISTORY, load, read_weights, save
from fertools.training.data import DatasetSplit, TrainingData
from fertools.training.run import RUN, Run, draw_curves

if TYPE_CHECKING:
    from fertools.training.model import Learner

_LOCK = ".lock"


def train(
    out: Path | str,
    run: Path | str,
    **options: Unpack[TrainKeywords],
) -> Run:
    """Train a network from the dataset in `out` and keep its weights and figures in `run`.

    The options are the fields of TrainOptions and TrainRunOptions: epochs=30, depth=14, seed=1, …

    A training that was interrupted goes on by the same call after the last finished epoch; one that
    is complete is not run again, but weights that are missing are made from the checkpoints. More
    `epochs` prolong a finished training: the learning rate then follows the schedule of the new
    number from that epoch on. Raises OptionError, DatasetError or OutputError, each one line that
    says what to do: also for a loss that is not a number, and where memory or the disk is too
    small.
    """
    chosen, run_options = split_keywords(options, TrainOptions, TrainRunOptions)
    out, folder = user_path(out, "out"), user_path(run, "run")
    data = _training_data(out, chosen, run_options)
    make_folder(folder)
    with locked(folder / _LOCK, f"another training is writing {folder}: wait for it"):
        training, resumed = _choose_run(_new_run(data, folder), resume=run_options.resume)
        if not (resumed and _is_complete(training)):
            import_tensorflow()
            with _in_one_line(data, folder):
                _fit(data, training, resumed=resumed, quiet=run_options.quiet)
        draw_curves(folder, training.store.rows())
    return training


def _training_data(out: Path, options: TrainOptions, run_options: TrainRunOptions) -> TrainingData:
    allow_leak = run_options.allow_leak
    training, validation = DatasetSplit.open(out, "train", allow_leak=allow_leak), None
    if replace(training, name="validation").shards:
        validation = DatasetSplit.open(out, "validation", allow_leak=allow_leak)
    return TrainingData(training, validation, options, run_options.seed, run_options.cache)


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


def _choose_run(wanted: Run, *, resume: bool) -> tuple[Run, bool]:
    """Return the training to run, and whether it goes on in the folder; write nothing.

    Without a finished epoch there is nothing to lose, and other options take the place of those
    that the folder was begun with. Raises OutputError where it holds something else.
    """
    folder, store = wanted.folder, wanted.store
    if not (folder / RUN).is_file():
        others = (path.name for path in folder.iterdir() if not is_leftover(path.name))
        if any(name != _LOCK for name in others):
            raise OutputError(f"{folder} is not empty and no run: give another RUN")
        return wanted, False
    if not resume:
        return wanted, False
    if not store.finished:
        results = store.weights("best"), store.weights("last"), folder / HISTORY
        if kept := [path.name for path in results if path.is_file()]:
            raise OutputError(
                f"{folder} holds {kept[0]} and no checkpoint to go on from: "
                "give another RUN, or --no-resume to begin anew"
            )
        return wanted, False
    begun = Run.read(folder)
    wanted = replace(wanted, earlier=begun.earlier)
    if begun == wanted:
        return wanted, True
    begun_with = f"{folder} was begun with {_difference(begun, wanted)}"
    epochs = begun.options.epochs
    longer = replace(begun, options=replace(begun.options, epochs=wanted.options.epochs))
    if wanted.options.epochs > epochs and longer == wanted:
        if store.finished >= epochs:
            return replace(wanted, earlier=(*begun.earlier, epochs)), True
        raise OutputError(
            f"{begun_with} and is not finished: finish it with the number that it was begun with, "
            "then more --epochs prolong it"
        )
    raise OutputError(f"{begun_with}: give another RUN, or --no-resume to begin anew")


def _difference(begun: Run, wanted: Run) -> str:
    """Name up to three of the things that differ, such as "epochs 30 (now 60)"."""
    if begun.dataset != wanted.dataset:
        return f"another dataset, {begun.dataset.get('name')} (now {wanted.dataset['name']})"
    old, new = ({**run.options.flat(), "seed": run.seed, **run.versions} for run in (begun, wanted))
    differing = [
        f"{name} {str(old.get(name)) or 'none'} (now {str(new[name]) or 'none'})"
        for name in new
        if old.get(name) != new[name]
    ]
    return ", ".join(differing[:3]) or "another dataset"


def _is_complete(run: Run) -> bool:
    """Return whether the last epoch's checkpoint is there, and all that follows from it."""
    return run.store.finished >= run.options.epochs and run.store.is_current()


def _fit(data: TrainingData, run: Run, *, resumed: bool, quiet: bool) -> None:
    import keras

    from fertools.training.backend import Device
    from fertools.training.callbacks import training_callbacks
    from fertools.training.model import build, compile_learner, import_build

    options = run.options
    own = import_build(options.model)
    keras.utils.set_random_seed(run.seed)
    device = Device.choose(options.precision)
    if not quiet:
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
        callbacks=training_callbacks(run, data.steps, data.batch, quiet=quiet),
        verbose=0,
        shuffle=False,  # the data has its order; True would warn of that
    )


def _restore(run: Run, learner: Learner) -> None:
    """Load the newest checkpoint, after files that should follow from checkpoints are made."""
    store = run.store

    def restore(epoch: int) -> None:
        path, cure = store.checkpoint(epoch), store.cure(epoch)
        load(learner, read_weights(path, cure), path, cure)

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

"""Training, a line for each stage."""

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
from fertools.files import cannot_write, is_leftover, locked, make_folder
from fertools.keywords import TrainKeywords
from fertools.options import FaceOptions, TrainOptions, TrainRunOptions
from fertools.training.backend import backend, import_tensorflow
from fertools.training.checkpoints import HISTORY, draw_curves, load, read_weights, save
from fertools.training.data import Feed, Source
from fertools.training.run import RUN, Run

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
    says what to do: also for a loss that is no number, and where memory or the disk is too small.
    """
    recipe, run_options = split_keywords(options, TrainOptions, TrainRunOptions)
    out, folder = user_path(out, "out"), user_path(run, "run")
    feed = _feed(
        out, recipe, run_options.seed, cache=run_options.cache, allow_leak=run_options.allow_leak
    )
    make_folder(folder)
    with locked(folder / _LOCK, f"another training is writing {folder}: wait for it"):
        plan, begun = _begin(_plan(feed, folder), resume=run_options.resume)
        if not (begun and _finished(plan)):
            import_tensorflow()
            with _in_words(feed, folder):
                _fit(feed, plan, begun=begun, quiet=run_options.quiet)
        draw_curves(folder, plan.store.rows())
    return plan


def _feed(out: Path, recipe: TrainOptions, seed: int, *, cache: bool, allow_leak: bool) -> Feed:
    source = Source.open(out, "train", allow_leak=allow_leak)
    has_validation = bool(replace(source, split="validation").shards)
    validation = Source.open(out, "validation", allow_leak=allow_leak) if has_validation else None
    return Feed(source, validation, recipe, seed, cache)


def _plan(feed: Feed, folder: Path) -> Run:
    """Return what the weights will depend on."""
    manifest = feed.train.manifest
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    return Run(
        folder=folder,
        classes=manifest.classes,
        image=manifest.image,
        options=feed.recipe.flat(),
        faces={
            field.name: manifest.options[field.name]
            for field in fields(FaceOptions)
            if field.name in manifest.options
        },
        dataset={
            "name": manifest.name,
            "manifest": sha256((feed.train.out / MANIFEST).read_bytes()).hexdigest(),
            "shards": {shard.file: shard.sha256 for shard in shards},
        },
        seed=feed.seed,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    name = backend()
    packages = dict.fromkeys(("fertools", "keras", "tensorflow", "numpy", name))
    return {package: version(package) for package in packages} | {"backend": name}


def _begin(plan: Run, *, resume: bool) -> tuple[Run, bool]:
    """Return the training to run, and whether the folder was begun with it; write nothing.

    Without a finished epoch there is nothing to lose, and other options take the place of those
    that the folder was begun with. Raises OutputError where it holds something else.
    """
    folder, store = plan.folder, plan.store
    if not (folder / RUN).is_file():
        others = (path.name for path in folder.iterdir() if not is_leftover(path.name))
        if any(name != _LOCK for name in others):
            raise OutputError(f"{folder} is not empty and no run: give another RUN")
        return plan, False
    if not resume:
        return plan, False
    if not store.finished:
        results = store.weights("best"), store.weights("last"), folder / HISTORY
        if kept := [path.name for path in results if path.is_file()]:
            raise OutputError(
                f"{folder} holds {kept[0]} and no checkpoint to go on from: "
                "give another RUN, or --no-resume to begin anew"
            )
        return plan, False
    begun = Run.read(folder)
    plan = replace(plan, earlier=begun.earlier)
    if begun == plan:
        return plan, True
    more = plan.recipe.epochs > begun.recipe.epochs
    if more and begun == replace(plan, options=plan.options | {"epochs": begun.recipe.epochs}):
        if store.finished >= begun.recipe.epochs:
            return replace(plan, earlier=(*begun.earlier, begun.recipe.epochs)), True
        raise OutputError(
            f"{folder} was begun with {_difference(begun, plan)} and is not finished: finish it "
            "with the number that it was begun with, then more --epochs prolong it"
        )
    raise OutputError(
        f"{folder} was begun with {_difference(begun, plan)}: "
        "give another RUN, or --no-resume to begin anew"
    )


def _difference(begun: Run, wanted: Run) -> str:
    """Name up to three of the things that differ, such as "epochs 30 (now 60)"."""
    if begun.dataset != wanted.dataset:
        return f"another dataset, {begun.dataset.get('name')} (now {wanted.dataset['name']})"
    old, new = ({**r.options, "seed": r.seed, **r.versions} for r in (begun, wanted))
    told = [
        f"{name} {_named(old.get(name))} (now {_named(new[name])})"
        for name in new
        if old.get(name) != new[name]
    ]
    return ", ".join(told[:3]) or "another dataset"


def _named(value: object) -> object:
    return "none" if value == "" else value


def _finished(plan: Run) -> bool:
    """Return whether the last epoch's checkpoint is there, and all that follows from it."""
    return plan.store.finished >= plan.recipe.epochs and plan.store.is_current()


def _fit(feed: Feed, plan: Run, *, begun: bool, quiet: bool) -> None:
    import keras

    from fertools.training.backend import Device
    from fertools.training.callbacks import callbacks
    from fertools.training.model import build, compile_learner, find

    own = find(feed.recipe.model)
    keras.utils.set_random_seed(plan.seed)
    device = Device.find(feed.recipe)
    if not quiet:
        print(device.text(), file=sys.stderr, flush=True)
    with device.scope():
        network = build(feed.recipe, plan.image.size, len(plan.classes), own)
        steps = feed.steps * feed.recipe.epochs
        learner = compile_learner(network, feed.recipe, steps, jit=device.jit)
    plan.store.sweep()
    if not begun:
        plan.store.clear()
    plan.write()  # only now: a network that cannot be built leaves nothing behind
    _restore(plan, learner)
    if (finished := plan.store.finished) >= feed.recipe.epochs:
        return
    learner.fit(
        feed.training(finished),
        validation_data=feed.validating(),
        initial_epoch=finished,
        epochs=feed.recipe.epochs,
        steps_per_epoch=feed.steps,
        callbacks=callbacks(plan, feed.steps, feed.batch, quiet=quiet),
        verbose=0,
        shuffle=False,  # the feed has its order; True would warn of that
    )


def _restore(plan: Run, learner: Learner) -> None:
    """Load the newest checkpoint, after files that should follow from checkpoints are made."""
    store = plan.store

    def read(epoch: int) -> None:
        path, cure = store.checkpoint(epoch), store.cure(epoch)
        load(learner, read_weights(path, cure), path, cure)

    def network(epoch: int) -> bytes:
        read(epoch)
        return save(learner.network)

    if store.finished:
        if not store.is_current():
            store.complete(network)
        read(store.finished)


@contextmanager
def _in_words(feed: Feed, folder: Path) -> Iterator[None]:
    """Turn what a backend or the system raises over memory, disk and shards into one line."""
    import tensorflow as tf

    try:
        yield
    except FertoolsError:
        raise
    except OSError as fault:
        raise cannot_write(folder, fault) from fault
    except (tf.errors.OpError, MemoryError, RuntimeError) as fault:  # the last is JAX's, PyTorch's
        text = str(fault)
        if (full := os.strerror(errno.ENOSPC)) in text:  # what TensorBoard's log meets
            raise cannot_write(folder, OSError(errno.ENOSPC, full)) from fault
        if isinstance(fault, tf.errors.ResourceExhaustedError | MemoryError) or (
            "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
        ):
            raise OptionError(
                f"memory does not suffice for --batch {feed.batch}: "
                f"try --batch {max(1, feed.batch // 2)}"
            ) from fault
        for source in (feed.train, feed.validation):
            if isinstance(fault, tf.errors.OpError) and source and (damage := source.damage()):
                raise damage from fault
        raise

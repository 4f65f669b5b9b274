"""Training, a line for each stage."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fertools.training.history as story
from fertools.errors import FertoolsError, OptionError, OutputError
from fertools.faces import FaceRecipe
from fertools.shards import MANIFEST
from fertools.training.backend import backend
from fertools.training.feed import Feed
from fertools.training.quiet import import_tensorflow
from fertools.training.recipe import TrainRecipe
from fertools.training.run import RUN, Run
from fertools.training.source import Source


def train(
    out: Path | str,
    run: Path | str,
    *,
    seed: int = 0,
    resume: bool = True,
    cache: bool = False,
    allow_leak: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Run:
    """Train a network from the dataset in `out` and keep all that came of it in `run`.

    seed        of order, augmentation and first weights: same seed, same losses on a CPU
    resume      go on with what `run` was begun with; False begins anew
    cache       keep decoded images in memory
    allow_leak  take a dataset whose splits share people, for experiments
    quiet       show no progress
    options     the fields of recipe.TrainRecipe: epochs=30, depth=14, …

    What was interrupted goes on by the same call at the last finished epoch; what is complete is
    not done again. Raises OptionError, DatasetError or OutputError, each one line that says what
    to do: also for a loss that is no number, and where memory does not suffice.
    """
    recipe = TrainRecipe.of(options)
    feed = _feed(Path(out), recipe, seed, cache=cache, allow_leak=allow_leak)
    plan = _begin(_plan(feed, Path(run)), resume=resume)
    if not _finished(plan):
        import_tensorflow()
        with _in_words(feed):
            _fit(feed, plan, quiet=quiet)
    _draw(plan, quiet=quiet)
    return plan


def _feed(out: Path, recipe: TrainRecipe, seed: int, *, cache: bool, allow_leak: bool) -> Feed:
    source = Source.open(out, "train", allow_leak=allow_leak)
    has_validation = bool(replace(source, split="validation").shards)
    validation = Source.open(out, "validation", allow_leak=allow_leak) if has_validation else None
    return Feed(source, validation, recipe, seed, cache)


def _plan(feed: Feed, folder: Path) -> Run:
    """Say what the training will depend on."""
    manifest = feed.train.manifest
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    return Run(
        folder=folder,
        classes=manifest.classes,
        image=manifest.image,
        options=feed.recipe.flat(),
        faces={
            field.name: manifest.options[field.name]
            for field in fields(FaceRecipe)
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


def _begin(plan: Run, *, resume: bool) -> Run:
    """Write run.json, or find that the folder was begun with the same one."""
    folder = plan.folder
    if (folder / RUN).is_file() and resume:
        if (begun := Run.read(folder)) != plan:
            raise OutputError(
                f"{folder} was begun with {_difference(begun, plan)}: "
                "give another RUN, or --no-resume to begin anew"
            )
        return plan
    if folder.is_dir() and not (folder / RUN).is_file() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty and no run: give another RUN")
    for name in ("checkpoint", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("best.weights.h5", "last.weights.h5", story.HISTORY, story.CURVES):
        (folder / name).unlink(missing_ok=True)
    plan.write()
    return plan


def _difference(begun: Run, wanted: Run) -> str:
    """Name up to three of the things that differ, such as "epochs 30 (now 60)"."""
    if begun.dataset != wanted.dataset:
        return f"another dataset, {begun.dataset.get('name')} (now {wanted.dataset['name']})"
    old, new = ({**r.options, "seed": r.seed, **r.versions} for r in (begun, wanted))
    told = [
        f"{name} {old.get(name)} (now {new[name]})" for name in new if old.get(name) != new[name]
    ]
    return ", ".join(told[:3]) or "another dataset"


def _finished(plan: Run) -> bool:
    return len(story.read_history(plan.folder)) >= plan.recipe.epochs and not any(
        not plan.weights(which).is_file() for which in ("best", "last")
    )


def _fit(feed: Feed, plan: Run, *, quiet: bool) -> None:
    import keras

    from fertools.training.device import Device
    from fertools.training.learner import compile_learner
    from fertools.training.network import build, find
    from fertools.training.watch import Checkpoint, callbacks

    keras.utils.set_random_seed(plan.seed)
    device = Device.find(feed.recipe)
    if not quiet:
        print(device.text(), file=sys.stderr, flush=True)
    checkpoint = Checkpoint(plan.folder / "checkpoint")
    with device.scope():
        network = build(feed.recipe, plan.image.size, len(plan.classes), find(feed.recipe.model))
        steps = feed.steps * feed.recipe.epochs
        learner = compile_learner(network, feed.recipe, steps, jit=device.jit)
    learner.fit(
        feed.training(checkpoint.epoch),
        validation_data=feed.validating(),
        initial_epoch=checkpoint.epoch,
        epochs=feed.recipe.epochs,
        steps_per_epoch=feed.steps,
        callbacks=callbacks(plan, checkpoint, feed.steps, feed.batch, quiet=quiet),
        verbose=0,
        shuffle=False,  # the feed has its order; True would warn of that
    )


@contextmanager
def _in_words(feed: Feed) -> Iterator[None]:
    """Turn what a backend raises over memory, and damaged shards, into one line that helps."""
    import tensorflow as tf

    try:
        yield
    except FertoolsError:
        raise
    except (tf.errors.OpError, MemoryError, RuntimeError) as fault:  # the last is JAX's, PyTorch's
        text = str(fault)
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


def _draw(plan: Run, *, quiet: bool) -> None:
    if not story.draw_curves(plan.folder, story.read_history(plan.folder)) and not quiet:
        print("no curves.png: pip install matplotlib", file=sys.stderr)

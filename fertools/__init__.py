"""Turns AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    build_dataset(src, out, …)    the main job: an archive in, a dataset out
    build_parts(src, out, parts)  a share of that, for one of several machines
    stats(path)                   who and what is in an archive or a dataset
    verify(out, source)           whether a dataset is still what was built
    clean(out)                    remove finished faces that no option needs any more
    make_sample(out, …)           draw an archive of people who do not exist
    read_examples(out, split)     a dataset's examples, one by one, without TensorFlow
    load(out, split, …)           a split as a tf.data.Dataset
    train(out, run, …)            a network, trained from the shards
    evaluate(run, out)            the truth about a trained run, on people that it has not seen
    predict(run, *photos)         what a run takes faces in photos for
    export(run, to="onnx")        a run's network for others to run

The functions are loaded when they are first used, so that importing fertools costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fertools.environment import environment_kept

if TYPE_CHECKING:
    from fertools.pipeline import build_dataset, build_parts, clean, stats, verify
    from fertools.sample import make_sample
    from fertools.shards import read_examples
    from fertools.training import evaluate, export, load, predict, train

__version__ = "0.1.0"

__all__ = [
    "build_dataset",
    "build_parts",
    "clean",
    "evaluate",
    "export",
    "load",
    "make_sample",
    "predict",
    "read_examples",
    "stats",
    "train",
    "verify",
]

_ROOMS: Final = {
    "build_dataset": "fertools.pipeline",
    "build_parts": "fertools.pipeline",
    "clean": "fertools.pipeline",
    "stats": "fertools.pipeline",
    "verify": "fertools.pipeline",
    "make_sample": "fertools.sample",
    "read_examples": "fertools.shards",
    "load": "fertools.training",
    "train": "fertools.training",
    "evaluate": "fertools.training",
    "predict": "fertools.training",
    "export": "fertools.training",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        with environment_kept():
            return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module 'fertools' has no attribute {name!r}")

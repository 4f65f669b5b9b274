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
    from fertools.dataset.shards import read_examples
    from fertools.inference.evaluate import evaluate
    from fertools.inference.export import export
    from fertools.inference.predict import predict
    from fertools.inspection.stats import stats
    from fertools.inspection.verify import verify
    from fertools.pipeline.build import build_dataset, build_parts
    from fertools.pipeline.build_dir import clean
    from fertools.sample.archive import make_sample
    from fertools.training.data import load
    from fertools.training.fit import train

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

_MODULES: Final = {
    "build_dataset": "fertools.pipeline.build",
    "build_parts": "fertools.pipeline.build",
    "clean": "fertools.pipeline.build_dir",
    "stats": "fertools.inspection.stats",
    "verify": "fertools.inspection.verify",
    "make_sample": "fertools.sample.archive",
    "read_examples": "fertools.dataset.shards",
    "load": "fertools.training.data",
    "train": "fertools.training.fit",
    "evaluate": "fertools.inference.evaluate",
    "predict": "fertools.inference.predict",
    "export": "fertools.inference.export",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        with environment_kept():
            return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'fertools' has no attribute {name!r}")

"""Turn AI-Hub's Korean emotion photos into TFRecords of face crops, and train from them.

    build_dataset(src, out, …)    build a dataset from an archive: the main function
    build_partial(src, out, …)    process what is there of an archive, which may then be deleted
    build_parts(src, out, parts)  process a part range of a build, on one of several machines
    presets()                     list the data sets whose layouts are known
    preview(src, file, …)         draw a few photos with their faces and crops into a PNG
    stats(path, …)                count photos and people in an archive or a dataset
    report(out, file)             write a dataset as one HTML page
    verify(out, source)           check that a dataset is still what was built
    measure_labels(out)           measure from the votes how far labels can be trusted
    clean(out)                    remove finished faces that the dataset's options do not need
    make_sample(out, …)           draw an archive of invented people
    read_examples(out, split)     iterate over a dataset's examples without TensorFlow
    open_dataset(out, split)      read any example by its number: for PyTorch, Grain and others
    load(out, split, …)           open a split as a tf.data.Dataset
    export_dataset(out, dest, …)  write a dataset in the format of other tools
    suspects(out, …)              list the labels that are likely wrong
    train(out, run, …)            train a network from the shards
    evaluate(run, out)            measure a trained run on people who are not in its training data
    predict(run, *photos)         predict the expression of faces in photos
    export(run, to="onnx")        convert a run's network to ONNX, SavedModel or LiteRT

Options are keywords: their types and choices are in fertools.keywords, their meanings in
fertools.options and docs/cli.md. A function is imported when it is first used, so that
`import fertools` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from fertools.environment import restore_environment

if TYPE_CHECKING:
    from fertools.dataset.random_access import open_dataset
    from fertools.dataset.shards import read_examples
    from fertools.exports.export import export_dataset
    from fertools.inference.evaluate import evaluate
    from fertools.inference.export import export
    from fertools.inference.predict import predict
    from fertools.inference.suspects import suspects
    from fertools.inspection.label_quality.measure import measure_labels
    from fertools.inspection.preview import preview
    from fertools.inspection.stats import stats
    from fertools.inspection.verify import verify
    from fertools.layouts.listing import presets
    from fertools.pipeline.build import build_dataset, build_parts
    from fertools.pipeline.build_dir import clean
    from fertools.pipeline.instalments.partial import build_partial
    from fertools.reporting.page import report
    from fertools.sample.archive import make_sample
    from fertools.training.data import load
    from fertools.training.fit import train

__version__ = "1.0.0"

__all__ = [
    "build_dataset",
    "build_partial",
    "build_parts",
    "clean",
    "evaluate",
    "export",
    "export_dataset",
    "load",
    "make_sample",
    "measure_labels",
    "open_dataset",
    "predict",
    "presets",
    "preview",
    "read_examples",
    "report",
    "stats",
    "suspects",
    "train",
    "verify",
]

_MODULE_OF: Final = {
    "build_dataset": "fertools.pipeline.build",
    "build_partial": "fertools.pipeline.instalments.partial",
    "build_parts": "fertools.pipeline.build",
    "clean": "fertools.pipeline.build_dir",
    "presets": "fertools.layouts.listing",
    "measure_labels": "fertools.inspection.label_quality.measure",
    "preview": "fertools.inspection.preview",
    "stats": "fertools.inspection.stats",
    "verify": "fertools.inspection.verify",
    "report": "fertools.reporting.page",
    "make_sample": "fertools.sample.archive",
    "open_dataset": "fertools.dataset.random_access",
    "read_examples": "fertools.dataset.shards",
    "load": "fertools.training.data",
    "export_dataset": "fertools.exports.export",
    "suspects": "fertools.inference.suspects",
    "train": "fertools.training.fit",
    "evaluate": "fertools.inference.evaluate",
    "predict": "fertools.inference.predict",
    "export": "fertools.inference.export",
}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        with restore_environment():
            return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'fertools' has no attribute {name!r}")

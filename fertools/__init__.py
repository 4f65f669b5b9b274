"""Turns AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    build_dataset(src, out, …)    the main job: an archive in, a dataset out
    stats(path)                   who and what is in an archive or a dataset
    make_sample(out, …)           draw an archive of people who do not exist
    read_examples(out, split)     a dataset's examples, one by one, without TensorFlow

The functions are loaded when they are first used, so that importing fertools costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fertools.build import build_dataset, stats
    from fertools.sample import make_sample
    from fertools.shards import read_examples

__version__ = "0.1.0"

__all__ = ["build_dataset", "make_sample", "read_examples", "stats"]

_ROOMS: Final = {
    "build_dataset": "fertools.build",
    "stats": "fertools.build",
    "make_sample": "fertools.sample",
    "read_examples": "fertools.shards",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module 'fertools' has no attribute {name!r}")

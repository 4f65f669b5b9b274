"""TensorFlow's import without its notes about CPUs and missing drivers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fertools.training.backend import backend


def import_tensorflow() -> None:
    """Import TensorFlow, where it is not yet, with nothing on standard error but a failure.

    TF_CPP_MIN_LOG_LEVEL silences what it says later; what it says on import (2.21: "I0000 … Could
    not find cuda drivers") comes before its log is set up and obeys nothing, so that the
    descriptor itself is turned away for as long as the import takes. Raises OptionError or
    DependencyError where Keras is asked for a backend that cannot be had.
    """
    learns = backend()
    if "tensorflow" not in sys.modules:
        _import_both()
    if learns != "tensorflow":
        import tensorflow as tf

        # It only reads then, and would ask for nearly all of the GPU's memory all the same.
        with suppress(RuntimeError):  # it has been used: too late
            tf.config.set_visible_devices([], "GPU")


def _import_both() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with no_stderr():
        import keras  # noqa: F401  it imports its backend, which says the same
        import tensorflow as tf

        tf.config.list_physical_devices()  # where there is no GPU, it says so as an error


@contextmanager
def no_stderr() -> Iterator[None]:
    """Discard what native code writes to standard error, whatever its log level says."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

"""Weights as bytes in HDF5: files of them are then written as all others, whole or absent.

HDF5 itself must not meet a disk that refuses. With a limit on the file's size, h5py 3.14 reported
every later step as an exception that nobody can catch, and the process ended by a segmentation
fault. So Keras saves into memory, and loads from bytes whose SHA-256 is then known to be that of
what was loaded.

Keras' store of weights takes an `io.BytesIO`, but `save_weights` and `load_weights` look at the
ending of the name first, and have no argument for it. So the buffer here has a name: the one place
that relies on more than Keras documents (3.15; a test saves and loads by it).
"""

from __future__ import annotations

import io
import warnings
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from fertools.errors import DatasetError

if TYPE_CHECKING:
    import keras


class _Named(io.BytesIO):
    """Memory with the name that Keras asks for."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, 64 hex digits."""
    return sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, "" where it cannot be read."""
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def read_weights(path: Path, cure: str) -> bytes:
    """Read a file of weights; raise DatasetError with `cure` where that fails."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing: {cure}") from None
    except OSError as fault:
        raise DatasetError(f"{path} cannot be read: {fault.strerror or fault}: {cure}") from fault


def save(model: keras.Model) -> bytes:
    """Return a model's weights, with its optimizer's where it has one."""
    buffer = _Named()
    model.save_weights(buffer)
    return buffer.getvalue()


def load(model: keras.Model, data: bytes, path: Path, cure: str) -> None:
    """Load weights as arrays only; raise DatasetError where they do not fit the model.

    `path` is where they were read from, and `cure` what to do about it, for the message.
    """
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not have, and leaves them untrained.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(_Named(data))
    # What h5py and Keras raise over bytes that are damaged; RuntimeError is HDF5's own.
    except (
        OSError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        UserWarning,
    ) as fault:
        line = str(fault).strip().partition("\n")[0]
        raise DatasetError(
            f"{path} does not fit the network that run.json describes: {line}: {cure}"
        ) from fault

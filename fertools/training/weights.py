"""A model's weights as the bytes of a file in HDF5: `save`, `load`, and `Saver` for each epoch.

Weights are written as all other files, whole or absent, so Keras saves into memory: HDF5 itself
must not meet a disk that refuses. With a limit on the file's size, h5py 3.14 reported every later
step as an exception that cannot be caught, and the process ended by a segmentation fault. And Keras
loads from bytes, whose SHA-256 is then known to be that of what was loaded.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from fertools.errors import DatasetError


class _NamedBuffer(io.BytesIO):
    """Memory with the name that Keras asks for.

    Keras' store of weights takes an `io.BytesIO`, but `save_weights` and `load_weights` look at the
    ending of the name first, and have no argument for it. This is the one place that relies on
    more than Keras documents (3.15; a test saves and loads by it).
    """

    def __str__(self) -> str:
        return "memory.weights.h5"


def save(model: keras.Model) -> bytes:
    """Return a model's weights as HDF5, with its optimizer's where it has one."""
    buffer = _NamedBuffer()
    model.save_weights(buffer)
    return buffer.getvalue()


def load(model: keras.Model, data: bytes, path: Path, cure: str) -> None:
    """Load weights as arrays only; raise DatasetError where they do not fit the model.

    `path` is where they were read from, and `cure` what to do about it, for the message.
    """
    # What h5py and Keras raise over bytes that are damaged; RuntimeError is HDF5's own.
    damaged = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, UserWarning)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file does not have, and leaves them untrained.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(_NamedBuffer(data))
    except damaged as fault:
        line = str(fault).strip().partition("\n")[0]
        raise DatasetError(
            f"{path} does not fit the network that run.json describes: {line}: {cure}"
        ) from fault


class Saver:
    """Saves one model again and again: the bytes of `save` in a tenth of its time.

    Keras looks through all attributes of all layers at each save: 0.17 s of a CPU for 17
    convolutions with AdamW, a third of what an epoch of 269 crops of 64 pixels takes. But only
    numbers change, and HDF5 keeps each array in one piece. So Keras saves once with every variable
    filled with its own number, which shows where it lies in the file. A model whose layers keep
    something else than variables is saved by Keras each time.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        optimizer = getattr(model, "optimizer", None)  # only a compiled model has one
        variables = [*model.variables, *(optimizer.variables if optimizer else ())]
        values = [_array(variable) for variable in variables]
        for number, (variable, value) in enumerate(zip(variables, values, strict=True)):
            variable.assign(np.full_like(value, number))
        file = save(model)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._file, self._places = bytearray(file), _places(file, variables)

    def save(self) -> bytes:
        """Return what `save` returns for the model as it is now."""
        if self._places is None:
            return save(self._model)
        for start, variable in self._places:
            data = _array(variable).tobytes()
            self._file[start : start + len(data)] = data
        return bytes(self._file)


def _places(file: bytes, variables: Sequence[Any]) -> list[tuple[int, Any]] | None:
    """Return each variable with the byte at which it begins in a file of numbered arrays.

    None where the file holds an array that is no variable's.
    """
    places = []
    for start, array in _arrays(file):
        number = int(array.flat[0]) if array.size and array.dtype.kind in "iuf" else -1
        if start is None or not 0 <= number < len(variables) or (array != number).any():
            return None
        wanted = _array(variables[number])
        if (wanted.shape, wanted.dtype) != (array.shape, array.dtype):
            return None
        places.append((start, variables[number]))
    return places


def _arrays(file: bytes) -> list[tuple[int | None, NDArray[Any]]]:
    """Return the arrays in a file of HDF5, each with the byte at which it begins, if it is one."""
    found: list[tuple[int | None, NDArray[Any]]] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((item.id.get_offset(), np.asarray(item)))

    with h5py.File(io.BytesIO(file), "r") as opened:
        opened.visititems(visit)
    return found


def _array(variable: Any) -> NDArray[Any]:
    return np.asarray(ops.convert_to_numpy(variable))

"""Which of Keras's backends learns: TensorFlow, JAX or PyTorch."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fertools.errors import DependencyError, OptionError

#: The ones that can train, by Keras's name, which is also that of the package.
BACKENDS: Final = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def backend() -> str:
    """Return the name of the backend that Keras takes, without importing Keras.

    As Keras does, it looks at KERAS_BACKEND, then into keras.json. Raises OptionError for one that
    cannot train, DependencyError for one that is not installed.
    """
    name = os.environ.get("KERAS_BACKEND") or _configured()
    if name not in BACKENDS:
        raise OptionError(f"KERAS_BACKEND is {name}: choose one of {', '.join(BACKENDS)}")
    if find_spec(name) is None:
        raise DependencyError(
            f"KERAS_BACKEND is {name}, which is not installed: pip install {name}"
        )
    return name


def _configured() -> str:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        return str(json.loads((Path(home) / "keras.json").read_text("utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"

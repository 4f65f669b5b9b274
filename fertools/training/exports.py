"""A run's network for others to run: ONNX, SavedModel or LiteRT, checked against Keras.

RUN/export-onnx/
  model.onnx           or model/ (SavedModel), model.tflite
  preprocessing.json   what goes in, what comes out, and how a photo becomes an input
  MODEL_CARD.md        what it is for and what it must not be used for
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.errors import DependencyError, OptionError, OutputError
from fertools.shards import write_whole
from fertools.training.backend import BACKENDS, backend
from fertools.training.card import model_card
from fertools.training.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fertools.training.network import Build

Images = NDArray[np.float32]

#: By how much a probability may differ from Keras': float32 sums in another order, no more.
TOLERANCE: Final = 1e-5

_PROBES: Final = 16


@dataclass(frozen=True, slots=True)
class Format:
    """One way out: Keras' name for it, the file, and what runs that file."""

    keras: str
    file: str
    answer: Callable[[Path, Images], Images]


@dataclass(frozen=True, slots=True)
class Export:
    """Where an exported network lies, and how far its probabilities are from Keras' at most."""

    folder: Path
    file: Path
    difference: float

    def text(self) -> str:
        """Say it for a person."""
        return (
            f"{self.file}\n"
            f"agrees with Keras: probabilities of {_PROBES} images differ by "
            f"{self.difference:.1e} at most\n"
            f"preprocessing.json and MODEL_CARD.md are beside it"
        )


def export(
    run: Path | str, *, to: str = "onnx", weights: str = "best", build: Build | None = None
) -> Export:
    """Write a run's network, in float32, into RUN/export-TO.

    to        "onnx", "savedmodel" or "litert"
    weights   "best" or "last"
    build     the function that makes the network, if it was one of your own (--model)

    It takes gray values 0 to 255, float32 (N, size, size, 1), and gives probabilities, float32
    (N, classes): scaling is inside. It is kept only if its answers are Keras' to within 1e-5.
    Raises OptionError for another `to`, and on another backend than TensorFlow, which not
    every way out knows (a run's weights are any backend's to load); DependencyError where a
    converter is missing, OutputError where it cannot be kept, DatasetError for a damaged run.
    """
    form = FORMATS.get(to)
    if form is None:
        raise OptionError(f"--to {to}: choose one of {', '.join(FORMATS)}")
    if (name := backend()) != "tensorflow":
        raise OptionError(
            f"Keras runs on {BACKENDS[name]}: say KERAS_BACKEND=tensorflow fertools export …, "
            "which exports what was trained on any"
        )
    trained = Run.read(Path(run))
    model = trained.model(weights, build=build)
    folder = trained.folder / f"export-{to}"
    with tempfile.TemporaryDirectory(dir=trained.folder, prefix=".export-") as made:
        file = Path(made) / form.file
        with _quiet():
            # Keras answers first: a network that was never called cannot be exported.
            probes = _probes(trained.image.size, trained.seed)
            meant = np.asarray(model.predict_on_batch(probes), np.float32)
            _convert(model, file, form)
            difference = _difference(form.answer(file, probes), meant, to)
        about = json.dumps(_preprocessing(trained, form), ensure_ascii=False, indent=1) + "\n"
        write_whole(Path(made) / "preprocessing.json", about.encode())
        write_whole(Path(made) / "MODEL_CARD.md", model_card(trained, weights).encode())
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    return Export(folder, folder / form.file, difference)


def _convert(model: Any, file: Path, form: Format) -> None:
    try:
        model.export(str(file), format=form.keras, verbose=False)
    except ImportError as error:
        raise DependencyError(
            f"a converter is missing ({error}): pip install 'fertools[export]'"
        ) from error


def _difference(given: Images, meant: Images, to: str) -> float:
    worst = float(np.abs(given - meant).max())
    if not worst <= TOLERANCE:  # written so that NaN is refused too
        raise OutputError(
            f"the {to} export answers otherwise than Keras, by {worst:.2g} of a probability "
            f"where {TOLERANCE:g} is allowed: it was not kept"
        )
    return worst


def _probes(size: int, seed: int) -> Images:
    """Draw images of every contrast, from flat gray to full noise: float32 (N, size, size, 1)."""
    rng = np.random.default_rng(seed)
    contrast = np.linspace(0, 1, _PROBES).reshape(-1, 1, 1, 1)
    noise = rng.integers(0, 256, (_PROBES, size, size, 1))
    return (rng.integers(64, 192, (_PROBES, 1, 1, 1)) * (1 - contrast) + noise * contrast).astype(
        np.float32
    )


def _preprocessing(run: Run, form: Format) -> dict[str, Any]:
    size = run.image.size
    return {
        "file": form.file,
        "input": f"float32 (N, {size}, {size}, 1): gray, 0 to 255, not scaled",
        "output": f"float32 (N, {len(run.classes)}): probabilities, in the order of classes",
        "classes": [{"name": entry.name, "english": entry.english} for entry in run.classes],
        "photo": [
            "decode, turn upright by EXIF",
            "find the face, cut its box out, widened by margin and square",
            f"resize to {size}×{size}, bicubic (cv2.INTER_CUBIC)",
            "make gray: 0.114 B + 0.587 G + 0.299 R (cv2.COLOR_BGR2GRAY)",
        ],
        "faces": dict(sorted(run.faces.items())),
    }


def _with_onnx(file: Path, images: Images) -> Images:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(answer)


def _with_tensorflow(file: Path, images: Images) -> Images:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file))  # named, or its variables go before it is asked
    return np.asarray(loaded.serve(images))


def _with_litert(file: Path, images: Images) -> Images:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(file))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(taken["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], images)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(given["index"]))


FORMATS: Final = {
    "onnx": Format("onnx", "model.onnx", _with_onnx),
    "savedmodel": Format("tf_saved_model", "model", _with_tensorflow),
    "litert": Format("litert", "model.tflite", _with_litert),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' notes to their developers from the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

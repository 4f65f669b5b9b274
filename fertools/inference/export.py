"""A run's network for others to run: ONNX, SavedModel or LiteRT, checked against Keras.

RUN/export-onnx/
  model.onnx           or model/ (SavedModel), model.tflite
  preprocessing.json   what goes in, what comes out, and how a photo becomes an input
  MODEL_CARD.md        what it is for and what it must not be used for
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from fertools.checking import check_function, user_path
from fertools.errors import DependencyError, OptionError, OutputError
from fertools.files import cannot_write, locked, publish_folder, remove, write_whole
from fertools.inference.card import model_card
from fertools.keywords import ExportKeywords
from fertools.options import ExportFormat, ExportOptions
from fertools.training.backend import BACKENDS, backend, no_stderr
from fertools.training.checkpoints import Held
from fertools.training.run import Run

if TYPE_CHECKING:
    from fertools.training.model import Build

Images = NDArray[np.float32]

#: By how much a probability may differ from Keras': float32 sums in another order, no more.
TOLERANCE: Final = 1e-5

_PROBES: Final = 16

#: Names of folders that an export is made in begin like this.
_WORKSHOP: Final = ".export-"


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
        """Return where it lies and how far it agrees, for a person to read."""
        return (
            f"{self.file}\n"
            f"agrees with Keras: probabilities of {_PROBES} images differ by "
            f"{self.difference:.1e} at most\n"
            f"preprocessing.json and MODEL_CARD.md are beside it"
        )


def export(
    run: Path | str, *, build: Build | None = None, **options: Unpack[ExportKeywords]
) -> Export:
    """Write a run's network, in float32, into RUN/export-TO.

    build     the function that makes the network, if it was one of your own (--model)
    options   the fields of ExportOptions: to="onnx", weights="best"

    It takes gray values 0 to 255, float32 (N, size, size, 1), and returns probabilities, float32
    (N, classes): scaling is inside. It is kept only if its answers are Keras' to within 1e-5, and
    is there whole or not at all. Raises OptionError for another `to`, and on another backend than
    TensorFlow, which not every format knows (a run's weights can be loaded on any backend);
    DependencyError where a converter is missing, OutputError where it cannot be kept,
    DatasetError for a damaged run.
    """
    folder = user_path(run, "run")
    chosen = ExportOptions.of(options)
    to, weights, form = chosen.to, chosen.weights, FORMATS[chosen.to]
    check_function("build", build)
    if (name := backend()) != "tensorflow":
        raise OptionError(
            f"Keras runs on {BACKENDS[name]}: say KERAS_BACKEND=tensorflow fertools export …, "
            "which exports what was trained on any"
        )
    trained = Run.read(folder)
    model, held = trained.loaded(weights, build=build)
    # Keras answers first: a network that was never called cannot be exported.
    probes = _probes(trained.image.size, trained.seed)
    meant = np.asarray(model.predict_on_batch(probes), np.float32)
    target = folder / f"export-{to}"
    with _workshop(folder) as made:
        with _quiet():
            _convert(model, made / form.file, form)
            difference = _difference(_answer(form, made / form.file, probes), meant, to)
        about = _preprocessing(trained, form, weights, held)
        text = json.dumps(about, ensure_ascii=False, indent=1) + "\n"
        write_whole(made / "preprocessing.json", text.encode())
        write_whole(made / "MODEL_CARD.md", model_card(trained, weights, held).encode())
        publish_folder(made, target, aside=made.parent / "replaced")
    return Export(target, target / form.file, difference)


@contextmanager
def _workshop(run: Path) -> Iterator[Path]:
    """Make a folder to export into, and remove what an export that was killed left of its own."""
    with locked(run / ".lock-export", f"another export is writing {run}: wait for it"):
        try:
            remove(*run.glob(f"{_WORKSHOP}*"))
            with tempfile.TemporaryDirectory(dir=run, prefix=_WORKSHOP) as home:
                made = Path(home) / "export"
                made.mkdir()
                yield made
        except OSError as fault:
            raise cannot_write(run, fault) from fault


def _convert(model: Any, file: Path, form: Format) -> None:
    try:
        model.export(str(file), format=form.keras, verbose=False)
    except ImportError as error:
        raise _missing(error) from error
    except Exception as fault:  # TensorFlow's OpError, which only it knows
        if (full := os.strerror(errno.ENOSPC)) in str(fault):
            raise OSError(errno.ENOSPC, full) from fault
        raise


def _answer(form: Format, file: Path, probes: Images) -> Images:
    try:
        return form.answer(file, probes)
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> DependencyError:
    return DependencyError(f"a converter is missing ({error}): pip install 'fertools[export]'")


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


def _preprocessing(run: Run, form: Format, weights: str, held: Held) -> dict[str, Any]:
    size = run.image.size
    return {
        "file": form.file,
        "weights": {"which": weights, "epoch": held.epoch, "sha256": held.sha256},
        "input": f"float32 (N, {size}, {size}, 1): gray, 0 to 255, not scaled",
        "output": f"float32 (N, {len(run.classes)}): probabilities, in the order of classes",
        "classes": [{"name": entry.name, "english": entry.english} for entry in run.classes],
        "photo": _steps(run),
        "faces": dict(sorted(run.faces.items())),
    }


def _steps(run: Run) -> list[str]:
    """Return how a photo becomes an input, in the order of `faces.crop`."""
    size = run.image.size
    gray = "make gray: 0.114 B + 0.587 G + 0.299 R (cv2.COLOR_BGR2GRAY)"
    resize = f"resize to {size}×{size}, bicubic (cv2.INTER_CUBIC)"
    cut = "find the face, cut its box out, widened by margin and square"
    if run.faces.get("align"):
        resize = f"turn by the eyes and {resize}, in one warp (cv2.warpAffine)"
    if run.faces.get("exact"):
        return ["decode in full, turn upright by EXIF", cut, resize, gray]
    if run.faces.get("align"):
        return ["decode, a large JPEG at 1/2 to 1/8, turn upright by EXIF", cut, resize, gray]
    return [
        "decode, a large JPEG at 1/2 to 1/8, turn upright by EXIF",
        cut,
        f"of a photo decoded in full: {resize}, then {gray}",
        f"of a JPEG decoded smaller: {gray}, then {resize}",
    ]


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
    # TensorFlow's own copy of it is announced to be removed.
    interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(file))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(taken["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], images)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(given["index"]))


FORMATS: Final[dict[ExportFormat, Format]] = {
    "onnx": Format("onnx", "model.onnx", _with_onnx),
    "savedmodel": Format("tf_saved_model", "model", _with_tensorflow),
    "litert": Format("litert", "model.tflite", _with_litert),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard what converters and runtimes say to their developers, in Python or in native code."""
    with no_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

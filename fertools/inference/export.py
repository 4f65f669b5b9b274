"""Convert a run's network to ONNX, SavedModel or LiteRT, and check it against Keras.

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
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import NDArray

from fertools.checking import check_function, user_path
from fertools.errors import DependencyError, OptionError, OutputError
from fertools.files import locked, publish_folder, remove, run_write_error, write_whole
from fertools.inference.card import model_card
from fertools.keywords import ExportKeywords
from fertools.options import ExportFormat, ExportOptions
from fertools.training.backend import BACKENDS, backend, no_stderr
from fertools.training.checkpoints import WeightsId
from fertools.training.run import Build, Run

Images = NDArray[np.float32]

#: By how much a probability may differ from Keras': float32 sums in another order, no more.
TOLERANCE: Final = 1e-5

_PROBES: Final = 16


@dataclass(frozen=True, slots=True)
class Format:
    """One format: Keras' name for it, its file, and the function that runs that file."""

    keras: str
    file: str
    run: Callable[[Path, Images], Images]


@dataclass(frozen=True, slots=True)
class Export:
    """An exported network, and the largest difference of its probabilities from Keras'."""

    folder: Path
    file: Path
    difference: float

    def text(self) -> str:
        return (
            f"{self.file}\n"
            f"agrees with Keras: probabilities of {_PROBES} images differ by "
            f"{self.difference:.1e} at most\n"
            "preprocessing.json and MODEL_CARD.md are beside it"
        )


def export(
    run: Path | str, *, build: Build | None = None, **options: Unpack[ExportKeywords]
) -> Export:
    """Write a run's network, in float32, into RUN/export-TO.

    build     the function that makes the network, if it was one of your own (--model)
    options   the fields of ExportOptions: to="onnx", weights="best"

    It takes gray values 0 to 255, float32 (N, size, size, 1), and returns probabilities, float32
    (N, classes): scaling and the temperature are inside. It is kept only if its probabilities are
    Keras' to within 1e-5, and is whole or absent. Raises OptionError for another `to`, and on
    another backend than TensorFlow, which not every format knows (a run's weights can be loaded on
    any backend);
    DependencyError where a converter is missing, OutputError where it cannot be kept,
    DatasetError for a damaged run.
    """
    folder, chosen = user_path(run, "run"), ExportOptions.of(options)
    to, weights, form = chosen.to, chosen.weights, FORMATS[chosen.to]
    check_function("build", build)
    if (name := backend()) != "tensorflow":
        raise OptionError(
            f"Keras runs on {BACKENDS[name]}: say KERAS_BACKEND=tensorflow fertools export …, "
            "which exports what was trained on any"
        )
    trained = Run.read(folder)
    model, weights_id = trained.load_model(weights, build=build)
    # Keras predicts first: a network that was never called cannot be exported.
    probes = _probes(trained.image.size, trained.seed)
    expected = np.asarray(model.predict_on_batch(probes), np.float32)
    target = folder / f"export-{to}"
    with _temporary_folder(folder) as made:
        # Converters and runtimes print messages for their developers, in Python and natively.
        with no_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = _convert(model, form, made / form.file, probes)
        difference = float(np.abs(converted - expected).max())
        if not difference <= TOLERANCE:  # written so that NaN is refused too
            raise OutputError(
                f"the {to} export differs from Keras by {difference:.2g} of a probability where "
                f"{TOLERANCE:g} is allowed: it was not kept"
            )
        about = _preprocessing(trained, form, weights, weights_id)
        write_whole(made / "preprocessing.json", about.encode())
        write_whole(made / "MODEL_CARD.md", model_card(trained, weights, weights_id).encode())
        publish_folder(made, target, aside=made.parent / "replaced")
    return Export(target, target / form.file, difference)


@contextmanager
def _temporary_folder(run: Path) -> Iterator[Path]:
    """Make a folder to export into, after removing those of exports that were killed."""
    with locked(run / ".lock-export", f"another export is writing {run}: wait for it"):
        try:
            remove(*run.glob(".export-*"))
            with tempfile.TemporaryDirectory(dir=run, prefix=".export-") as home:
                made = Path(home) / "export"
                made.mkdir()
                yield made
        except OSError as fault:
            raise run_write_error(run, fault) from fault


def _convert(model: Any, form: Format, file: Path, probes: Images) -> Images:
    """Write the network to a file and return the file's probabilities of the probes."""
    try:
        model.export(str(file), format=form.keras, verbose=False)
        return form.run(file, probes)
    except ImportError as error:
        raise DependencyError(
            f"a converter is missing ({error}): pip install 'fertools[export]'"
        ) from error
    except Exception as fault:  # also TensorFlow's OpError, a class that is not imported here
        if (full := os.strerror(errno.ENOSPC)) in str(fault):
            raise OSError(errno.ENOSPC, full) from fault
        raise


def _probes(size: int, seed: int) -> Images:
    """Draw images of every contrast, from flat gray to full noise: float32 (N, size, size, 1)."""
    rng = np.random.default_rng(seed)
    contrast = np.linspace(0, 1, _PROBES).reshape(-1, 1, 1, 1)
    noise = rng.integers(0, 256, (_PROBES, size, size, 1))
    flat = rng.integers(64, 192, (_PROBES, 1, 1, 1))
    return np.asarray(flat * (1 - contrast) + noise * contrast, np.float32)


def _preprocessing(run: Run, form: Format, weights: str, weights_id: WeightsId) -> str:
    """Return the text of preprocessing.json."""
    size = run.image.size
    tree = {
        "file": form.file,
        "weights": {"which": weights} | asdict(weights_id),
        "input": f"float32 (N, {size}, {size}, 1): gray, 0 to 255, not scaled",
        "output": f"float32 (N, {len(run.classes)}): probabilities, in the order of classes; the "
        "temperature is inside",
        "classes": [{"name": entry.name, "english": entry.english} for entry in run.classes],
        "photo": _steps(run),
        "faces": dict(sorted(run.faces.items())),
    }
    return json.dumps(tree, ensure_ascii=False, indent=1) + "\n"


def _steps(run: Run) -> list[str]:
    """Return how a photo becomes an input, in the order of `faces.crop`."""
    size = run.image.size
    gray = "make gray: 0.114 B + 0.587 G + 0.299 R (cv2.COLOR_BGR2GRAY)"
    resize = f"resize to {size}×{size}, bicubic (cv2.INTER_CUBIC)"
    cut = "find the face, cut its box out, widened by margin and square"
    exact, align = run.faces.get("exact"), run.faces.get("align")
    decode = "decode in full" if exact else "decode, a large JPEG at 1/2 to 1/8"
    steps = [f"{decode}, turn upright by EXIF", cut]
    if align:
        resize = f"turn by the eyes and {resize}, in one warp (cv2.warpAffine)"
    if exact or align:
        return [*steps, resize, gray]
    smaller = f"of a JPEG decoded smaller: {gray}, then {resize}"
    return [*steps, f"of a photo decoded in full: {resize}, then {gray}", smaller]


def _run_onnx(file: Path, images: Images) -> Images:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: images})
    return np.asarray(outputs)


def _run_savedmodel(file: Path, images: Images) -> Images:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file))  # named, or its variables are freed before the call
    return np.asarray(loaded.serve(images))


def _run_litert(file: Path, images: Images) -> Images:
    # Not TensorFlow's own copy of it, whose removal is announced.
    interpreter = import_module("ai_edge_litert.interpreter").Interpreter(str(file))
    (inputs,), (outputs,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(inputs["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(inputs["index"], images)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(outputs["index"]))


FORMATS: Final[dict[ExportFormat, Format]] = {
    "onnx": Format("onnx", "model.onnx", _run_onnx),
    "savedmodel": Format("tf_saved_model", "model", _run_savedmodel),
    "litert": Format("litert", "model.tflite", _run_litert),
}

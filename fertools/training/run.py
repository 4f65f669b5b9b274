"""The folder of one training: its options, its dataset, and its results.

    RUN/
      run.json             the fields of `Run`, written first
      history.csv          a row an epoch
      best.weights.h5      of the epoch with the best macro-F1 on validation
      last.weights.h5      of the last epoch
      weights.json         epoch, SHA-256 and temperature of both
      curves.png           accuracy and loss, as in the talk; rewritten as the training goes on
      looks.csv            a line for each evaluation of a split
      logs/                for TensorBoard, with --tensorboard
      checkpoint/          the last and the best epoch with the optimizer: see `checkpoints`

A run holds numbers and no code: the network is built by fertools from the options in run.json,
and weights are arrays in HDF5. So a run from anywhere can be read and used, and executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fertools.checking import check
from fertools.dataset.manifest import ClassName, ImageSpec
from fertools.errors import DatasetError, OptionError, OutputError
from fertools.files import is_leftover, make_folder, write_whole
from fertools.options import Weights
from fertools.training.backend import import_tensorflow
from fertools.training.checkpoints import (
    HISTORY,
    Row,
    Store,
    WeightsId,
    best_epoch,
    read_file,
)
from fertools.training.curves import overfitting_text
from fertools.training.recipe import Recipe
from fertools.training.targets import RULES

if TYPE_CHECKING:
    import keras

Build = Callable[[int, int], "keras.Model"]
"""Makes a user's network: (size, classes) -> model from images in -1 to 1 to logits."""

RUN: Final = "run.json"
LOCK: Final = ".lock"
FORMAT: Final = 1

#: Bytes of a run.json that are read: 100,000 shards take 10 MB.
_LARGEST: Final = 32 << 20

_CURE: Final = "put a whole copy back, or train again into another folder"
_WEIGHTS_CURE: Final = (
    "the same train command makes it from the checkpoint, or give the other --weights"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A training's inputs, all of which decide about its weights.

    classes    in the order of the network's outputs
    image      what an image must be
    faces      the fields of FaceOptions that the dataset's crops were made with
    dataset    its name, its manifest's sha256, and that of every shard by file name
    seed       of order, augmentation and first weights
    versions   of what decides about numbers
    earlier    the numbers of epochs that it was finished with before it was prolonged
    """

    folder: Path
    classes: tuple[ClassName, ...]
    image: ImageSpec
    options: Recipe
    faces: dict[str, Any]
    dataset: dict[str, Any]
    seed: int
    versions: dict[str, str] = field(default_factory=dict)
    earlier: tuple[int, ...] = ()

    @classmethod
    def read(cls, folder: Path | str) -> Run:
        """Read a run back; raise DatasetError where it is missing, damaged or not ours."""
        path = Path(folder) / RUN
        try:
            if not path.is_file():
                raise DatasetError(f"{folder} is not a run: give the folder that train wrote")
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
            tree = json.loads(path.read_bytes())
            if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT}, which this fertools reads")
            return cls._of(Path(folder), tree)
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as fault:
            raise DatasetError(f"{path} is not a run that can be used: {fault}: {_CURE}") from fault

    @classmethod
    def _of(cls, folder: Path, tree: dict[str, Any]) -> Run:
        classes = tuple(ClassName(**each) for each in tree.pop("classes"))
        kinds = {"options": dict, "faces": dict, "dataset": dict, "seed": int, "versions": dict}
        for name, kind in kinds.items():
            if type(tree.get(name)) is not kind:
                raise ValueError(f"{name} is {str(tree.get(name))[:99]!r}, no {kind.__name__}")
        tree.pop("targets", None)  # words for people, which follow from the options
        earlier = tuple(check("earlier", each, int) for each in tree.pop("earlier", ()))
        image, options = ImageSpec(**tree.pop("image")), Recipe.of(tree.pop("options"))
        return cls(folder, classes, image, options, **tree, earlier=earlier)

    def write(self) -> None:
        """Write run.json, and make the folder where it is missing."""
        make_folder(self.folder)
        write_whole(self.folder / RUN, (self.to_json() + "\n").encode())

    def to_json(self) -> str:
        """Return the text of run.json: equal runs, equal text."""
        tree = asdict(self) | {"format": FORMAT, "targets": self.targets}
        del tree["folder"]
        return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False)

    def text(self) -> str:
        rows = self.store.rows()
        if not rows:
            return f"{self.folder}: no epoch is finished; the same train command continues"
        best = best_epoch(rows)
        done = f"{len(rows)} of {self.options.epochs} epochs"
        if best is None:
            return f"{done} in {self.folder}, without a validation split to choose one by"
        lines = (
            f"{done} in {self.folder}; the best on validation is epoch {best['epoch']:.0f}: "
            f"accuracy {best['val_accuracy']:.4f}, macro-F1 {best['val_f1']:.4f}",
            self._overfitting_text(rows),
            f"how good it is on people never looked at: fertools evaluate {self.folder} OUT",
        )
        return "\n".join(filter(None, lines))

    def _overfitting_text(self, rows: list[Row]) -> str:
        found = overfitting_text(rows)
        if self.options.soft_labels == "none" or not found.startswith("overfitting"):
            return found
        return (
            f"{found}; validation is measured against the labels, not against what is learned: "
            "where many labels are wrong, its loss rises without overfitting"
        )

    @property
    def targets(self) -> str:
        """What the network learned of each photo, in words."""
        return RULES[self.options.soft_labels]

    @property
    def store(self) -> Store:
        return Store(self.folder)

    def weights(self, which: str = "best") -> Path:
        """Return the path of the "best" or the "last" weights; OptionError for another word."""
        return self.store.weights(check("--weights", which, Weights))

    def model(self, weights: str = "best", *, build: Build | None = None) -> keras.Model:
        """Build the network in float32 and load weights: gray values in, probabilities out.

        The model takes float32 (N, size, size, 1) in 0 to 255 and returns float32 (N, classes);
        scaling, stretching and the temperature are part of it. `build` is the function of a run
        that was trained with --model: a run's own word is not enough to import and execute it.
        Raises DatasetError where the weights are missing or damaged, OptionError for such a run
        without `build`.
        """
        return self.load_model(weights, build=build)[0]

    def load_model(
        self, weights: str = "best", *, build: Build | None = None
    ) -> tuple[keras.Model, WeightsId]:
        """Return the model as `model` does, with what its weights are."""
        network, weights_id = self.load_network(weights, build=build)
        from fertools.training.model import with_softmax

        return with_softmax(network, weights_id.temperature), weights_id

    def load_network(
        self, weights: str = "best", *, build: Build | None = None
    ) -> tuple[keras.Model, WeightsId]:
        """Return the network of `load_model` without temperature and softmax: logits out."""
        self._check_trust(build)
        data = self._read(weights)
        network = self.build_network(build)
        return network, self._load(network, weights, data)

    def build_network(self, build: Build | None = None) -> keras.Model:
        """Return the network in float32 with fresh weights; OptionError as `model` raises it."""
        self._check_trust(build)
        import_tensorflow()
        from fertools.training import model

        return model.build(self.options, self.image.size, len(self.classes), build)

    def load_weights(self, network: keras.Model, weights: str) -> WeightsId:
        """Load weights into a network of `build_network`, and return what they are.

        Raises DatasetError where they are missing or damaged.
        """
        return self._load(network, weights, self._read(weights))

    def _check_trust(self, build: Build | None) -> None:
        if self.options.model and build is None:
            raise OptionError(
                f"{self.folder} was trained with --model {self.options.model}, code that is not "
                "fertools': trust it in Python with Run.read(…).model(build=function)"
            )

    def _read(self, weights: str) -> bytes:
        return read_file(self.weights(weights), _WEIGHTS_CURE)

    def _load(self, network: keras.Model, weights: str, data: bytes) -> WeightsId:
        from fertools.training.weights import load

        load(network, data, self.weights(weights), _WEIGHTS_CURE)
        return self.store.identify(weights, data)


def begun_recipe(folder: Path) -> Recipe | None:
    """Return what a training in `folder` that has finished epochs follows, None without one."""
    begun = (folder / RUN).is_file() and Store(folder).finished
    return Run.read(folder).options if begun else None


def choose_run(wanted: Run, *, resume: bool) -> tuple[Run, bool]:
    """Return the training to run, and whether it goes on in the folder; write nothing.

    Without a finished epoch there is nothing to lose, and other options take the place of those
    that the folder was begun with. Raises OutputError where it holds something else.
    """
    folder, store = wanted.folder, wanted.store
    if not (folder / RUN).is_file():
        if any(path.name != LOCK and not is_leftover(path.name) for path in folder.iterdir()):
            raise OutputError(f"{folder} is not empty and no run: give another RUN")
        return wanted, False
    if resume and store.finished:
        return _continued(Run.read(folder), wanted), True
    results = store.weights("best"), store.weights("last"), folder / HISTORY
    if resume and (kept := [path.name for path in results if path.is_file()]):
        raise OutputError(
            f"{folder} holds {kept[0]} and no checkpoint to continue from: "
            "give another RUN, or --no-resume to begin anew"
        )
    return wanted, False


def _continued(begun: Run, wanted: Run) -> Run:
    """Return the run that goes on: the one that was begun, or a finished one with more epochs."""
    wanted = replace(wanted, earlier=begun.earlier)
    if begun == wanted:
        return wanted
    begun_with = f"{wanted.folder} was begun with {_difference(begun, wanted)}"
    epochs = begun.options.epochs
    longer = replace(begun, options=replace(begun.options, epochs=wanted.options.epochs))
    if wanted.options.epochs < epochs or longer != wanted:
        raise OutputError(f"{begun_with}: give another RUN, or --no-resume to begin anew")
    if begun.store.finished < epochs:
        raise OutputError(
            f"{begun_with} and is not finished: finish it with the number that it was begun with, "
            "then more --epochs prolong it"
        )
    return replace(wanted, earlier=(*begun.earlier, epochs))


def _difference(begun: Run, wanted: Run) -> str:
    """Name up to three of the things that differ, such as "epochs 30 (now 60)"."""
    if begun.dataset != wanted.dataset:
        return f"another dataset, {begun.dataset.get('name')} (now {wanted.dataset['name']})"
    old, new = ({**run.options.flat(), "seed": run.seed, **run.versions} for run in (begun, wanted))
    differing = [
        f"{name} {str(old.get(name)) or 'none'} (now {str(new[name]) or 'none'})"
        for name in new
        if old.get(name) != new[name]
    ]
    return ", ".join(differing[:3]) or "another dataset"

"""The folder of one training: what was asked for, of which dataset, and what came out.

    RUN/
      run.json             this page's class, written first
      history.csv          a row an epoch
      best.weights.h5      of the epoch with the best macro-F1 on validation
      last.weights.h5      of the last epoch
      curves.png           accuracy and loss, as in the talk
      logs/                for TensorBoard, where it is installed
      checkpoint/          what a training that was interrupted goes on from

A run holds numbers and no code: the network is built by fertools from the options in run.json,
and weights are arrays in HDF5. So a run from anywhere can be read and asked, and executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fertools.errors import DatasetError, OptionError
from fertools.shards import ClassName, Images, write_whole
from fertools.training.history import best, read_history
from fertools.training.quiet import import_tensorflow
from fertools.training.recipe import TrainRecipe

if TYPE_CHECKING:
    import keras

RUN: Final = "run.json"
FORMAT: Final = 1

#: Bytes of a run.json that are read: 100,000 shards take 10 MB.
_LARGEST: Final = 32 << 20

_CURE: Final = "put a whole copy back, or train again into another folder"


@dataclass(frozen=True, slots=True)
class Run:
    """A training's inputs, all of which decide about its weights.

    classes    in the order of the network's outputs
    image      what an image must be
    options    the fields of recipe.TrainRecipe
    faces      the fields of faces.FaceRecipe that the dataset's crops were made with
    dataset    its name, its manifest's sha256, and that of every shard by file name
    seed       of order, augmentation and first weights
    versions   of what decides about numbers
    """

    folder: Path
    classes: tuple[ClassName, ...]
    image: Images
    options: dict[str, Any]
    faces: dict[str, Any]
    dataset: dict[str, Any]
    seed: int
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path | str) -> Run:
        """Read a run back; DatasetError where it is missing, damaged or none of ours."""
        path = Path(folder) / RUN
        if not path.is_file():
            raise DatasetError(f"{folder} is not a run: give the folder that train wrote")
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
            tree = json.loads(path.read_bytes())
            if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT}, which this fertools reads")
            run = cls._of(Path(folder), tree)
            run.recipe  # noqa: B018  its options are held against what there is
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as fault:
            raise DatasetError(f"{path} is not a run that can be used: {fault}: {_CURE}") from fault
        return run

    @classmethod
    def _of(cls, folder: Path, tree: dict[str, Any]) -> Run:
        classes = tuple(ClassName(**each) for each in tree.pop("classes"))
        kinds = {"options": dict, "faces": dict, "dataset": dict, "seed": int, "versions": dict}
        for name, kind in kinds.items():
            if type(tree.get(name)) is not kind:
                raise ValueError(f"{name} is {str(tree.get(name))[:99]!r}, no {kind.__name__}")
        return cls(folder, classes, Images(**tree.pop("image")), **tree)

    def write(self) -> None:
        """Write run.json; the folder is made where it is not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / RUN, (self.to_json() + "\n").encode())

    def to_json(self) -> str:
        """Give the text of run.json: equal runs, equal text."""
        tree = asdict(self) | {"format": FORMAT}
        del tree["folder"]
        return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False)

    def text(self) -> str:
        """Say what came out, and what to do with it."""
        rows = read_history(self.folder)
        if not rows:
            return f"{self.folder}: no epoch is finished; the same train command goes on"
        row = best(rows)
        done = f"{len(rows)} of {self.recipe.epochs} epochs"
        if row is None:
            return f"{done} in {self.folder}, without a validation split to choose one by"
        return (
            f"{done} in {self.folder}; the best on validation is epoch {row['epoch']:.0f}: "
            f"accuracy {row['val_accuracy']:.4f}, macro-F1 {row['val_f1']:.4f}\n"
            f"how good it is on people never looked at: fertools evaluate {self.folder} OUT"
        )

    @property
    def recipe(self) -> TrainRecipe:
        """The options, checked; raises OptionError."""
        return TrainRecipe.of(self.options)

    def weights(self, which: str = "best") -> Path:
        """Say where weights lie, "best" or "last"."""
        if which not in ("best", "last"):
            raise OptionError(f"weights {which!r}: choose best or last")
        return self.folder / f"{which}.weights.h5"

    def model(
        self, weights: str = "best", *, build: Callable[[int, int], keras.Model] | None = None
    ) -> keras.Model:
        """Build the network in float32 and load weights: gray values in, probabilities out.

        The model takes float32 (N, size, size, 1) in 0 to 255 and gives float32 (N, classes);
        scaling and stretching are part of it. `build` is the function of a run that was trained
        with --model: a run's own word is not enough to import and execute it. Raises
        DatasetError where the weights are missing or damaged, OptionError for such a run
        without `build`.
        """
        if self.recipe.model and build is None:
            raise OptionError(
                f"{self.folder} was trained with --model {self.recipe.model}, code that is not "
                "fertools': trust it in Python with Run.read(…).model(build=function)"
            )
        import_tensorflow()
        from fertools.training import network

        made = network.build(self.recipe, self.image.size, len(self.classes), build)
        network.load_weights(made, self.weights(weights))
        return network.answering(made)

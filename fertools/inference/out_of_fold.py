"""Predict the photos of train and validation out of fold, and keep finished folds.

    OUT/.fertools/folds/NAME/
      pixels.npy    the crops made small, until all folds are finished
      fold-K.npy    the probabilities of the photos of fold K

NAME is a hash of all that the probabilities depend on. A finished fold is a file: the same command
continues with the others. `fertools clean` removes the folders.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.dataset.manifest import BUILD_LOCK, FOLDS_DIR, MANIFEST, WORK_DIR, Manifest
from fertools.errors import DatasetError, OutputError
from fertools.files import locked, remove, remove_leftovers, write_whole
from fertools.inference.photos import Photos, write_pixels
from fertools.options import SuspectsOptions
from fertools.training.backend import backend, import_tensorflow
from fertools.training.recipe import Recipe


@contextmanager
def lock(out: Path) -> Iterator[None]:
    """Hold the lock of OUT, so that no build changes it; raise OutputError if one is running."""
    folder = out / WORK_DIR
    try:
        folder.mkdir(exist_ok=True)  # it may have been removed
    except OSError as fault:
        raise OutputError(f"{out} cannot be written: {fault.strerror}: make it writable") from fault
    with locked(folder / BUILD_LOCK, f"a build or another command is writing {out}: wait for it"):
        yield


def predict_out_of_fold(
    out: Path, manifest: Manifest, photos: Photos, options: SuspectsOptions
) -> NDArray[np.float32]:
    """Return each photo's probabilities, float32 (photos, classes); the caller holds the lock.

    The network of a photo has seen neither the photo nor its person.
    """
    network = Recipe(depth=options.depth, width=options.width, epochs=options.epochs)
    store = _Store.of(out, manifest, options, network)
    folds = fold_people(photos.people, options.folds)
    if missing := [fold for fold in range(options.folds) if not store.fold(fold).is_file()]:
        images = store.images(out, manifest, photos, options)
        import_tensorflow()
        from fertools.training.folds import Crops, predict_folds

        predict_folds(
            Crops(images, photos.labels, folds, len(photos.classes)),
            missing,
            network,
            seed=options.seed,
            keep=store.keep,
            quiet=options.quiet,
        )
    remove(store.pixels)
    found = np.empty((len(photos), len(photos.classes)), np.float32)
    for fold in range(options.folds):
        found[folds == fold] = store.read(fold)
    return found


def fold_people(people: Ints, folds: int) -> Ints:
    """Return each photo's fold, 0 to `folds` - 1; each person is in one fold only.

    people: a number for each person, (photos,). The folds have about equally many photos.
    """
    from sklearn.model_selection import GroupKFold

    found = np.empty(len(people), np.int64)
    for fold, (_, rows) in enumerate(GroupKFold(folds).split(people, groups=people)):
        found[rows] = fold
    return found


@dataclass(frozen=True, slots=True)
class _Store:
    """The folder of one set of folds; `size` is the side of the crops in pixels."""

    folder: Path
    size: int

    @classmethod
    def of(cls, out: Path, manifest: Manifest, options: SuspectsOptions, network: Recipe) -> _Store:
        """Return the store of a dataset and options, and create its folder."""
        size = min(options.size, manifest.image.size)
        inputs: dict[str, Any] = {
            "fertools": version("fertools"),
            "manifest": sha256((out / MANIFEST).read_bytes()).hexdigest(),
            "network": network.flat(),
            "folds": options.folds,
            "seed": options.seed,
            "size": size,
            "backend": backend(),
        }
        name = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
        store = cls(out / WORK_DIR / FOLDS_DIR / name, size)
        store.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(store.folder)
        return store

    @property
    def pixels(self) -> Path:
        return self.folder / "pixels.npy"

    def fold(self, number: int) -> Path:
        return self.folder / f"fold-{number}.npy"

    def images(
        self, out: Path, manifest: Manifest, photos: Photos, options: SuspectsOptions
    ) -> NDArray[np.uint8]:
        """Return the crops as a memory map, uint8 (photos, size, size, 1)."""
        if not self.pixels.is_file():
            write_pixels(out, manifest, photos, self.size, self.pixels, quiet=options.quiet)
        return np.asanyarray(np.load(self.pixels, mmap_mode="r", allow_pickle=False))

    def keep(self, number: int, probabilities: NDArray[np.float32]) -> None:
        file = io.BytesIO()
        np.save(file, probabilities, allow_pickle=False)
        write_whole(self.fold(number), file.getvalue())

    def read(self, number: int) -> NDArray[np.float32]:
        path = self.fold(number)
        try:
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        except (OSError, ValueError) as fault:
            raise DatasetError(
                f"{path} is damaged: remove it, and the same command makes it again"
            ) from fault

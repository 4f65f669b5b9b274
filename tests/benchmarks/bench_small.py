"""How fast small photos (350 × 350, as FER sets have them) become a dataset, and what it takes.

    python -m tests.benchmarks.bench_small               draws photos
    python -m tests.benchmarks.bench_small --build       and measures whole builds of 500 and 3,000

All times are CPU times of one core, so that it may run on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

import fertools
from fertools.options import FaceOptions, Precision
from fertools.sample.photo import encode_photo
from tests.benchmarks.bench_build import race
from tests.benchmarks.contestants import Photo, Run, ours, stages, talk
from tests.benchmarks.surroundings import name
from tests.benchmarks.variants import drawn

SIDE: Final = 350
PRECISIONS: Final[tuple[Precision, ...]] = ("f32", "int8")
BUILDS: Final = (500, 3000)  # photos


def main() -> None:
    """Run it all and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=40, help="photos to draw")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--build", action="store_true", help="measure whole builds too")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = list(small_photos(folder, asked.count))
        runs: dict[str, Run] = {"talk": talk}
        runs |= {precision: ours(FaceOptions(precision=precision)) for precision in PRECISIONS}
        for contestant, ms in race(photos, runs, asked.rounds, time.process_time).items():
            print(f"{contestant:16} {ms:8.2f} ms  {1000 / ms:6.0f} photos/s")
        print("\nint8, by stage")
        int8 = FaceOptions(precision="int8")
        for stage, ms in stages(photos, asked.rounds, time.process_time, int8).items():
            print(f"{stage:16} {ms:8.2f}")
        for precision in PRECISIONS if asked.build else ():
            ms = whole_build(photos, folder / precision, precision)
            print(
                f"\nwhole build, {precision}: {ms:.2f} ms of CPU a photo, {1000 / ms:.0f} photos/s"
            )


def small_photos(folder: Path, count: int) -> Iterator[Photo]:
    """The middle of drawn photos, as JPEG."""
    for number, image in enumerate(drawn(5, 24, count)):
        side = min(image.shape[:2])
        y, x = ((edge - side) // 2 for edge in image.shape[:2])
        square = image[y : y + side, x : x + side]
        shrunk = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        path = folder / f"{number:03}.jpg"
        path.write_bytes(encode_photo(np.asarray(shrunk, np.uint8), None))
        yield Photo(path, path.read_bytes())


def whole_build(photos: Sequence[Photo], folder: Path, precision: Precision) -> float:
    """CPU ms that each further photo costs, of all processes: start and end are left out."""
    seconds = []
    for count in BUILDS:
        source = folder / f"{count}"
        source.mkdir(parents=True)
        for number in range(count):
            copied = number % len(photos)
            (source / name(number, copied)).write_bytes(photos[copied].data)
        before = _cpu()
        out = folder / f"out {count}"
        fertools.build_dataset(source, out, precision=precision, jobs=1, quiet=True)
        seconds.append(_cpu() - before)
    return 1000 * (seconds[1] - seconds[0]) / (BUILDS[1] - BUILDS[0])


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    main()

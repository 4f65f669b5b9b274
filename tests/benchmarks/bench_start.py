"""Photos against seconds: whole runs from start to finish, of fertools and of the talk's script.

    python -m tests.benchmarks.bench_start                      10 to 1,000 photos of 12 megapixels
    python -m tests.benchmarks.bench_start 10 80 --rounds 5
    python -m tests.benchmarks.bench_start --write docs/performance.md   # and updates this page

Both run as commands, in turns, on one core: their processes may use one CPU, and fertools is given
--jobs 1. The time is from the start of the command to its end, imports included; with --busy the
CPU time of all its processes. More than a hundred photos are measured once. Sixteen drawn photos
are copied, each copy with another comment, so that no file is a duplicate. Beyond the largest
number, the line through the two largest goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from fertools.sample.photo import photograph
from fertools.sample.schedule import Shot, schedule
from tests.benchmarks.bench_build import PIXELS, machine, refresh, table
from tests.benchmarks.surroundings import name

SIZES = (10, 30, 80, 300, 1000)
FURTHER = (10_000, 100_000)
DRAWN = 16
SCRIPT = Path(__file__).with_name("talk_script.py")


class Took(NamedTuple):
    """Seconds of one run of each."""

    talk: float
    ours: float


def main() -> None:
    """Measure every size, and print a table."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(dir=asked.into) as place:
        measured = measure(Path(place), sorted(asked.sizes), asked.rounds, busy=asked.busy)
    print(text := _text(measured, busy=asked.busy))
    if asked.json:
        asked.json.write_text(json.dumps(measured, indent=1))
    if asked.write:
        refresh(asked.write, text, "photos against seconds")


def measure(folder: Path, sizes: Sequence[int], rounds: int, *, busy: bool) -> dict[int, Took]:
    """Return the medians of the seconds by number of photos; both take turns."""
    photos = [photograph(5, shot, PIXELS) for shot in _shots()]
    source, out = folder / "src", folder / "out"
    source.mkdir()
    talk = [sys.executable, str(SCRIPT), str(source)]
    ours = [sys.executable, "-m", "fertools", "build-dataset", str(source), str(out)]
    ours += ["--jobs", "1", "--quiet", "--overwrite"]
    measured = {}
    for before, size in zip((0, *sizes), sizes, strict=False):
        for number in range(before, size):
            _copy(photos[number % DRAWN], number, source / name(number, number % DRAWN))
        turns = []
        for _ in range(rounds if size < 100 else 1):
            subprocess.run(["rm", "-rf", str(out)], check=True)
            turns.append(Took(_seconds(talk, busy=busy), _seconds(ours, busy=busy)))
        measured[size] = Took(*map(median, zip(*turns, strict=True)))
    return measured


def _shots() -> Sequence[Shot]:
    shots = schedule(5, 24, 240).training
    return shots[:: len(shots) // DRAWN][:DRAWN]


def _copy(photo: bytes, number: int, path: Path) -> None:
    """Write a photo with a comment at its beginning: another file of the same picture."""
    comment = b"%08d" % number
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    path.write_bytes(photo[:2] + segment + photo[2:])


def _seconds(command: list[str], *, busy: bool) -> float:
    """Run a command on one core; return its time, or the CPU time of all its processes."""
    start = time.perf_counter()
    core = min(os.sched_getaffinity(0))
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, spent = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return spent.ru_utime + spent.ru_stime if busy else time.perf_counter() - start


def _text(measured: dict[int, Took], *, busy: bool) -> str:
    """Return the table, and how it was measured."""
    clock = "CPU seconds of all processes" if busy else "seconds"
    rows = [["photos", "talk's script", "fertools", "× talk"]]
    for size, took in (measured | _further(measured)).items():
        mark = "" if size in measured else "≈ "
        rows.append(
            [
                f"{size:,}",
                *(f"{mark}{_shown(seconds)}" for seconds in took),
                f"{took.talk / took.ours:.2f}",
            ]
        )
    return f"{machine()}; {clock}, one core.\n\n{table(rows)}"


def _further(measured: dict[int, Took]) -> dict[int, Took]:
    """Continue the line through the two largest numbers of photos."""
    if len(measured) < 2:
        return {}
    (few, less), (many, more) = list(measured.items())[-2:]
    slopes = [(b - a) / (many - few) for a, b in zip(less, more, strict=True)]
    return {
        size: Took(*(b + slope * (size - many) for b, slope in zip(more, slopes, strict=True)))
        for size in FURTHER
    }


def _shown(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < 100 else f"{seconds:,.0f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--into", type=Path, help="a folder on a disk with room: 1.7 MB a photo")
    parser.add_argument("--busy", action="store_true", help="CPU time, for a busy machine")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    return parser.parse_args()


if __name__ == "__main__":
    main()

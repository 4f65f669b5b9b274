"""Builds that are killed at random, again and again, until they are done.

    python -m tests.faults.history 100 [SEED]

kills a hundred times, the main process or one of its workers, at moments spread over the whole of
a build, and says how many of the endings were the bytes of an undisturbed build. The tests do
twenty.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fertools
from fertools.data import Face
from tests.fakes import BrightSpot, write_archive

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Slow(BrightSpot):
    """Takes ten milliseconds a photo, as the network does."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        time.sleep(0.01)
        return super().detect(image)


def build(source: Path, out: Path) -> None:
    """Build as the command does, with a detector that loads at once."""
    fertools.build_dataset(
        source, out, detector=Slow(), size=16, shard_size="3KB", jobs=2, quiet=True
    )


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    """Run `build` in a Python of its own, in a process group of its own."""
    code = f"from tests.faults.history import *; build(Path({str(source)!r}), Path({str(out)!r}))"
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True, stderr=subprocess.PIPE)


def digests(out: Path) -> dict[str, str]:
    """Give what was published."""
    files = [path for path in out.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def group(number: int) -> dict[int, str]:
    """Give the living processes of a group, and the command line of each; Linux only."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(owner) == number and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    return found


def survivors(number: int, seconds: float = 2) -> dict[int, str]:
    """Give who of a group is still alive after so many seconds."""
    until = time.monotonic() + seconds
    while (alive := group(number)) and time.monotonic() < until:
        time.sleep(0.02)
    return alive


@dataclass
class Story:
    """What came of killing: `kills` by whom, `endings` equal or not, who outlived a kill."""

    kills: Counter[str] = field(default_factory=Counter)
    endings: Counter[bool] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def tell(folder: Path, kills: int, seed: int = 0) -> Story:
    """Kill builds of one archive until there were so many kills, then let the last one end."""
    source = write_archive(folder / "src", people=12, shots=4)
    began = time.monotonic()
    assert start(source, folder / "fresh").wait() == 0
    whole, lasts = digests(folder / "fresh"), time.monotonic() - began
    story, dice, history = Story(), random.Random(seed), 0
    while story.kills.total() < kills or story.endings.total() <= history:
        out = folder / f"history {history}"
        enough = story.kills.total() >= kills
        if _once(source, out, story, None if enough else dice.uniform(0.25, 0.8) * lasts, dice):
            story.endings[digests(out) == whole] += 1
            history += 1
            if enough:
                break
    return story


def _once(source: Path, out: Path, story: Story, after: float | None, dice: random.Random) -> bool:
    """Start a build and kill it, or a worker of it, after a while; say whether it ended well."""
    process = start(source, out)
    with process:
        if after is not None:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                workers = [p for p, said in group(process.pid).items() if "LokyProcess" in said]
                victim = dice.choice(workers) if workers and dice.random() < 0.5 else process.pid
                story.kills["main" if victim == process.pid else "worker"] += 1
                os.kill(victim, signal.SIGKILL)
        code = process.wait()
        if code not in (0, -signal.SIGKILL):
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            story.faults.append(f"exit code {code}: {said[-2000:]}")
    story.survivors += survivors(process.pid).values()
    return code == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(tell(Path(home), int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0))

"""Builds that are killed at random, and then given the same command until they are done.

    python -m tests.faults.history 100 [SEED]

kills a hundred builds, each once, the main process or one of its workers (every other worker is
stopped instead, SIGSTOP), at moments spread over all stages, and says how many of the hundred
endings were the bytes of an undisturbed build, and how long anybody outlived a kill. The tests do
twenty kills in four builds.
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
from contextlib import suppress
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


#: The command itself, with a detector that loads at once and takes its time for each photo.
COMMAND = """
import fertools.cli
from tests.faults.history import Slow
build = fertools.build_dataset
fertools.build_dataset = lambda *paths, **options: build(*paths, **options | {"detector": Slow()})
print("ready\\n", end="", flush=True)  # in one write, also where output is not buffered
fertools.cli.main()
"""


def start(source: Path, out: Path) -> subprocess.Popen[bytes]:
    """Run `build` in a Python of its own, in a process group of its own."""
    code = (
        "from functools import partial; from fertools.workers import pool;"
        "pool.watchdog = partial(pool.watchdog, pause=0.1);"
        f"from tests.faults.history import *; build(Path({str(source)!r}), Path({str(out)!r}))"
    )
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


def children(parent: int) -> dict[int, str]:
    """Give the living children of a process, and the command line of each; Linux only."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            state, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(owner) == parent and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


def workers(number: int) -> list[int]:
    """Give the worker processes of a group."""
    return [process for process, said in group(number).items() if "LokyProcess" in said]


def survivors(number: int, seconds: float = 2) -> dict[int, str]:
    """Give who of a group is still alive after so many seconds."""
    until = time.monotonic() + seconds
    while (alive := group(number)) and time.monotonic() < until:
        time.sleep(0.02)
    return alive


#: What has just appeared in OUT when a build has come to a stage.
STAGES = {
    "starting": "",
    "planned": ".fertools/plan.arrow",
    "faces": ".fertools/parts/*.part",
    "more faces": ".fertools/parts/*.part",
    "dividing": ".fertools/shards/*/plan.arrow",
    "shards": ".fertools/shards/*/*.json",
    "publishing": "*.tfrecord-*",
    "ledger": "ledger.parquet",
    "checksums": "SHA256SUMS",
}


@dataclass
class Story:
    """What came of killing.

    kills     who was killed, in which stage
    endings   whether the bytes were those of an undisturbed build
    survivors who was alive two seconds after the main process had ended
    longest   the seconds that anybody lived on
    faults    builds that ended otherwise than well or by our signal
    """

    kills: Counter[str] = field(default_factory=Counter)
    endings: Counter[bool] = field(default_factory=Counter)
    survivors: list[str] = field(default_factory=list)
    longest: float = 0.0
    faults: list[str] = field(default_factory=list)

    def killed(self, who: str) -> int:
        """Count the kills of main processes or of workers."""
        return sum(n for kill, n in self.kills.items() if kill.startswith(who))


def tell(folder: Path, kills: int, each: int = 1, seed: int = 0) -> Story:
    """Kill builds of one archive, each so many times, and let them end, until there were `kills`.

    The moment is told by what lies in OUT, not by the clock: how long a stage takes depends on
    what else the machine has to do.
    """
    source = write_archive(folder / "src", people=8, shots=4)
    story, dice = Story(), random.Random(seed)
    _once(source, folder / "fresh", story)
    whole, history = digests(folder / "fresh"), 0
    while story.kills.total() < kills and not story.faults:
        out, history = folder / f"history {history}", history + 1
        for stage in dice.choices(list(STAGES), k=min(each, kills - story.kills.total())):
            _once(source, out, story, stage, dice.uniform(0, 0.1))
        _once(source, out, story)
        story.endings[digests(out) == whole] += 1
    return story


def _once(source: Path, out: Path, story: Story, stage: str = "", later: float = 0) -> None:
    """Run a build, to its end or until somebody is killed in a stage, a little later."""
    with start(source, out) as process:
        who = ""
        if stage and _reached(stage, out, process):
            time.sleep(later)
            who = _kill(process, story)
        try:
            code = process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            story.faults.append(f"it hung, {who or 'nobody'} having been killed in {stage}")
        ended = time.monotonic()
        if who.startswith("worker") or code == -signal.SIGKILL:  # or it had ended by then
            story.kills[f"{who}, {stage}"] += 1
        story.survivors += survivors(process.pid).values()
        story.longest = max(story.longest, time.monotonic() - ended)
        if code not in (0, -signal.SIGKILL):
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            story.faults.append(f"exit code {code}: {said[-2000:]}")


def _reached(stage: str, out: Path, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a stage; say whether it came: a build that goes on may have nothing to do there."""
    began = time.time_ns()
    if not (pattern := STAGES[stage]):
        return True
    while process.poll() is None:
        fresh = sum(_changed(path) >= began for path in out.glob(pattern))
        if fresh > 20 * (stage == "more faces"):
            return True
        time.sleep(0.002)
    return False


def _changed(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:  # moved on between listing and looking
        return 0


def _kill(process: subprocess.Popen[bytes], story: Story) -> str:
    """Kill or stop a worker, if there are any and it is their turn, or kill the main process."""
    found = workers(process.pid)
    turn = found and story.killed("worker") <= story.killed("main")
    stop = turn and story.killed("worker, stopped") <= story.killed("worker, killed")
    with suppress(ProcessLookupError):
        os.kill(found[0] if turn else process.pid, signal.SIGSTOP if stop else signal.SIGKILL)
        return f"worker, {'stopped' if stop else 'killed'}" if turn else "main"
    return ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(tell(Path(home), int(sys.argv[1]), seed=int(sys.argv[2]) if sys.argv[2:] else 0))

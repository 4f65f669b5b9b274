"""Trainings that are killed at random moments, and then given the same command until they end.

    python -m tests.faults.training 20 [SEED]

kills twenty trainings, each once, at moments spread over an epoch and the start, and says how many
of the twenty endings were those of an undisturbed training: the same files, the same epochs in the
history and in the weights, losses and weights equal to 1e-5. The tests do three.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fertools.training.checkpoints import read_history
from tests.faults.history import REPOSITORY
from tests.training.datasets import write_splits

EPOCHS = 5

#: What has just appeared in RUN when a training has come to a moment, where n is an epoch; it is
#: killed up to so many seconds later. An epoch takes about 0.2 seconds, half of it for writing.
MOMENTS = {
    "starting": ("", 6.0),
    "first epoch": ("run.json", 3.0),
    "epoch n": ("checkpoint/00000{n}.weights.h5", 0.3),
    "history of n written": ("checkpoint/00000{n}.csv", 0.02),
    "checkpoint of n half written": ("checkpoint/.00000{n}.weights.h5.*.tmp", 0.005),
    "checkpoint of n written": ("checkpoint/00000{n}.weights.h5", 0.05),
    "last weights half written": (".last.weights.h5.*.tmp", 0.005),
    "best weights half written": (".best.weights.h5.*.tmp", 0.005),
}


@dataclass
class Story:
    """What came of killing.

    kills    by moment; a training that had ended before it could be killed is started anew
    endings  whether the run was that of an undisturbed training
    exact    whether its weights were so to the last bit
    faults   trainings that ended otherwise than well or by our signal, and what differed
    """

    kills: Counter[str] = field(default_factory=Counter)
    endings: Counter[bool] = field(default_factory=Counter)
    exact: Counter[bool] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def tell(folder: Path, kills: int, seed: int = 0) -> Story:
    """Kill so many trainings of one dataset, and let each of them end."""
    out = write_splits(folder / "out", {"train": 40, "validation": 12})
    story, dice = Story(), random.Random(seed)
    _once(out, folder / "whole", story)
    history = 0
    while story.kills.total() < kills and not story.faults:
        run, history = folder / f"history {history}", history + 1
        moment = dice.choice(list(MOMENTS))
        pattern, longest = MOMENTS[moment]
        when = pattern.format(n=dice.randint(1, EPOCHS)), dice.uniform(0, longest)
        if _once(out, run, story, (moment, *when)):
            _once(out, run, story)
            differences = compare(run, folder / "whole")
            story.endings[not differences] += 1
            story.exact[digests(run) == digests(folder / "whole")] += 1
            story.faults += [f"killed at {moment}: {each}" for each in differences]
    return story


def _once(out: Path, run: Path, story: Story, when: tuple[str, str, float] | None = None) -> bool:
    """Run a training, to its end or until it is killed; say whether it was killed."""
    recipe = ("--depth=8", "--width=4", "--batch=8", "--augment=none", "--stretch=never")
    command = [sys.executable, "-m", "fertools", "train", str(out), str(run), *recipe]
    with subprocess.Popen(
        [*command, f"--epochs={EPOCHS}", "--quiet"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        if when and _reached(when[1], run, process):
            time.sleep(when[2])
            process.kill()
        code = process.wait(timeout=300)
        if when and code == -signal.SIGKILL:
            story.kills[when[0]] += 1
            return True
        if code:
            said = process.stderr.read().decode(errors="replace") if process.stderr else ""
            story.faults.append(f"exit code {code}: {said[-2000:]}")
    return False


def _reached(pattern: str, run: Path, process: subprocess.Popen[bytes]) -> bool:
    """Wait for a file; say whether the training still runs."""
    while pattern and process.poll() is None and not any(run.glob(pattern)):
        time.sleep(0.001)
    return process.poll() is None


def digests(run: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the best and the last weights."""
    return (run / "best.weights.h5").read_bytes(), (run / "last.weights.h5").read_bytes()


def compare(run: Path, whole: Path) -> list[str]:
    """Return what a run has otherwise than another one."""
    found: list[str] = []
    # TensorBoard's logs have the time in their names.
    names = [
        sorted(str(path.relative_to(home)) for path in home.rglob("*") if "logs" not in path.parts)
        for home in (run, whole)
    ]
    if names[0] != names[1]:
        found.append(f"files {sorted({*names[0]} ^ {*names[1]})}")
    rows, others = (read_history(home / "history.csv", "") for home in (run, whole))
    for row, other in zip(rows, others, strict=True):
        for name in row.keys() - {"images_per_second"}:
            if abs(row[name] - other[name]) > 1e-5:
                found.append(f"{name} of epoch {row['epoch']:.0f}: {row[name]}, not {other[name]}")
    for which in ("best", "last"):
        held, wanted = (json.loads((h / "weights.json").read_text())[which] for h in (run, whole))
        if held["epoch"] != wanted["epoch"]:
            found.append(f"{which} is of epoch {held['epoch']}, not {wanted['epoch']}")
        one, other = (arrays(home / f"{which}.weights.h5") for home in (run, whole))
        if one.keys() != other.keys():
            found.append(f"{which} has other arrays")
        worst = max(float(np.abs(one[name] - other[name]).max()) for name in one)
        if worst > 1e-5:
            found.append(f"{which} weights differ by {worst}")
    return found


def arrays(file: Path) -> dict[str, Any]:
    """Return all arrays of an HDF5 file by name."""
    found: dict[str, Any] = {}
    h5py = import_module("h5py")  # it has no types

    def keep(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            found[name] = np.asarray(entry[()])

    with h5py.File(file) as opened:
        opened.visititems(keep)
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print(tell(Path(home), int(sys.argv[1]), seed=int(sys.argv[2]) if sys.argv[2:] else 0))

"""Answer the talk's three questions for any archive, with a table over seeds and a plot.

    python study.py SRC WORK                                   the full network; days without a GPU
    python study.py SRC WORK --size 64 --depth 8 --width 16    minutes for drawn people

1. Does he_normal beat glorot_uniform?
2. Does a flattened head with a Dense layer of 512 beat global average pooling?
3. Why did validation look better than test: because people were on both sides of the split, or
   because images were stretched in training only?

Each arm is a run of `fertools.train` that differs from the base in one setting. Finished runs are
not repeated, so the same command resumes an interrupted study.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal

import fertools

SPLITS: Final = ("validation", "test")


@dataclass(frozen=True)
class Arm:
    """One row of the table: how the dataset is split, and the options that differ in training."""

    name: str
    split_by: Literal["subject", "image"] = "subject"
    options: dict[str, Any] = field(default_factory=dict)


# Split by image comes first, so that the dataset that is kept is the one split by person.
ARMS = (
    Arm("split by image", split_by="image"),
    Arm("base"),
    Arm("glorot_uniform", options={"init": "glorot_uniform"}),
    Arm("flatten + Dense(512)", options={"head": "flatten", "head_units": 512}),
    Arm("stretch in training only", options={"stretch": "train"}),
)


def main() -> None:
    given = arguments()
    training = {"depth": given.depth, "width": given.width, "epochs": given.epochs}
    for split_by in dict.fromkeys(arm.split_by for arm in ARMS):
        arms = [arm for arm in ARMS if arm.split_by == split_by]
        if all(measured(given.work, arm, seed) for arm in arms for seed in range(given.seeds)):
            continue
        # Only the split differs, so the second build reuses the faces of the first.
        out = given.work / "dataset"
        fertools.build_dataset(
            given.src, out, size=given.size, split_by=split_by, overwrite=True, drop=given.drop
        )
        for arm in arms:
            for seed in range(given.seeds):
                study(given.work, out, arm, seed, training)
    report(given.work, given.seeds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("src", type=Path, help="the archive")
    parser.add_argument("work", type=Path, help="where the dataset, the runs and the answers go")
    parser.add_argument("--size", type=int, default=224, help="side of a crop in pixels")
    parser.add_argument("--depth", type=int, default=50, help="layers of the network")
    parser.add_argument("--width", type=int, default=64, help="channels of its first stage")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind")
    parser.add_argument("--drop", action="append", default=[], help="leave a class out")
    return parser.parse_args()


def study(work: Path, out: Path, arm: Arm, seed: int, training: dict[str, Any]) -> None:
    """Train one run and evaluate it on validation and test."""
    if measured(work, arm, seed):
        return
    run = folder(work, arm, seed)
    print(f"{arm.name}, seed {seed}")
    fertools.train(
        out, run, seed=seed, allow_leak=arm.split_by == "image", **training | arm.options
    )
    for split in SPLITS:
        fertools.evaluate(run, out, split=split)


def folder(work: Path, arm: Arm, seed: int) -> Path:
    return work / "runs" / f"{arm.name.replace(' ', '-')}-{seed}"


def measured(work: Path, arm: Arm, seed: int) -> dict[str, Any] | None:
    """Return a run's metrics by split, or None if a split has not been evaluated."""
    files = [folder(work, arm, seed) / f"evaluation-{split}" / "metrics.json" for split in SPLITS]
    if not all(file.is_file() for file in files):
        return None
    return {
        split: json.loads(file.read_text("utf-8"))
        for split, file in zip(SPLITS, files, strict=True)
    }


def report(work: Path, seeds: int) -> None:
    """Print the table, and write it with its plot."""
    rows = []
    for arm in ARMS:
        runs = [found for seed in range(seeds) if (found := measured(work, arm, seed))]
        of = {split: [run[split]["accuracy"]["value"] for run in runs] for split in SPLITS}
        macro = [run["test"]["macro_f1"]["value"] for run in runs]
        error = [run["test"]["calibration_error"] for run in runs]
        gap = mean(of["validation"]) - mean(of["test"])
        rows.append((arm.name, of["validation"], of["test"], gap, mean(macro), mean(error)))
    lines = [
        "| | validation accuracy | test accuracy | gap | test macro-F1 | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    for name, validation, test, gap, f1, error in rows:
        cells = (name, ranged(validation), ranged(test), f"{gap:+.3f}", f"{f1:.3f}", f"{error:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join(lines)
    (work / "study.md").write_text(f"{text}\n", "utf-8")
    plot(work / "study.png", [(name, validation, test) for name, validation, test, *_ in rows])
    print(f"\n{text}\n\nalso in {work / 'study.md'} and study.png")


def ranged(values: list[float]) -> str:
    return f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def plot(path: Path, rows: list[tuple[str, list[float], list[float]]]) -> None:
    """Plot one point per run: one line per arm, validation and test side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.6 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, (_, validation, test) in enumerate(rows):
        for shift, values, colour in ((-0.12, validation, "C0"), (0.12, test, "C3")):
            axes.plot(values, [place + shift] * len(values), "o", color=colour, alpha=0.7)
    axes.plot([], [], "o", color="C0", label="validation")
    axes.plot([], [], "o", color="C3", label="test")
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set(xlabel="accuracy", xlim=(0, 1.02))
    axes.invert_yaxis()
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()

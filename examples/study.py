"""Answer the talk's three questions for any archive, with a table over seeds and a plot.

    python study.py SRC WORK                                   the full network; days without a GPU
    python study.py SRC WORK --size 64 --depth 8 --width 16    minutes for drawn people
    python study.py SRC WORK --noise …                         question 4, drawn people only

1. Does he_normal beat glorot_uniform?
2. Does a flattened head with a Dense layer of 512 beat global average pooling?
3. Why did validation look better than test: because people were on both sides of the split, or
   because images were stretched in training only?

4. What should be learned where the names are as wrong as those of 불안 (fear, worry) are?

For the fourth, photos of people drawn by `fertools make-sample SRC --as folders` get wrong names.
The annotators keep the words they were drawn with, so that the truth and their confusion are known,
and test accuracy is measured against what a photo shows.

Each arm is a run of `fertools.train` that differs from the base in one setting. Finished runs are
not repeated, so the same command resumes an interrupted study.
"""

from __future__ import annotations

import argparse
import codecs
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

import fertools
from fertools.intervals import estimate

#: What each photo of a misnamed archive shows, by its name.
TRUTH: Final = "truth.txt"

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

# What is learned of photos with wrong names.
NOISE_ARMS = (
    Arm("names"),
    Arm("majority", options={"soft_labels": "majority"}),
    Arm("votes", options={"soft_labels": "votes"}),
    Arm("posterior", options={"soft_labels": "posterior"}),
)

EMOTIONS: Final = ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")

#: How many names say what is shown. The annotators' majority then agrees with about 38 % of the
#: names, as it does with those of 불안 in the archive.
RIGHT_NAMES: Final = 0.48


def main() -> None:
    given = arguments()
    # What train would choose by the number of photos is the same for all archives.
    training: dict[str, Any] = {"init": "he_normal", "augment": "talk"}
    training |= {"batch": 64, "learning_rate": 0.001}
    training |= {"depth": given.depth, "width": given.width, "epochs": given.epochs}
    if given.noise:
        study_noise(given, training)
        return
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
    parser.add_argument("--noise", action="store_true", help="study wrong names of drawn people")
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


def study_noise(given: argparse.Namespace, training: dict[str, Any]) -> None:
    """Train on photos with wrong names, and measure against what they show."""
    archive, out = given.work / "misnamed", given.work / "dataset"
    if not (archive / TRUTH).is_file():
        misname(given.src, archive)
    fertools.build_dataset(archive, out, size=given.size, split="70/10/20", keep_names=True)
    for arm in NOISE_ARMS:
        for seed in range(given.seeds):
            study(given.work, out, arm, seed, training)
    report_noise(given.work, given.seeds)


def misname(src: Path, target: Path) -> None:
    """Copy a drawn archive, with names and uploader's words that are often wrong."""
    rng = np.random.default_rng(0)
    shutil.rmtree(target, ignore_errors=True)  # of a study that was stopped while it copied
    shutil.copytree(src, target)
    photos = {path.name: path for path in target.rglob("*.jp*g")}
    truth = {}
    for file in sorted(target.rglob("*.json")):
        records = read_records(file)
        for record in records:
            shown, name = record["faceExp_uploader"], record["filename"]
            others = [emotion for emotion in EMOTIONS if emotion != shown]
            word = shown if rng.random() < RIGHT_NAMES else str(rng.choice(others))
            renamed = name.replace(f"_{shown}_", f"_{word}_")
            photos[name].rename(photos[name].with_name(renamed))
            record |= {"faceExp_uploader": word, "filename": renamed}
            truth[renamed] = shown
        file.write_text(json.dumps(records, ensure_ascii=False), "utf-8-sig")
    (target / TRUTH).write_text(json.dumps(truth, ensure_ascii=False), "utf-8")


def read_records(file: Path) -> list[dict[str, Any]]:
    """Read a label file in one of the archive's two encodings."""
    data = file.read_bytes()
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "cp949"
    records: list[dict[str, Any]] = json.loads(data.decode(encoding))
    return records


def against_truth(work: Path, arm: Arm, seed: int) -> NDArray[np.float64]:
    """Return the photos of each test person that were recognised, and all of them: (people, 2)."""
    home = folder(work, arm, seed) / "evaluation-test"
    classes = [each["name"] for each in json.loads((home / "metrics.json").read_bytes())["classes"]]
    truth = json.loads((work / "misnamed" / TRUTH).read_text("utf-8"))
    table = pq.read_table(home / "predictions.parquet", columns=["key", "predicted"]).to_pydict()
    people: dict[str, list[int]] = {}
    for key, predicted in zip(table["key"], table["predicted"], strict=True):
        name = Path(key).name
        sums = people.setdefault(name.partition("_")[0], [0, 0])
        sums[0] += classes[predicted] == truth[name]
        sums[1] += 1
    return np.array([people[person] for person in sorted(people)], np.float64)


def report_noise(work: Path, seeds: int) -> None:
    """Print the table of wrong names, and write it."""
    base = np.sum([against_truth(work, NOISE_ARMS[0], seed) for seed in range(seeds)], axis=0)
    lines = [
        "| learned | test accuracy against the truth | by seed | better than names by |",
        "|---|---|---|---|",
    ]
    for arm in NOISE_ARMS:
        runs = [against_truth(work, arm, seed) for seed in range(seeds)]
        total = np.sum(runs, axis=0)
        by_seed = ", ".join(f"{run[:, 0].sum() / run[:, 1].sum():.3f}" for run in runs)
        gain = np.stack([total[:, 0] - base[:, 0], total[:, 1]], axis=1)
        cells = (arm.name, estimate(total, ratio, 0), by_seed, estimate(gain, ratio, 0))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    text = "\n".join(lines)
    (work / "noise.md").write_text(f"{text}\n", "utf-8")
    print(f"\n{text}\n\nintervals over people; also in {work / 'noise.md'}")


def ratio(sums: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(sums[..., 0] / sums[..., 1])


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

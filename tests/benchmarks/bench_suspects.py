"""How many swapped labels `fertools suspects` finds among the first rows of its list.

    python -m tests.benchmarks.bench_suspects WORK                 with the annotators' votes
    python -m tests.benchmarks.bench_suspects WORK --no-votes      the network alone

Draws an archive, builds it, and for each seed swaps a share of the labels of train and validation
at random: it builds again with a file of corrections that are wrong, so that the faces are reused.
WORK keeps everything; the same command measures what is missing.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq

import fertools

#: Shares of the list whose first rows are looked at.
FIRST: Final = (0.10, 0.12)


def main() -> None:
    given = arguments()
    votes = not given.no_votes
    home = given.work / ("votes" if votes else "no-votes")
    archive, out = home / "archive", home / "dataset"
    if not archive.exists():
        fertools.make_sample(archive, people=given.people, photos=given.photos, form="folders")
        if not votes:
            for file in archive.rglob("*.json"):
                file.unlink()
    print(f"{given.people} people, {given.photos} photos, {'with' if votes else 'without'} votes")
    for seed in range(given.seeds):
        fertools.build_dataset(archive, out, size=64, quiet=True, overwrite=True)
        swapped = swap(out, home / f"swapped-{seed}.csv", given.share, seed)
        fertools.build_dataset(
            archive,
            out,
            size=64,
            labels=str(home / f"swapped-{seed}.csv"),
            quiet=True,
            overwrite=True,
        )
        print(f"seed {seed}: {measure(out, swapped, given.epochs)}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--no-votes", action="store_true")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--photos", type=int, default=1120)
    parser.add_argument("--share", type=float, default=0.1, help="of the labels, to swap")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    return parser.parse_args()


def swap(out: Path, file: Path, share: float, seed: int) -> set[str]:
    """Write a file of corrections that gives photos another class at random; return their keys."""
    rows = pq.read_table(out / "ledger.parquet", columns=["key", "label", "split"]).to_pylist()
    photos = [row for row in rows if row["split"] in ("train", "validation")]
    names = sorted({row["label"] for row in photos})
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(photos), round(share * len(photos)), replace=False)
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("key", "label", "who"))
        for row in chosen:
            others = [name for name in names if name != photos[row]["label"]]
            writer.writerow((photos[row]["key"], rng.choice(others), "the benchmark"))
    return {photos[row]["key"] for row in chosen}


def measure(out: Path, swapped: set[str], epochs: int) -> str:
    (out / "suspects.csv").unlink(missing_ok=True)
    begin = time.perf_counter()
    found = fertools.suspects(out, epochs=epochs, quiet=True)
    seconds = time.perf_counter() - begin
    keys = [row.key for row in found.rows]
    judged = swapped & set(keys)
    shares = []
    for first in FIRST:
        hits = len(judged & set(keys[: round(first * len(keys))]))
        shares.append(f"{100 * hits / len(judged):.1f} % in the first {100 * first:.0f} %")
    return (
        f"of {len(judged)} swapped labels {', '.join(shares)}; estimated {found.wrong}; "
        f"{seconds:.0f} s"
    )


if __name__ == "__main__":
    main()

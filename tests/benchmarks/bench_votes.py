"""What the figures about votes are worth on drawn votes, and what `fertools labels` takes.

    python -m tests.benchmarks.bench_votes cover             100 draws of 5,000 photos
    python -m tests.benchmarks.bench_votes cover --first 100 --draws 50
    python -m tests.benchmarks.bench_votes time              a ledger of 500,000 rows

`cover` counts the draws whose 95 % intervals hold the true ceilings, which can be computed, and
measures the Dawid-Skene matrices and the calibration of the posterior.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from fertools.inspection.label_quality.measure import measure_labels
from fertools.votes.survey import Survey
from tests.inspection.voted import write_voted
from tests.votes.drawn import ARCHIVE, answers_of, calibration_error, draw

_PHOTOS = 5000
_EACH = 50  # photos of one person
_MISSING = 0.04


def cover(first: int, draws: int) -> None:
    """Print the coverage of each ceiling, and the medians of the errors of the matrices."""
    truth, inside = ARCHIVE.ceilings(_MISSING), Counter[str]()
    errors = []
    for seed in range(first, first + draws):
        drawn = draw(ARCHIVE, _PHOTOS, seed, missing=_MISSING)
        survey = Survey.of(answers_of(drawn, _EACH))
        for name, value in truth.items():
            found = survey.ceilings[name]
            inside[name] += (found.low or 0) <= value <= (found.high or 0)
        posterior = survey.model.posterior(drawn.counts, drawn.uploader)
        cells = np.abs(survey.model.annotator - ARCHIVE.annotator)
        errors.append((cells.max(), calibration_error(posterior, drawn.shown)))
    for name, value in truth.items():
        print(f"{name:20} {value:.3f}  inside the interval in {inside[name]} of {draws}")
    for what, own in zip(("largest error of a cell", "ECE"), np.array(errors).T, strict=True):
        quantiles = np.quantile(own, (0.5, 0.95))
        print(f"{what}: median {quantiles[0]:.3f}, 95th percentile {quantiles[1]:.3f}")


def measure(rows: int) -> None:
    """Print seconds and memory of `fertools labels` on a drawn ledger."""
    with tempfile.TemporaryDirectory() as folder:
        write_voted(Path(folder), draw(ARCHIVE, rows, seed=0), each=350)
        before, cpu = time.perf_counter(), time.process_time()
        measure_labels(folder)
        after, cpu_after = time.perf_counter(), time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{rows:,} rows: {after - before:.1f} s ({cpu_after - cpu:.1f} s of CPU), {peak:.2f} GB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cover", "time"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--rows", type=int, default=500_000)
    given = parser.parse_args()
    if given.what == "cover":
        cover(given.first, given.draws)
    else:
        measure(given.rows)

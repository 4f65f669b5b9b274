"""What the main process holds of an archive, measured on names alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.bench_memory import draw


def peak(code: str, *arguments: object) -> int:
    """Run code in a process of its own, and give the bytes that it has had at most."""
    # Not ru_maxrss: that begins with what the parent had when it started the process.
    told = "; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    command = [sys.executable, "-c", code + told, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return 1024 * int(done.stdout.split()[-1])


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@needs_linux
@pytest.mark.slow
def test_a_name_more_takes_a_few_hundred_bytes(tmp_path: Path) -> None:
    """Issue 10, item 11: as Python objects a member and its label took more than 1,000."""
    draw(tmp_path / "few", 50_000)
    draw(tmp_path / "many", 250_000)
    count = "import sys, fertools; fertools.stats(sys.argv[1])"
    more = peak(count, tmp_path / "many") - peak(count, tmp_path / "few")
    assert more < 500 * 200_000


@needs_linux
@pytest.mark.slow
def test_every_stage_of_the_main_process_stays_below_a_kilobyte_a_photo(tmp_path: Path) -> None:
    """Issue 10, item 11: 500,000 members take less than 1 GB, from the scan to the manifest."""
    run = (
        "import sys, pathlib; from tests.benchmarks.bench_memory import run; "
        "run(pathlib.Path(sys.argv[1]), int(sys.argv[2]))"
    )
    peaks = []
    for count in (150_000, 300_000):  # both fill a row group of the ledger
        draw(tmp_path / str(count) / "archive", count)
        peaks.append(peak(run, tmp_path / str(count), count))
    assert peaks[1] < 800e6
    assert peaks[1] - peaks[0] < 1000 * 150_000

"""What the main process of a build takes, in memory and time, by the number of photos.

    python -m tests.benchmarks.bench_memory                  100,000 500,000 1,000,000 10,000,000
    python -m tests.benchmarks.bench_memory 500000 --into FOLDER

An archive is drawn as zips of 62,500 names with nothing between their headers (sparse files), and
every stage of the main process runs on it; what the workers would say of the photos is drawn as
well, and no pixel is. Ten million names need 15 GB of disk. Each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pyarrow as pa

from fertools.archive.identity import source_fingerprint
from fertools.archive.scan import scan
from fertools.dataset.manifest import ShardFile
from fertools.hashing import rank
from fertools.options import BuildOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.labelling.catalog import Catalog
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.parts import KEPT, ROWS, PartFiles, pack_rows
from fertools.pipeline.plan import Parts, PartsPlan, cut_into_parts, part_fingerprint
from fertools.pipeline.publish import publish
from fertools.pipeline.samples import Duplicates, Samples
from fertools.pipeline.shards import StagingDir, example_batches, placements, plan_splits
from fertools.pipeline.split import assign_splits, leakage_report

SIZES = (100_000, 500_000, 1_000_000, 10_000_000)
_ZIP = 62_500
_PHOTO = 1_900_000  # bytes
_EMOTIONS = ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")
_PLACES = ("공공시설&종교&의료시설", "교통&이동수단(엘리베이터 포함)", "도심 환경")


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--into", type=Path, help="a folder on a disk with room")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run(asked.into, asked.sizes[0])
        return
    for size in asked.sizes:
        with tempfile.TemporaryDirectory(dir=asked.into) as place:
            draw(Path(place) / "archive", size)
            command = [sys.executable, "-m", __spec__.name, "--run", "--into", place, str(size)]
            print(f"\n{size:,} photos", flush=True)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    print(_shown(**json.loads(line)), flush=True)
        if process.returncode:
            raise SystemExit(process.returncode)


def _shown(stage: str, seconds: float, now: float, peak: float) -> str:
    return f"{stage:24} {seconds:8.1f} s CPU  {now:7.0f} MB now  {peak:7.0f} MB at most"


def draw(source: Path, count: int) -> None:
    """Write zips whose directories name `count` photos; the photos are holes."""
    source.mkdir(parents=True)
    people = max(600, count // 300)
    for number, first in enumerate(range(0, count, _ZIP)):
        emotion = _EMOTIONS[number % 7]
        lines, at, shown = bytearray(), 0, min(_ZIP, count - first)
        for photo in range(first, first + shown):
            name = _name(photo, (photo // 8 * 7919) % people, emotion).encode()
            size = _PHOTO + photo % 1000
            extra = pack("<2HQ", 1, 8, at) if at > 0xFFFF_FFFE else b""
            numbers = (photo * 2_654_435_761 % 2**32, size, size, len(name), len(extra))
            where = 0xFFFF_FFFF if extra else at
            lines += pack(
                "<4s6H3L5H2L", b"PK\1\2", 0x0314, 45, 0, 0, 0, 33, *numbers, 0, 0, 0, 0, where
            )
            lines += name + extra
            at += size + 30 + len(name)
        tail = pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, shown, shown, len(lines), at)
        tail += pack("<4sLQL", b"PK\6\7", 0, at + len(lines), 1)
        tail += pack("<4s4H2LH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFF_FFFF] * 2, 0)
        with (source / f"[원천]EMOIMG_{emotion}_TRAIN_{number:03}.zip").open("wb") as file:
            file.write(b"PK\3\4")
            file.seek(at)
            file.write(lines + tail)


def _name(photo: int, person: int, emotion: str) -> str:
    who = sha256(b"%d" % person).hexdigest()
    sex, age, place = "남여"[person % 2], 10 + 10 * (person % 6), photo // 8 % 3
    stamp, shot = f"2021{photo // 8 % 10**10:010}", photo % 8 + 1
    return f"{who}_{sex}_{age}_{emotion}_{_PLACES[place]}_{stamp}-00{place + 1}-{shot:03}.jpg"


class _Clock:
    """Prints what each stage took."""

    def __init__(self) -> None:
        self._start = time.process_time()

    def told(self, stage: str) -> None:
        status = Path("/proc/self/status").read_text()
        now, peak = (
            int(found[1]) / 1024
            for mark in ("VmRSS", "VmHWM")
            if (found := re.search(rf"{mark}:\s*(\d+) kB", status))
        )
        seconds = time.process_time() - self._start
        print(
            json.dumps({"stage": stage, "seconds": seconds, "now": now, "peak": peak}), flush=True
        )
        self._start = time.process_time()


def run(folder: Path, count: int) -> None:
    """Run every stage of the main process, and print a line of JSON for each."""
    clock = _Clock()
    build_dir = BuildDir(folder / "out")
    build_dir.create()
    options = BuildOptions.of({})
    clock.told("start")
    members = scan(folder / "archive").members
    clock.told("scan")
    catalog = Catalog.of(members, options.labels)
    clock.told("catalog")
    source = source_fingerprint(members)
    clock.told("fingerprint of SRC")
    parts = cut_into_parts(members, catalog.selected)
    files = [PartFiles(build_dir.parts, part_fingerprint("", part, {})) for part in parts]
    clock.told("names of parts")
    PartsPlan(build_dir.plan, parts, {}, "", files, 0).write()
    clock.told("plan.arrow")
    ledger = Ledger.of(catalog, pack_rows(_drawn(parts)))
    clock.told("rows, ledger")
    samples = Samples.of(ledger)
    clock.told("samples")
    duplicates = Duplicates.find(samples, files, ledger)
    ledger = ledger.without_hashes()
    clock.told("duplicates")
    assignment = assign_splits(samples, duplicates, catalog.classes.names, options.splits)
    clock.told("splits")
    leakage = leakage_report(samples, duplicates, assignment, catalog, options)
    clock.told("leakage")
    ledger, splits = assignment.by_row(samples, ledger)
    del samples, duplicates, assignment
    plan = plan_splits(ledger, splits, options)
    clock.told("shard plan")
    examples = example_batches(ledger, plan, files, options, b"secret")
    StagingDir.prepare(build_dir, plan, examples)
    clock.told("examples")
    shards = {
        shard.name: ShardFile(shard.name, len(shard.rows), 13_300 * len(shard.rows), "0" * 64)
        for shard in plan
    }
    publish(
        build_dir,
        replace(ledger, placements=placements(plan, splits, 0)),
        plan,
        shards,
        options=options,
        resolved_options={},
        libraries={},
        source=source,
        leakage=leakage,
        warnings=(),
        unread=0,
    )
    clock.told("ledger, CSV, manifest")
    assert len(ledger) == count


def _drawn(parts: Parts) -> Iterator[pa.Table]:
    """What workers would say of the photos: a face in each but every 50th."""
    for size, start in zip(parts.sizes.tolist(), parts.starts[:-1].tolist(), strict=True):
        numbers = np.arange(start, start + size)
        faceless = numbers % 50 == 0
        values: dict[str, Any] = {
            "outcome": np.where(faceless, "no_face", KEPT),
            "detail": [""] * size,
            **dict.fromkeys(("x0", "y0"), 100 + numbers % 900),
            **dict.fromkeys(("x1", "y1"), 1100 + numbers % 900),
            "confidence": 0.5 + numbers % 500 / 1000,
            **{
                name: np.full(size, n)
                for name, n in (("faces", 1), ("width", 3000), ("height", 4000))
            },
            "digest": [rank(0, str(n)).hex() + rank(1, str(n)).hex() for n in numbers],
            "offset": np.arange(size) * 13_000,
            "length": np.full(size, 13_000),
        }
        always = ("outcome", "detail", "digest", "width", "height")
        yield pa.table(
            [
                pa.array(values[f.name], mask=None if f.name in always else faceless).cast(f.type)
                if f.name in values
                else pa.nulls(size, f.type)
                for f in ROWS
            ],
            schema=ROWS,
        )


if __name__ == "__main__":
    main()

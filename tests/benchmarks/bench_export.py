"""How fast a dataset is exported, in each format, beside a copy of the same bytes.

    python -m tests.benchmarks.bench_export                        100,000 examples of 23 KB
    python -m tests.benchmarks.bench_export 20000 --place /data    fewer, on another disk

The examples are noise of 224 × 224 pixels whose PNG is as large as that of a face, each with a key
of its own. The dataset was just written, so it is read from the page cache if that can hold it.
An export ends when its bytes are on the disk. So does the copy after it (`cp` and `sync` of the
export), which says what the disk can do at that moment. CPU seconds include worker processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

import fertools
from fertools.data import Box, Split
from fertools.dataset.example import Example
from fertools.dataset.index import index_bytes, index_name
from fertools.dataset.manifest import (
    MANIFEST,
    ClassName,
    Counts,
    ImageSpec,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
    shard_name,
)
from fertools.dataset.tfrecord import RecordWriter
from fertools.faces.crop import encode
from fertools.files import whole_file, write_whole
from fertools.options import DatasetFormat, FaceOptions
from fertools.workers.tasks import cores

FORMATS: Final[tuple[DatasetFormat, ...]] = ("parquet", "webdataset", "folders")

_NAMES: Final = ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립")
_CLASSES: Final = tuple(ClassName(name, name) for name in _NAMES)
_IN_SHARD: Final = 5000
_IMAGES: Final = 200


def main() -> None:
    """Export a dataset in each format with one job and with all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("examples", type=int, nargs="?", default=100_000)
    parser.add_argument("--to", nargs="*", choices=FORMATS, default=FORMATS)
    parser.add_argument("--place", type=Path, help="a folder on the disk to measure")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.place) as folder:
        out = Path(folder) / "faces"
        write_dataset(out, asked.examples)
        for to in asked.to:
            for jobs in sorted({1, cores()}):
                print(measure(out, Path(folder), to, jobs), flush=True)


def measure(out: Path, folder: Path, to: DatasetFormat, jobs: int) -> str:
    """Export once, copy the export once, and say how fast both were."""
    dest, copy = folder / "export", folder / "copy"
    seconds, busy = _timed(lambda: fertools.export_dataset(out, dest, to=to, jobs=jobs, quiet=True))
    size = sum(path.stat().st_size for path in dest.rglob("*") if path.is_file())
    copied, _ = _timed(lambda: _copy(dest, copy))
    for path in (dest, copy):
        shutil.rmtree(path)
    megabytes = size / 1e6
    return (
        f"{to:10}  {jobs} jobs  {megabytes:6.0f} MB in {seconds:5.1f} s, {busy:5.1f} s of CPU: "
        f"{megabytes / seconds:4.0f} MB/s; cp {megabytes / copied:4.0f} MB/s"
    )


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)
    os.sync()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of a call, its processes included."""
    start, busy = time.perf_counter(), _busy()
    work()
    return time.perf_counter() - start, _busy() - busy


def _busy() -> float:
    times = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in times)


def write_dataset(out: Path, examples: int) -> None:
    """Write a dataset with one split of noise: `examples` keys, few images."""
    out.mkdir()
    images = [_noise(number) for number in range(_IMAGES)]
    shards = -(-examples // _IN_SHARD)
    files = []
    for shard in range(shards):
        name = shard_name("faces", Split.TRAIN, shard, shards)
        with whole_file(out / name) as file:
            writer = RecordWriter(file)
            own = range(shard, examples, shards)
            records = (_example(number, images[number % _IMAGES]).to_bytes() for number in own)
            index = index_bytes(writer.write(record).length for record in records)
        write_whole(out / index_name(name), index)
        digest = sha256(index).hexdigest()
        files.append(ShardFile(name, writer.records, writer.size, file.sha256, digest))
    labels = np.bincount(np.arange(examples) % len(_CLASSES), minlength=len(_CLASSES)).tolist()
    classes = {entry.name: count for entry, count in zip(_CLASSES, labels, strict=True)}
    manifest = Manifest(
        fertools=fertools.__version__,
        name="faces",
        version="1.0.0",
        classes=_CLASSES,
        image=ImageSpec(224, "png"),
        counts=Counts(examples, examples, {}),
        splits={"train": SplitContents(examples, -(-examples // 50), classes, tuple(files))},
        ledger=LedgerFile("ledger.parquet", examples, "0" * 64),
        options={},
        libraries={},
        source="noise",
        votes=True,
    )
    write_whole(out / MANIFEST, manifest.to_json().encode())


def _noise(seed: int) -> bytes:
    """Return a PNG of about 23 KB, the size of a face's at 224 pixels."""
    noise = np.random.default_rng(seed).normal(128, 1.6, (224, 224))
    return encode(noise.round().astype(np.uint8), FaceOptions())


def _example(number: int, image: bytes) -> Example:
    return Example(
        image=image,
        label=number % len(_CLASSES),
        key=f"{number:032x}",
        subject=f"{number // 50:032x}",
        sex="여",
        age=30,
        box=Box(10.0, 20.0, 310.0, 400.0),
        confidence=0.99,
        votes=(2, 1, 0, 0, 0, 0, 0),
        uploader=0,
    )


if __name__ == "__main__":
    main()

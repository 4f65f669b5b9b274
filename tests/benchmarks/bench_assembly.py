"""What assembling reads from a slow disk: bytes and seeks, with crops three times the page cache.

    python -m tests.benchmarks.bench_assembly                  300 MB of crops, in 100 shards
    python -m tests.benchmarks.bench_assembly --into FOLDER    on another disk

It draws parts as a build writes them, at 1/40 of the whole archive's scale: with as many crops of a
shard in each part, and as many shards for the memory. It writes the shards once each on its own and
once in groups, and counts what reaches the disk in two ways:

cache    what was read goes through a page cache of a third of the crops, which is drawn: pages of
         4 KiB, the one that was not used for the longest time leaves, what is written enters too
kernel   the bytes that the kernel read for this process. The crops leave its page cache before
         each shard on its own, and before each group: nothing is left from the one before

A seek is a read that does not begin where the one before ended; it is far if it goes back, to
another file, or over more than a megabyte. The hours are those of the whole archive on a hard disk
of 200 MB/s that takes 10 ms for a far seek, and for a near one as long as for reading on.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from google_crc32c import value as crc32c

from fertools.dataset.tfrecord import RecordWriter
from fertools.files import WholeFile, whole_file
from fertools.options import FaceOptions
from fertools.pipeline import assemble
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.shards import PLAN_SCHEMA, ShardTask, StagingDir

ARCHIVE = 488_776  # photos
CROP = 25_000  # bytes, of a PNG of 224 pixels
PART = 256
PAGE = 4096
FAR = 1_000_000
DISK = 200e6  # bytes a second
SEEK = 0.010  # seconds


@dataclass
class PageCache:
    """A page cache of `size` pages, and the disk below it.

    read   bytes that came from the disk
    near, far, flown   seeks of both kinds, and the bytes over which near ones went
    """

    size: int
    read: int = 0
    near: int = 0
    far: int = 0
    flown: int = 0
    _pages: OrderedDict[tuple[str, int], None] = field(default_factory=OrderedDict)
    _head: tuple[str, int] = ("", 0)

    def use(self, file: str, offset: int, length: int, *, written: bool = False) -> None:
        """Read or write a range of a file."""
        for page in range(offset // PAGE, -(-(offset + length) // PAGE)):
            if (file, page) in self._pages:
                self._pages.move_to_end((file, page))
                continue
            self._pages[file, page] = None
            if len(self._pages) > self.size:
                self._pages.popitem(last=False)
            if not written:
                self._fetch(file, page)

    def drop(self, file: str) -> None:
        """Forget a file."""
        for key in [key for key in self._pages if key[0] == file]:
            del self._pages[key]

    def _fetch(self, file: str, page: int) -> None:
        last, following = self._head
        distance = (page - following) * PAGE if file == last else -1
        if 0 < distance <= FAR:
            self.near += 1
            self.flown += distance
        elif distance:
            self.far += 1
        self.read += PAGE
        self._head = file, page + 1

    @property
    def seconds(self) -> float:
        """The time of a hard disk."""
        return SEEK * self.far + (self.read + self.flown) / DISK


def main() -> None:
    """Write the shards in both ways, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--crops", type=int, default=12_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--into", type=Path, help="a folder on the disk to measure")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.into) as place:
        drawn = Drawn.of(Path(place), asked.crops, asked.shards)
        rows = [
            ("each shard on its own", *drawn.measure(drawn.one_by_one)),
            ("in groups", *drawn.measure(drawn.in_groups)),
        ]
    print(f"{drawn.bytes / 1e6:.0f} MB of crops, {asked.shards} shards\n")
    print("| crops are read | read by cache | by kernel | far seeks | near | hours |")
    print("|---|--:|--:|--:|--:|--:|")
    for way, cache, kernel in rows:
        hours = cache.seconds * ARCHIVE / asked.crops / 3600
        shares = f"{cache.read / drawn.bytes:.2f} × | {kernel / drawn.bytes:.2f} ×"
        print(f"| {way} | {shares} | {cache.far:,} | {cache.near:,} | {hours:.1f} |")


@dataclass(frozen=True)
class Drawn:
    """Parts, and a plan of shards whose crops are spread over them."""

    staging: StagingDir
    parts: list[PartFiles]
    shards: int
    bytes: int

    @classmethod
    def of(cls, folder: Path, crops: int, shards: int) -> Drawn:
        """Draw crops of random bytes, of half to one and a half times the usual length."""
        dice = np.random.default_rng(0)
        lengths = dice.integers(CROP // 2, CROP * 3 // 2, crops)
        parts = [PartFiles(folder, f"{part:032x}") for part in range(-(-crops // PART))]
        rows = []
        for number, part in enumerate(parts):
            with whole_file(part.whole) as file:
                writer = RecordWriter(file)
                for length in lengths[number * PART : (number + 1) * PART].tolist():
                    crop = dice.bytes(length)
                    record = writer.write(crop)
                    rows.append((part.fingerprint, record.offset, record.length, crc32c(crop)))
        staging = StagingDir(folder, folder)
        order = dice.permutation(crops)
        with pa.ipc.new_file(staging.plan, PLAN_SCHEMA) as sink:
            for shard in range(shards):
                sink.write_batch(_features([rows[row] for row in order[shard::shards]]))
        return cls(staging, parts, shards, int(lengths.sum()))

    def measure(self, write: Callable[[Callable[[], None]], None]) -> tuple[PageCache, int]:
        """Return the drawn page cache, and the bytes that the kernel read."""
        cache = PageCache(self.bytes // 3 // PAGE)
        with _recorded(cache):
            write(lambda: None)
        self._forget()
        before = _read_bytes()
        write(self._forget)
        return cache, _read_bytes() - before

    def one_by_one(self, forget: Callable[[], None]) -> None:
        """Write each shard on its own."""
        for task in self._tasks:
            task()
            forget()

    def in_groups(self, _: Callable[[], None]) -> None:
        """Write the shards as a build does."""
        with patch.object(assemble, "available_memory", lambda: self.bytes // 3):
            size = self.bytes // self.shards
            for _shard in assemble.write_shards(self._tasks, self.parts, shard_bytes=size, jobs=1):
                pass

    @property
    def _tasks(self) -> list[ShardTask]:
        return [
            ShardTask(self.staging, number, f"shard-{number}", FaceOptions(), seed=0)
            for number in range(self.shards)
        ]

    def _forget(self) -> None:
        """Remove the crops from the kernel's page cache."""
        for part in self.parts:
            with part.whole.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _features(crops: Sequence[tuple[str, int, int, int]]) -> pa.RecordBatch:
    """Return the features of a shard's examples; all but the crop are the same."""
    places = dict(zip(("part", "offset", "length", "crc"), zip(*crops, strict=True), strict=True))
    same = {"label": 1, "key": "k" * 64, "subject": "s" * 64, "sex": "female", "age": 30}
    same |= {"box": [1.0, 2.0, 3.0, 4.0], "confidence": 0.9, "uploader": 1, "copy": 0}
    columns = {f.name: places.get(f.name, [same.get(f.name)] * len(crops)) for f in PLAN_SCHEMA}
    return pa.record_batch([pa.array(columns[f.name], f.type) for f in PLAN_SCHEMA], PLAN_SCHEMA)


@contextmanager
def _recorded(cache: PageCache) -> Iterator[None]:
    """Let reads, advice and writes of the block go through a drawn page cache as well."""
    real = os.pread

    def name(handle: int) -> str:
        return str(Path(f"/proc/self/fd/{handle}").readlink())

    def pread(handle: int, length: int, offset: int) -> bytes:
        cache.use(name(handle), offset, length)
        return real(handle, length, offset)

    def advise(handle: int, offset: int, length: int, advice: int) -> None:
        if advice == os.POSIX_FADV_WILLNEED:
            cache.use(name(handle), offset, length)
        else:
            cache.drop(name(handle))

    def write(file: WholeFile, data: bytes) -> int:
        cache.use(str(file.path), file.size, len(data), written=True)
        return written(file, data)

    written = WholeFile.write
    with (
        patch.object(os, "pread", pread),
        patch.object(os, "posix_fadvise", advise),
        patch.object(WholeFile, "write", write),
    ):
        yield


def _read_bytes() -> int:
    """Return the bytes that the kernel has read from disks for this process."""
    return 512 * resource.getrusage(resource.RUSAGE_SELF).ru_inblock


if __name__ == "__main__":
    main()

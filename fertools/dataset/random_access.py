"""Read any example of a split by its number, without TensorFlow.

    number ──▶ shard ──▶ offsets ──▶ pread ──▶ checksums ──▶ Example ──▶ dict of arrays
          bisect    index, read at      one system call    record()  example()  [number]
                    first use           for a record

An `ExampleSequence` is what PyTorch calls a map-style dataset and Grain a RandomAccessDataSource:
`len` and `[i]`. It is safe in processes and threads: a pickle holds the path and the split alone,
and `pread` has no position in the file that forked processes or threads could share.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import accumulate
from operator import index
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from fertools.checking import user_path
from fertools.dataset.example import Example
from fertools.dataset.index import record_ends
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.shards import check_size, checked_example, damaged_shard
from fertools.dataset.tfrecord import unframe
from fertools.errors import DatasetError, OptionError

#: Shards that are open at once; processes are often limited to 1,024 files.
_OPEN_FILES: Final = 256


def open_dataset(out: Path | str, split: str) -> ExampleSequence:
    """Open one split of a dataset for random access, in the order of `read_examples`.

    Reads only the manifest: 15 ms for 1,000 shards. A shard's size and index are checked at its
    first use, a record's checksums at each. Raises OptionError if the dataset has no such split,
    DatasetError for a damaged manifest.
    """
    out = user_path(out).absolute()
    manifest = Manifest.read(out)
    if split not in manifest.splits:
        known = ", ".join(manifest.splits)
        raise OptionError(f"{out} has no split {split!r}: take one of {known}")
    return ExampleSequence(out, str(split), manifest)


class ExampleSequence:
    """The examples of one split, by number; `open_dataset` makes it.

    out       the folder of the dataset
    split     "train", "validation" or "test"
    manifest  of the dataset
    """

    def __init__(self, out: Path, split: str, manifest: Manifest) -> None:
        self.out, self.split, self.manifest = out, split, manifest
        self._shards = manifest.splits[split].shards
        self._paths = [out / shard.file for shard in self._shards]
        self._starts = list(accumulate((shard.records for shard in self._shards), initial=0))
        # The caches of functools are thread-safe. They do not refer to `self`: in a cycle the
        # files would stay open until the garbage collector runs.
        self._ends = lru_cache(maxsize=None)(partial(_load_ends, self._paths, self._shards))
        self._open = lru_cache(maxsize=_OPEN_FILES)(partial(_open_shard, self._paths))

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return an example as tensorflow-datasets names and types its features.

        image         uint8, (size, size, 1), gray
        label, age    int
        key, subject, sex    str
        box           float32, (4,): x0, y0, x1, y1
        confidence    float
        votes         int64, (classes,), and `uploader`, int: only if the dataset has votes

        Negative numbers count from the end. Raises IndexError beyond the ends, DatasetError for
        damage.
        """
        example = self.example(number)
        features: dict[str, Any] = {
            "image": self._decode(example),
            "label": example.label,
            "key": example.key,
            "subject": example.subject,
            "sex": example.sex,
            "age": example.age,
            "box": np.array([*_sides(example)], np.float32),
            "confidence": example.confidence,
        }
        if self.manifest.votes:
            features["votes"] = np.array(example.votes, np.int64)
        return features | ({"uploader": example.uploader} if self.manifest.uploader else {})

    def __repr__(self) -> str:
        """Return the call that makes it; Grain compares this text when it restores a state."""
        return f"open_dataset({str(self.out)!r}, {self.split!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return open_dataset, (str(self.out), self.split)

    def example(self, number: int) -> Example:
        """Return an example as `read_examples` does, with the image as PNG or JPEG bytes."""
        shard, place = self._find(number)
        data, classes = self._read(shard, place), len(self.manifest.classes)
        return checked_example(self._paths[shard], place, data, classes)

    def record(self, number: int) -> bytes:
        """Return the bytes of a tf.train.Example; check the checksums, but parse nothing."""
        return self._read(*self._find(number))

    def _find(self, number: int) -> tuple[int, int]:
        """Return the shard of an example, and its number there."""
        at, count = index(number), len(self)
        if not -count <= at < count:
            raise IndexError(f"example {at} of {count} in {self.split}")
        at %= count
        shard = bisect_right(self._starts, at) - 1
        return shard, at - self._starts[shard]

    def _read(self, shard: int, place: int) -> bytes:
        try:
            ends = self._ends(shard)
            begin = ends[place]
            return unframe(self._open(shard).read(ends[place + 1] - begin, begin))
        except ValueError as fault:
            how = f"record {place} is damaged: {fault}"
            raise damaged_shard(self._paths[shard], how) from fault
        except OSError as fault:
            path = self._paths[shard]
            raise DatasetError(f"{path} cannot be read: {fault}: check the disk") from fault

    def _decode(self, example: Example) -> Any:
        data = np.frombuffer(example.image, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise DatasetError(
                f"{self.out}: the image of {example.key} cannot be decoded: "
                "put a whole copy of the dataset back, or build again"
            )
        return image[:, :, None]


def _sides(example: Example) -> tuple[float, float, float, float]:
    box = example.box
    return box.x0, box.y0, box.x1, box.y1


def _load_ends(paths: list[Path], shards: tuple[ShardFile, ...], number: int) -> array[int]:
    check_size(paths[number], shards[number])
    return record_ends(paths[number].parent, shards[number])


def _open_shard(paths: list[Path], number: int) -> _OpenFile:
    return _OpenFile(os.open(paths[number], os.O_RDONLY))


class _OpenFile:
    """An open file, closed when nobody refers to it: another thread may still read from it."""

    #: Kept here: when Python ends, the module `os` may be gone before an object.
    _close = staticmethod(os.close)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        self._close(self._descriptor)

    def read(self, length: int, offset: int) -> bytes:
        # `self` must live until `pread` has returned: it is no longer referred to by the cache.
        return os.pread(self._descriptor, length, offset)

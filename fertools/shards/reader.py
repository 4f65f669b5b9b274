"""Reading a dataset back without TensorFlow: what stats, examples and tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fertools.data import Split
from fertools.errors import DatasetError, OptionError
from fertools.paths import user_path
from fertools.shards.manifest import Manifest, ShardFile
from fertools.shards.schema import Example
from fertools.shards.tfrecord import read_records


def read_examples(out: Path | str, split: str | None = None) -> Iterator[Example]:
    """Give the examples of one split, or of all, in the order in which they lie on disk.

    Size, checksums and count of every shard are held against the manifest, and every label
    against its classes, so that a shard cut between two records is noticed, which TensorFlow
    takes for whole. Raises OptionError for a split that the dataset does not have and
    DatasetError where it is incomplete or damaged: what is wrong with the manifest at once, what
    is wrong with a shard when it is reached.
    """
    out = user_path(out)
    manifest = Manifest.read(out)
    names = [name for name in Split if name in manifest.splits and split in (None, name)]
    if split is not None and not names:
        raise OptionError(f"{out} has no split {split!r}: take one of {', '.join(manifest.splits)}")
    shards = [shard for name in names for shard in manifest.splits[name].shards]
    return (example for shard in shards for example in _shard(out, shard, len(manifest.classes)))


def _shard(out: Path, shard: ShardFile, classes: int) -> Iterator[Example]:
    path = out / shard.file
    size = path.stat().st_size if path.is_file() else None
    if size is not None and size != shard.bytes:
        raise _differs(path, f"it has {size} bytes, the manifest says {shard.bytes}")
    count = 0
    for count, data in enumerate(read_records(path), start=1):
        try:
            example = Example.from_bytes(data)
        except DatasetError as fault:
            raise _differs(path, f"record {count - 1} is {fault}") from fault
        if example.label >= classes:
            raise _differs(path, f"record {count - 1} has label {example.label} of {classes}")
        yield example
    if count != shard.records:
        raise _differs(path, f"it has {count} records, the manifest says {shard.records}")


def _differs(path: Path, how: str) -> DatasetError:
    return DatasetError(f"{path} is not the shard that was written: {how}: put a whole copy back")

"""Write and read the index of a shard: where each record begins, for random access.

    faces-train.tfrecord-00000-of-00064    the shard
    faces-train.idx-00000-of-00064         a line a record:  offset␣length⏎

Both numbers are bytes; the length includes the 16 bytes of framing. This is the index that NVIDIA
DALI's `fn.readers.tfrecord(path=…, index_path=…)` requires and that its tool `tfrecord2idx` writes.
The usual pattern for shards, faces-train.tfrecord-*, does not match it.

An index follows from its shard. So it need not exist: datasets of older versions have none, and it
is then made in memory from the length fields. It is trusted no further than it can be checked: it
must cover the shard from the first byte to the last, and a record that does not begin at its
offset has a wrong checksum.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

from fertools.dataset.manifest import ShardFile
from fertools.dataset.tfrecord import FRAMING_BYTES, record_locations
from fertools.errors import DatasetError

#: The names of indices in the folder of a dataset.
INDICES: Final = "*.idx-*-of-*"

#: The most bytes of a line: two numbers of 64 bits.
_MAX_LINE: Final = 42


def index_name(shard: str) -> str:
    """Return the file name of a shard's index.

    Example: "faces-train.tfrecord-00000-of-00064" -> "faces-train.idx-00000-of-00064"
    """
    dataset_split, _, number = shard.rpartition(".tfrecord-")
    return f"{dataset_split}.idx-{number}"


def index_bytes(lengths: Iterable[int]) -> bytes:
    """Return the bytes of an index, from the length of each record with its framing."""
    ends = accumulate(lengths, initial=0)
    return "".join(f"{begin} {end - begin}\n" for begin, end in pairwise(ends)).encode()


def index_of(shard: Path) -> bytes:
    """Return the bytes of the index of a shard; errors are those of `record_locations`."""
    return index_bytes(location.length for location in record_locations(shard))


def record_ends(out: Path, shard: ShardFile) -> array[int]:
    """Return where the records of a shard begin and end: `records` + 1 offsets, the first is 0.

    Reads the index or, if it does not exist, the length fields of the shard. Raises DatasetError if
    the index does not fit the manifest, OSError if a file cannot be read.
    """
    path = out / index_name(shard.file)
    if not path.is_file():
        lengths = [location.length for location in record_locations(out / shard.file)]
        remedy = f"put a whole copy of {shard.file} back, or build again"
    else:
        lengths = _read_lengths(path, shard.records)
        remedy = "remove it (it is made in memory then), or put a whole copy back"
    ends = array("q", accumulate(lengths, initial=0))
    if len(lengths) != shard.records or ends[-1] != shard.bytes:
        raise DatasetError(f"{path} is not the index of {shard.file}: {remedy}")
    return ends


def _read_lengths(path: Path, records: int) -> list[int]:
    """Return the lengths in an index, or nothing if it is not what `index_bytes` writes."""
    with path.open("rb") as file:
        data = file.read(_MAX_LINE * records + 1)
    try:
        lengths = [int(word) for word in data.split()[1::2]]
    except ValueError:
        return []
    possible = all(FRAMING_BYTES <= length < 2**32 for length in lengths)
    return lengths if possible and index_bytes(lengths) == data else []

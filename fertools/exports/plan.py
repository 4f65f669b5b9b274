"""Plan the units of an export: runs of consecutive examples, in the order of the shards.

The order on disk is that of a hash already, so every run of examples is a fair sample of its
split. A unit is a file of parquet or webdataset, or some of the files of folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from fertools.data import Split
from fertools.dataset.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Unit:
    """The examples `start` to `stop` - 1 of a split; unit `number` of so many of that split."""

    split: Split
    number: int
    units: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Such as "train-00000-of-00003"."""
        return f"{self.split}-{self.number:05d}-of-{self.units:05d}"

    def __len__(self) -> int:
        return self.stop - self.start


def plan_units(manifest: Manifest, size: int) -> list[Unit]:
    """Return the units of all splits, each of about `size` bytes of records, in order.

    Those of a split hold the same number of examples to within one. A split without examples has
    none.
    """
    units: list[Unit] = []
    for split, contents in manifest.filled_splits.items():
        records = contents.records
        count = min(records, -(-sum(shard.bytes for shard in contents.shards) // size))
        ends = [records * number // count for number in range(count + 1)]
        units += [
            Unit(split, number, count, start, stop)
            for number, (start, stop) in enumerate(pairwise(ends))
        ]
    return units

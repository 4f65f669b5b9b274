"""Which examples make which shard: decided before a byte is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.data import Split
from fertools.pipeline.options import BuildOptions
from fertools.shards import plan_shards, shard_name

Ints = NDArray[np.int64]

#: Bytes of a record that are not its image: framing, names of features, provenance.
_AROUND: Final = 300


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What every shard holds, in order.

    names    the shards' files
    splits   the split that each belongs to
    rows     the ledger rows of its examples, int64
    copies   0 for the crop itself, 1 and more for its altered copies, int64
    """

    names: tuple[str, ...]
    splits: tuple[Split, ...]
    rows: tuple[Ints, ...]
    copies: tuple[Ints, ...]

    def places(self, members: int) -> tuple[Ints, Ints]:
        """Give each ledger row its shard's number within the split and its place in it, or -1."""
        shards, indices = np.full((2, members), -1, dtype=np.int64)
        for split in Split:
            for number, shard in enumerate(self.of(split)):
                own = np.flatnonzero(self.copies[shard] == 0)
                shards[self.rows[shard][own]] = number
                indices[self.rows[shard][own]] = own
        return shards, indices

    def of(self, split: Split) -> list[int]:
        """Give the numbers of a split's shards."""
        return [i for i, owner in enumerate(self.splits) if owner is split]


def plan_splits(
    table: pa.Table, codes: Ints, splits: NDArray[np.int8], options: BuildOptions
) -> ShardPlan:
    """Plan the shards of all splits; altered copies come into train alone.

    codes   the class of each ledger row; splits: its split, -1 for none
    """
    names: list[str] = []
    owners: list[Split] = []
    contents: list[Ints] = []
    copies: list[Ints] = []
    keys = table["key"].to_pylist()
    sizes = table["length"].fill_null(0).to_numpy() + _AROUND
    for number, split in enumerate(Split):
        rows = np.flatnonzero(splits == number)
        times = 1 + options.shards.augment if split is Split.TRAIN else 1
        rows, copy = np.tile(rows, times), np.repeat(np.arange(times), len(rows))
        shards = plan_shards(
            [_card(keys[row], again) for row, again in zip(rows, copy.tolist(), strict=True)],
            codes[rows],
            sizes[rows],
            shard_size=options.shards.shard_bytes,
            seed=options.splits.seed,
        )
        for k, chosen in enumerate(shards):
            names.append(shard_name(options.shards.name, split, k, len(shards)))
            owners.append(split)
            contents.append(rows[chosen])
            copies.append(copy[chosen])
    return ShardPlan(tuple(names), tuple(owners), tuple(contents), tuple(copies))


def _card(key: str, copy: int) -> str:
    """An altered copy has a place of its own: anywhere in train, not behind its original."""
    return f"{key} copy {copy}" if copy else key

"""Which examples make which shard: decided before a byte is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Split
from fertools.hashing import ranks
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.options import BuildOptions
from fertools.shards import plan_shards, shard_name

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

    def places(self, members: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Give each ledger row its shard's number within the split and its place in it, or -1."""
        shards, indices = np.full((2, members), -1, dtype=np.int32)
        for split in Split:
            for number, shard in enumerate(self.of(split)):
                own = np.flatnonzero(self.copies[shard] == 0)
                shards[self.rows[shard][own]] = number
                indices[self.rows[shard][own]] = own
        return shards, indices

    def of(self, split: Split) -> list[int]:
        """Give the numbers of a split's shards."""
        return [i for i, owner in enumerate(self.splits) if owner is split]


def plan_splits(ledger: Ledger, splits: NDArray[np.int8], options: BuildOptions) -> ShardPlan:
    """Plan the shards of all splits; altered copies come into train alone.

    splits   the split of each ledger row, -1 for none
    """
    names: list[str] = []
    owners: list[Split] = []
    contents: list[Ints] = []
    copies: list[Ints] = []
    lengths = ledger.looked.numbers("length") + _AROUND
    seed = options.splits.seed
    for number, split in enumerate(Split):
        own = np.flatnonzero(splits == number)
        times = 1 + options.shards.augment if split is Split.TRAIN else 1
        rows, copy = np.tile(own, times), np.repeat(np.arange(times), len(own))
        shards = plan_shards(
            ranks(seed, _cards(ledger, own, times)),
            ledger.catalog.codes[rows],
            lengths[np.searchsorted(ledger.wanted, rows)],
            shard_size=options.shards.shard_bytes,
        )
        for k, chosen in enumerate(shards):
            names.append(shard_name(options.shards.name, split, k, len(shards)))
            owners.append(split)
            contents.append(rows[chosen])
            copies.append(copy[chosen])
    return ShardPlan(tuple(names), tuple(owners), tuple(contents), tuple(copies))


def _cards(ledger: Ledger, rows: Ints, times: int) -> Iterator[str]:
    keys = ledger.catalog.keys(rows)
    return (_card(key, copy) for copy in range(times) for key in keys)


def _card(key: str, copy: int) -> str:
    """An altered copy has a place of its own: anywhere in train, not behind its original."""
    return f"{key} copy {copy}" if copy else key

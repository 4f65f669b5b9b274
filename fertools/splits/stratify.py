"""Who is in which split.

    rows ──▶ groups x classes ──▶ settle ─────────▶ deal ────────▶ fill ─────▶ a split a row
             photos, counted      groups of many    single ones    no split
             group by group       by place, trade   by what is     stays empty
                                  and kick          still lacking

The split of a row is a function of the set of rows, the ratios and the seed. Neither the order
of the rows nor the numbers of the groups come into it, only the hash of each group's key.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.errors import SplitError
from fertools.splits.deal import deal
from fertools.splits.order import by_hash
from fertools.splits.place import fill, held
from fertools.splits.ratios import Ratios
from fertools.splits.settle import settle

Ints = NDArray[np.int64]


def assign(
    groups: Ints,
    classes: Ints,
    ratios: Ratios,
    *,
    order: Sequence[str],
    seed: int,
    also: Ints | None = None,
) -> NDArray[np.int8]:
    """Give every row its split, int8, (rows,): 0 train, 1 validation, 2 test.

    No group comes into two splits. The classes keep to the ratios as closely as the sizes of the
    groups allow; sex, age and whatever else is in `also` give way to them.

    groups   int64, (rows,), the group of each row, an index into `order`
    classes  int64, (rows,), from 0
    order    a key for each group, all different, which stays when rows come and go: its hash
             decides; a group without a row is passed over
    also     int64, (rows, attributes), codes from 0 of sex, age …; -1 is unknown and not counted

    Raises SplitError if there are fewer groups than splits with a share above 0. If there are
    enough of them, no such split stays empty.
    """
    if classes.min(initial=0) < 0:
        raise ValueError(f"a class below 0: {classes.min()}")
    groups, found = _in_hash_order(groups, order, seed)
    used = np.flatnonzero(ratios.shares > 0)
    if found < len(used):
        raise SplitError(
            f"{found} subjects cannot fill {len(used)} splits at {ratios}: "
            "add photos of other people, or give a split the share 0"
        )
    shares = ratios.shares[used]
    counts = _tally(groups, found, classes[:, None])
    second = _tally(groups, found, also if also is not None else np.zeros((0, 0), np.int64))
    sizes = counts.sum(axis=1)

    side = np.zeros(found, dtype=np.int64)
    many, single = sizes > 1, sizes == 1
    side[many] = settle(counts[many], second[many], shares)
    lack = np.outer(shares, counts.sum(axis=0)) - held(side[many], counts[many], len(shares))
    side[single] = deal(lack, counts[single], second[single])
    fill(side, sizes, len(shares))
    return used[side[groups]].astype(np.int8)


def _in_hash_order(groups: Ints, order: Sequence[str], seed: int) -> tuple[Ints, int]:
    """Number the groups that have rows anew, by the hash of their keys; say how many they are."""
    present = np.unique(groups)
    ranked = present[by_hash((order[group] for group in present.tolist()), seed, "split")]
    number = np.full(len(order), -1, dtype=np.int64)
    number[ranked] = np.arange(len(ranked))
    return number[groups], len(ranked)


def _tally(groups: Ints, found: int, codes: Ints) -> Ints:
    """Count each group's rows by each code that a column of codes holds, (found, codes)."""
    tables = [np.zeros((found, 0), dtype=np.int64)]
    for column in codes.T:
        known = column >= 0
        values, code = np.unique(column[known], return_inverse=True)
        cells = groups[known] * len(values) + code
        tables.append(np.bincount(cells, minlength=found * len(values)).reshape(found, -1))
    return np.hstack(tables)

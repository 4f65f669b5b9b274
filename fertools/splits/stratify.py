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
from fertools.splits.deal import deal, hands, interleave
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
    _refuse_too_few(found, len(used), ratios)
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


def assign_photos(
    classes: Ints, ratios: Ratios, *, keys: Sequence[str], seed: int
) -> NDArray[np.int8]:
    """Assign every photo to a split by itself, which leaks; returns int8, (photos,).

    It is what `assign` gives where every photo is a group, in a tenth of the memory. Each class is
    exact to the photo.

    classes  int64, (photos,), from 0
    keys     of the photos, all different

    Raises SplitError if there are fewer photos than splits with a share above 0.
    """
    used = np.flatnonzero(ratios.shares > 0)
    _refuse_too_few(len(classes), len(used), ratios)
    ranked = by_hash((f"photo {key}" for key in keys), seed, "split")
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    hand = hands(np.outer(ratios.shares[used], counts), counts)
    laid = ranked[np.argsort(classes[ranked], kind="stable")]
    side = np.empty(len(classes), dtype=np.int64)
    side[laid] = np.concatenate([interleave(of_class) for of_class in hand])
    del laid
    in_order = side[ranked]
    fill(in_order, np.ones(len(in_order), np.int64), len(used))
    side[ranked] = in_order
    return used[side].astype(np.int8)


def _refuse_too_few(found: int, splits: int, ratios: Ratios) -> None:
    if found < splits:
        raise SplitError(
            f"{found} subjects cannot fill {splits} splits at {ratios}: "
            "add photos of other people, or give a split the share 0"
        )


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
        # Codes are small, so that counting them takes a tenth of the memory of sorting them.
        present = np.bincount(column[known]) > 0
        code, values = np.cumsum(present) - 1, int(present.sum())
        cells = groups[known] * values + code[column[known]]
        tables.append(np.bincount(cells, minlength=found * values).reshape(found, values))
    return np.hstack(tables)

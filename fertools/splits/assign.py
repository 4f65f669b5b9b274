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
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fertools.errors import SplitError
from fertools.hashing import by_hash
from fertools.options import Ratios
from fertools.splits.local_search import fill, held, local_search
from fertools.splits.ratios import TEST

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
    side[many] = local_search(counts[many], second[many], shares)
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
    hand = apportion(np.outer(ratios.shares[used], counts), counts)
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


def apportion(lack: NDArray[np.float64], cards: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say how many photos of each class each split gets, int64, (classes, splits).

    lack   photos that each split lacks to its quota, (splits, classes); negative: has too many
    cards  photos to give away, (classes,)

    Every split gets what it lacks, rounded down, and what is left goes by the largest remainder
    (Hamilton). Remainders are carried from class to class: without that, seven classes of five
    photos at 80/10/10 would each round the same way and the test split would get none.
    """
    carry = np.zeros(len(lack))
    given = np.zeros(lack.T.shape, dtype=np.int64)
    for hand, row, n in zip(given, lack.T, cards.tolist(), strict=True):
        wanted = np.maximum(row, 0)
        # Rounded, because 0.29 x 100 is 28.999999999999996, which is nothing short of 29.
        wanted = np.round(wanted * (n / max(wanted.sum(), 1e-9)), 6)
        hand[:] = np.floor(wanted)
        remainder = wanted - hand
        urgent = np.where(remainder > 0, remainder + carry, -np.inf)
        hand[np.argsort(-urgent, kind="stable")[: n - hand.sum()]] += 1
        carry += wanted - hand
    return given


def interleave(hand: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lay out a hand so that every stretch of it is a fair sample; int64, (hand.sum(),).

    Example: [4, 2, 1] -> [0, 1, 0, 2, 0, 1, 0]
    """
    due = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in hand.tolist()])
    return np.repeat(np.arange(len(hand)), hand)[np.argsort(due, kind="stable")]


def deal(
    lack: NDArray[np.float64], counts: NDArray[np.int64], also: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Deal groups of one photo each, in the order given; gives the split of each, int64.

    lack    photos that each split lacks to its quota, (splits, classes)
    counts  (groups, classes), a single 1 in each row
    also    (groups, columns), ones where sex or age is that of the column

    Inside a class those who are alike in sex and age lie side by side, so that they too are
    spread over the splits in proportion.
    """
    laid = np.lexsort((*also.T, counts.argmax(axis=1)))  # stable: by hash among those alike
    side = np.empty(len(counts), dtype=np.int64)
    side[laid] = np.concatenate([interleave(hand) for hand in apportion(lack, counts.sum(axis=0))])
    return side


class Half(IntEnum):
    """The part of the archive in which a photo lies."""

    NEITHER = -1
    TRAINING = 0
    VALIDATION = 1


@dataclass(frozen=True, slots=True)
class Official:
    """What the official split does to the photos of those who are in both halves.

    in_both     groups with photos in Training and in Validation
    training    their photos in Training
    validation  their photos in Validation
    left_out    photos that came into no split: those of `training` with overlap="drop", and all
                that lie in neither half
    """

    in_both: int
    training: int
    validation: int
    left_out: int


def assign_official(
    halves: NDArray[np.int8],
    groups: Ints,
    classes: Ints,
    ratios: Ratios,
    *,
    order: Sequence[str],
    seed: int,
    also: Ints | None = None,
    overlap: Literal["drop", "report"] = "drop",
) -> tuple[NDArray[np.int8], Official]:
    """Give every row its split as `assign` does, or -1 if it is left out, int8, (rows,).

    Every Validation photo becomes test. Training is divided by group into train and validation,
    which keep their proportion: at 80/10/10 a ninth of it is taken for validation. Training
    photos of a group that is in both halves are left out, or, with overlap="report", divided
    like all others, and then that group straddles.

    halves   int8, (rows,), values of Half; the other columns are those of `assign`

    Raises SplitError if either half is empty, or left empty, or has too few groups to divide.
    """
    training, validation = halves == Half.TRAINING, halves == Half.VALIDATION
    shared = np.intersect1d(groups[training], groups[validation])
    in_both = np.isin(groups, shared)
    divided = training & ~in_both if overlap == "drop" else training
    if not divided.any() or not validation.any():
        raise SplitError(
            f"the official split needs photos of different people in Training and Validation, "
            f"and has {divided.sum()} and {validation.sum()}: add the other folder, or use "
            "--split 80/10/10"
        )
    splits = np.full(len(halves), -1, dtype=np.int8)
    splits[validation] = TEST
    two = Ratios(ratios.train, ratios.validation, 0)
    splits[divided] = assign(
        groups[divided],
        classes[divided],
        two,
        order=order,
        seed=seed,
        also=None if also is None else also[divided],
    )
    counts = (in_both & training).sum(), (in_both & validation).sum(), (splits < 0).sum()
    return splits, Official(len(shared), *map(int, counts))

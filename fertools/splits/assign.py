"""Assign every photo to train, validation or test.

    rows ──▶ groups x classes ──▶ local_search ───▶ deal ────────▶ fill ─────▶ a split per row
             photos counted       groups of         groups of      no split
             per group            several photos    one photo      stays empty

The split of a row is a function of the set of rows, the ratios and the seed. Neither the order
of the rows nor the numbers of the groups matter, only the hash of each group's key.

Groups of one photo are dealt like cards, so that every class meets its ratios to the photo. With
the official split, AI-Hub's Validation is the test split and its Training is divided into the
other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.errors import SplitError
from fertools.hashing import order_by_hash
from fertools.options import Ratios
from fertools.splits.local_search import fill_empty_splits, local_search, split_totals
from fertools.splits.measures import TEST


def assign(
    groups: Ints,
    classes: Ints,
    ratios: Ratios,
    *,
    group_keys: Sequence[str],
    seed: int,
    attributes: Ints,
) -> NDArray[np.int8]:
    """Return the split of every row, int8, (rows,): 0 train, 1 validation, 2 test.

    No group is in two splits. The classes keep to the ratios as closely as the sizes of the
    groups allow; the attributes have less weight.

    groups      int64, (rows,), the group of each row, an index into `group_keys`
    classes     int64, (rows,), from 0
    group_keys  a distinct key of each group that does not change when rows are added or removed:
                its hash decides; a group without rows is ignored
    attributes  int64, (rows, attributes), codes from 0 of sex, age …; -1 is unknown and not counted

    Raises SplitError if there are fewer groups than splits with a share above 0. If there are
    enough of them, no such split stays empty.
    """
    if classes.min(initial=0) < 0:
        raise ValueError(f"a class below 0: {classes.min()}")
    groups, n_groups = _number_by_hash(groups, group_keys, seed)
    used = np.flatnonzero(ratios.shares > 0)
    _check_enough_groups(n_groups, len(used), ratios)
    shares = ratios.shares[used]
    counts = _count_codes(groups, n_groups, classes[:, None])
    secondary = _count_codes(groups, n_groups, attributes)
    sizes = counts.sum(axis=1)

    split_of = np.zeros(n_groups, dtype=np.int64)
    has_several, has_one = sizes > 1, sizes == 1
    split_of[has_several] = local_search(counts[has_several], secondary[has_several], shares)
    totals = split_totals(split_of[has_several], counts[has_several], len(shares))
    shortfall = np.outer(shares, counts.sum(axis=0)) - totals
    split_of[has_one] = assign_single_photos(shortfall, counts[has_one], secondary[has_one])
    fill_empty_splits(split_of, sizes, len(shares))
    return used[split_of[groups]].astype(np.int8)


def assign_photos(
    classes: Ints, ratios: Ratios, *, keys: Sequence[str], seed: int
) -> NDArray[np.int8]:
    """Return the split of every photo, each assigned by itself, which leaks; int8, (photos,).

    The result is that of `assign` with every photo as a group, in a tenth of the memory. Each
    class is exact to the photo.

    classes  int64, (photos,), from 0
    keys     of the photos, all different

    Raises SplitError if there are fewer photos than splits with a share above 0.
    """
    used = np.flatnonzero(ratios.shares > 0)
    _check_enough_groups(len(classes), len(used), ratios)
    ranked = order_by_hash((f"photo {key}" for key in keys), seed, "split")
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    quotas = apportion(np.outer(ratios.shares[used], counts), counts)
    by_class = np.argsort(classes[ranked], kind="stable")
    in_hash_order = np.empty_like(ranked)
    in_hash_order[by_class] = np.concatenate([interleave(quota) for quota in quotas])
    fill_empty_splits(in_hash_order, np.ones_like(ranked), len(used))
    split_of = np.empty_like(ranked)
    split_of[ranked] = in_hash_order
    return used[split_of].astype(np.int8)


class Half(IntEnum):
    """The part of the archive in which a photo lies."""

    NEITHER = -1
    TRAINING = 0
    VALIDATION = 1


@dataclass(frozen=True, slots=True)
class OfficialOverlap:
    """The groups that AI-Hub's own split has in both halves, and their photos in each half."""

    in_both: int
    training: int
    validation: int


def assign_official(
    halves: NDArray[np.int8],
    groups: Ints,
    classes: Ints,
    ratios: Ratios,
    *,
    group_keys: Sequence[str],
    seed: int,
    attributes: Ints,
    overlap: Literal["drop", "report"] = "drop",
) -> tuple[NDArray[np.int8], OfficialOverlap]:
    """Return the split of every row as `assign` does, or -1 if it is left out, int8, (rows,).

    Every Validation photo becomes test. Training is divided by group into train and validation,
    which keep their proportion: at 80/10/10 a ninth of it becomes validation. Training photos of
    a group that is in both halves are left out, or, with overlap="report", divided like all
    others, and then that group is in two splits. Rows in neither half are left out.

    halves   int8, (rows,), values of Half; the other columns are those of `assign`

    Raises SplitError if no photo is left in either half, or if Training has too few groups.
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
    splits[divided] = assign(
        groups[divided],
        classes[divided],
        Ratios(ratios.train, ratios.validation, 0),
        group_keys=group_keys,
        seed=seed,
        attributes=attributes[divided],
    )
    photos = (in_both & training).sum(), (in_both & validation).sum()
    return splits, OfficialOverlap(len(shared), *map(int, photos))


def _check_enough_groups(n_groups: int, n_splits: int, ratios: Ratios) -> None:
    if n_groups < n_splits:
        raise SplitError(
            f"{n_groups} subjects cannot fill {n_splits} splits at {ratios}: "
            "add photos of other people, or give a split the share 0"
        )


def _number_by_hash(groups: Ints, group_keys: Sequence[str], seed: int) -> tuple[Ints, int]:
    """Renumber the groups that have rows by the hash of their keys, and return their number."""
    present = np.unique(groups)
    keys = (group_keys[group] for group in present.tolist())
    ranked = present[order_by_hash(keys, seed, "split")]
    number = np.full(len(group_keys), -1, dtype=np.int64)
    number[ranked] = np.arange(len(ranked))
    return number[groups], len(ranked)


def _count_codes(groups: Ints, n_groups: int, codes: Ints) -> Ints:
    """Count each group's rows by the codes of each column, (n_groups, codes in use)."""
    tables = [np.zeros((n_groups, 0), dtype=np.int64)]
    for column in codes.T:
        known = column >= 0
        # Codes are small, so that counting them takes a tenth of the memory of sorting them.
        present = np.bincount(column[known]) > 0
        code, n_codes = np.cumsum(present) - 1, int(present.sum())
        cells = groups[known] * n_codes + code[column[known]]
        counts = np.bincount(cells, minlength=n_groups * n_codes)
        tables.append(counts.reshape(n_groups, n_codes))
    return np.hstack(tables)


def assign_single_photos(shortfall: NDArray[np.float64], counts: Ints, attributes: Ints) -> Ints:
    """Return the split of each group of one photo, int64, (groups,); groups are in hash order.

    lack        photos that each split lacks to its quota, (splits, classes)
    counts      (groups, classes), a single 1 in each row
    attributes  (groups, columns), ones where sex or age is that of the column

    Inside a class, groups of the same sex and age are neighbours, so that they too are spread
    over the splits in proportion.
    """
    order = np.lexsort((*attributes.T, counts.argmax(axis=1)))  # stable: keeps the hash order
    quotas = apportion(shortfall, counts.sum(axis=0))
    split_of = np.empty(len(counts), dtype=np.int64)
    split_of[order] = np.concatenate([interleave(quota) for quota in quotas])
    return split_of


def apportion(shortfall: NDArray[np.float64], photos: Ints) -> Ints:
    """Return how many photos of each class each split gets, int64, (classes, splits).

    lack    photos that each split lacks to its quota, (splits, classes); negative: has too many
    photos  photos to distribute, (classes,)

    Every split gets what it lacks, rounded down, and what is left goes by the largest remainder
    (Hamilton). Remainders are carried from class to class: without that, seven classes of five
    photos at 80/10/10 would each round the same way and the test split would get none.
    """
    carry = np.zeros(len(shortfall))
    quotas = np.zeros(shortfall.T.shape, dtype=np.int64)
    for quota, row, n in zip(quotas, shortfall.T, photos.tolist(), strict=True):
        wanted = np.maximum(row, 0)
        # Rounded, because 0.29 x 100 is 28.999999999999996, which has to count as 29.
        wanted = np.round(wanted * (n / max(wanted.sum(), 1e-9)), 6)
        quota[:] = np.floor(wanted)
        remainder = wanted - quota
        priority = np.where(remainder > 0, remainder + carry, -np.inf)
        quota[np.argsort(-priority, kind="stable")[: n - quota.sum()]] += 1
        carry += wanted - quota
    return quotas


def interleave(quota: Ints) -> Ints:
    """Return split numbers in an order of which every stretch is a fair sample; (quota.sum(),).

    Example: [4, 2, 1] -> [0, 1, 0, 2, 0, 1, 0]
    """
    position = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in quota.tolist()])
    return np.repeat(np.arange(len(quota)), quota)[np.argsort(position, kind="stable")]

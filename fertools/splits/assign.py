"""Assign every photo to train, validation or test.

    rows ──▶ groups x classes ──▶ local_search ───▶ single photos ──▶ fill ───▶ a split per row
             photos counted       groups of         groups of         no split
             per group            several photos    one photo         stays empty

The split of a row is a function of the set of rows, the ratios and the seed. The order of the rows
and the numbers of the groups have no influence, only the hash of each group's key.

Groups of one photo are assigned last: with them every class meets its ratios to the photo. With the
official split, photos stay where the archive puts them; AI-Hub's Validation is the test split, and
its Training is divided into the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.errors import SplitError
from fertools.hashing import order_by_hash
from fertools.options import Ratios
from fertools.splits.local_search import fill_empty_splits, local_search, split_totals
from fertools.splits.measures import TEST, TRAIN, VALIDATION


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

    No group is in two splits. The ratios are met in each class as closely as the sizes of the
    groups allow; in sex, age … with less weight.

    groups      int64, (rows,), the group of each row, an index into `group_keys`
    classes     int64, (rows,), from 0
    group_keys  a unique key of each group, the same when rows are added or removed: its hash
                determines the order of the groups; a group without rows is ignored
    attributes  int64, (rows, attributes), codes from 0 of sex, age …; -1 is unknown and not counted

    Every split with a share above 0 gets at least one group. Raises SplitError if there are fewer
    groups than such splits.
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
    """Return the split of every photo, int8, (photos,), regardless of persons: people leak.

    The result is that of `assign` with every photo as a group, in a tenth of the memory. Each
    class meets its ratios to the photo.

    classes  int64, (photos,), from 0
    keys     keys of the photos, all different

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


@dataclass(frozen=True, slots=True)
class OfficialOverlap:
    """The number of groups in more than one of the official splits, and of their photos.

    training     photos that give way: in the earlier of the splits
    validation   photos in the later ones, AI-Hub's Validation
    """

    in_both: int
    training: int
    validation: int


def assign_official(
    official: NDArray[np.int8],
    groups: Ints,
    classes: Ints,
    ratios: Ratios,
    *,
    group_keys: Sequence[str],
    seed: int,
    attributes: Ints,
    overlap: Literal["drop", "report"] = "drop",
) -> tuple[NDArray[np.int8], OfficialOverlap]:
    """Return the split of every row by the archive's own splits: int8, (rows,), -1 if omitted.

    Photos of test stay there, and those of validation if there are any. Otherwise train is divided
    by group into train and validation in the proportion of their ratios: at 80/10/10 a ninth of it
    becomes validation. If a group is in several splits, its photos in the earlier ones are omitted;
    with overlap="report" they stay, and the group is in several splits.

    official   int8, (rows,), 0 train, 1 validation, 2 test, -1 none; the other arguments are those
               of `assign`

    Raises SplitError if train or test has no photos to use, or if train has too few groups.
    """
    in_both, later = _overlap(official, groups)
    shared = OfficialOverlap(len(np.unique(groups[in_both])), int(in_both.sum()), int(later.sum()))
    splits = np.where(in_both, -1, official).astype(np.int8) if overlap == "drop" else official
    train = splits == TRAIN
    if not train.any() or not (splits == TEST).any():
        raise SplitError(
            f"the official split needs photos of different people in Training and Validation, "
            f"and has {train.sum()} and {(splits == TEST).sum()}: add the other folder, or use "
            "--split 80/10/10"
        )
    splits = splits.copy()
    if not (official == VALIDATION).any():
        splits[train] = assign(
            groups[train],
            classes[train],
            Ratios(ratios.train, ratios.validation, 0),
            group_keys=group_keys,
            seed=seed,
            attributes=attributes[train],
        )
    return splits, shared


def _overlap(
    official: NDArray[np.int8], groups: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the rows of groups that are in a later split as well, and those in an earlier one."""
    earlier, later = np.zeros(len(official), np.bool_), np.zeros(len(official), np.bool_)
    for split in (TRAIN, VALIDATION):
        here, there = official == split, official > split
        earlier |= here & np.isin(groups, groups[there])
        later |= there & np.isin(groups, groups[here])
    return earlier, later & ~earlier


def _check_enough_groups(n_groups: int, n_splits: int, ratios: Ratios) -> None:
    if n_groups < n_splits:
        raise SplitError(
            f"{n_groups} subjects cannot fill {n_splits} splits at {ratios}: "
            "add photos of other people, or give a split the share 0"
        )


def _number_by_hash(groups: Ints, group_keys: Sequence[str], seed: int) -> tuple[Ints, int]:
    """Renumber the groups that have rows in hash order; return each row's group and their count."""
    present = np.unique(groups)
    keys = (group_keys[group] for group in present.tolist())
    ranked = present[order_by_hash(keys, seed, "split")]
    number = np.full(len(group_keys), -1, dtype=np.int64)
    number[ranked] = np.arange(len(ranked))
    return number[groups], len(ranked)


def _count_codes(groups: Ints, n_groups: int, codes: Ints) -> Ints:
    """Count the rows of each group and code, int64, (n_groups, used codes of all columns)."""
    tables = [np.zeros((n_groups, 0), dtype=np.int64)]
    for column in codes.T:
        known = column >= 0
        # Codes are small numbers: counting takes a tenth of the memory of sorting.
        present = np.bincount(column[known]) > 0
        code, n_codes = np.cumsum(present) - 1, int(present.sum())
        cells = groups[known] * n_codes + code[column[known]]
        counts = np.bincount(cells, minlength=n_groups * n_codes)
        tables.append(counts.reshape(n_groups, n_codes))
    return np.hstack(tables)


def assign_single_photos(shortfall: NDArray[np.float64], counts: Ints, attributes: Ints) -> Ints:
    """Return the split of each group of one photo, int64, (groups,); groups are in hash order.

    shortfall   photos that each split still needs for its quota, (splits, classes)
    counts      (groups, classes), a single 1 in each row
    attributes  (groups, columns), 1 if the group has the sex or age of the column, else 0

    Inside a class, groups are ordered by sex and age, so that each sex and age is also distributed
    over the splits in proportion.
    """
    order = np.lexsort((*attributes.T, counts.argmax(axis=1)))  # stable: ties keep the hash order
    quotas = apportion(shortfall, counts.sum(axis=0))
    split_of = np.empty(len(counts), dtype=np.int64)
    split_of[order] = np.concatenate([interleave(quota) for quota in quotas])
    return split_of


def apportion(shortfall: NDArray[np.float64], photos: Ints) -> Ints:
    """Return how many photos of each class each split gets, int64, (classes, splits).

    shortfall  photos that each split still needs (negative: too many), (splits, classes)
    photos     photos to distribute, (classes,)

    Every split gets its shortfall, scaled to `photos` and rounded down; the other photos go to the
    largest remainders (Hamilton). Remainders are carried from class to class. Otherwise seven
    classes of five photos at 80/10/10 would round alike, and the test split would get no photo.
    """
    carry = np.zeros(len(shortfall))
    quotas = np.zeros(shortfall.T.shape, dtype=np.int64)
    for quota, row, n_photos in zip(quotas, shortfall.T, photos.tolist(), strict=True):
        target = np.maximum(row, 0)
        # Rounded, because 0.29 x 100 is 28.999999999999996 and must become 29.
        target = np.round(target * (n_photos / max(target.sum(), 1e-9)), 6)
        quota[:] = np.floor(target)
        remainder = target - quota
        priority = np.where(remainder > 0, remainder + carry, -np.inf)
        quota[np.argsort(-priority, kind="stable")[: n_photos - quota.sum()]] += 1
        carry += target - quota
    return quotas


def interleave(quota: Ints) -> Ints:
    """Return each split number `quota` times, evenly mixed: int64, (quota.sum(),).

    Example: [4, 2, 1] -> [0, 1, 0, 2, 0, 1, 0]
    """
    position = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in quota.tolist()])
    return np.repeat(np.arange(len(quota)), quota)[np.argsort(position, kind="stable")]

"""Who is in which split: from the kept photos to one number each, and what that rests on.

    kept ──copies──▶ groups that must not be parted ──cap──▶ ──shares | official | file──▶ splits

A person's photos are one group, and people who share a copy of a picture are one group as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Drop, Reason
from fertools.dataset.manifest import LeakageReport
from fertools.errors import SplitError
from fertools.labels.filename import official_split
from fertools.options import BuildOptions, Ratios, SplitOptions
from fertools.pipeline.catalog import Catalog
from fertools.pipeline.samples import Duplicates, Samples
from fertools.splits.assign import Half, assign, assign_official, assign_photos
from fertools.splits.groups import cap_photos
from fertools.splits.ratios import TEST, deviation, measure_leakage, overlapping_groups
from fertools.splits.split_file import SplitTable

_HALVES = {None: Half.NEITHER, "training": Half.TRAINING, "validation": Half.VALIDATION}


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """The splits of the kept photos, and who goes no further.

    splits    int8, (kept,): 0 train, 1 validation, 2 test, -1 left out
    drops     why each photo that was left out was
    warnings  what the user should know, a line each
    """

    splits: NDArray[np.int8]
    drops: dict[int, Drop] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def assign_splits(
    kept: Samples, copies: Duplicates, names: Sequence[str], rule: SplitOptions
) -> SplitAssignment:
    """Divide the kept photos by a rule; `names` are the classes'.

    Raises SplitError where that cannot be done, OptionError for a split file that cannot be meant.
    """
    drops = _conflicts(kept, copies, names)
    if rule.duplicates == "drop":
        drops |= _repeats(kept, copies, drops)
    left = _without(np.arange(len(kept)), drops)
    drops |= _capped(kept, left, rule)
    left = _without(left, drops)
    if not len(left):
        raise SplitError(
            f"none of {len(kept)} usable photos is left to divide: ask for less to be left out"
        )
    groups, order = copies.groups(kept)
    splits = np.full(len(kept), -1, dtype=np.int8)
    if rule.split_file:
        table = SplitTable.read(Path(rule.split_file))
        splits[left] = table.assign(kept.keys, kept.subjects)[left]
        told = _straddling(kept, copies, splits)
    else:
        splits[left], told = _assigned(kept, left, groups, order, rule)
    reason = Reason.UNASSIGNED if rule.split_file else Reason.OVERLAP
    detail = {
        Reason.UNASSIGNED: "the split file does not name it",
        Reason.OVERLAP: "its person is in the official Validation too, or it lies in neither half",
    }[reason]
    drops |= {int(i): Drop(reason, detail) for i in left[splits[left] < 0]}
    if not (splits >= 0).any():
        raise SplitError("no photo came into any split: see the options that leave photos out")
    told += [*_unknown(kept, splits), *_absent(names, kept.classes[splits >= 0])]
    return SplitAssignment(splits, drops, tuple(told))


def unknown_people(kept: Samples, splits: NDArray[np.int8]) -> int:
    """Count the photos in the splits whose name carries no person."""
    return sum(kept.subjects[i] is None for i in np.flatnonzero(splits >= 0).tolist())


def _assigned(
    kept: Samples, left: Ints, groups: Ints, order: Sequence[str], rule: SplitOptions
) -> tuple[NDArray[np.int8], list[str]]:
    """Give the photos that are left their splits, and what there is to say about it."""
    if rule.official:
        return _official(kept, left, groups, order, rule)
    if rule.split_by == "image":
        # As others do it, chance and classes alone: balance would hide how much that leaks.
        splits = assign_photos(
            kept.classes[left], rule.ratios, keys=kept.keys.take(left), seed=rule.seed
        )
        known, tests = measure_leakage(kept.people[left], splits)
        if not known:
            return splits, []
        return splits, [
            f"--split-by image leaks: {known} of {tests} test photos show a person of train; "
            "figures from this dataset say nothing about new people"
        ]
    splits = assign(
        groups[left],
        kept.classes[left],
        rule.ratios,
        group_keys=order,
        seed=rule.seed,
        attributes=kept.also[left],
    )
    return splits, []


def _official(
    kept: Samples, left: Ints, groups: Ints, order: Sequence[str], rule: SplitOptions
) -> tuple[NDArray[np.int8], list[str]]:
    halves = np.array([_HALVES[official_split(key)] for key in kept.keys.take(left)], dtype=np.int8)
    splits, found = assign_official(
        halves,
        groups[left],
        kept.classes[left],
        rule.ratios,
        group_keys=order,
        seed=rule.seed,
        attributes=kept.also[left],
        overlap=rule.overlap,
    )
    if not found.in_both:
        return splits, []
    fate = "left out of" if rule.overlap == "drop" else "left in"
    return splits, [
        f"{found.in_both} people are in both official halves: their {found.training} photos in "
        f"Training are {fate} train and validation, their {found.validation} in Validation are test"
    ]


def _straddling(kept: Samples, copies: Duplicates, splits: NDArray[np.int8]) -> list[str]:
    people, pictures = overlapping_groups(kept.people, splits), copies.across(splits)
    found = [f"{people} people"] if people else []
    found += [f"copies of {pictures} pictures"] if pictures else []
    if not found:
        return []
    return [f"--split-file puts {' and '.join(found)} into more than one split: it leaks"]


def _unknown(kept: Samples, splits: NDArray[np.int8]) -> list[str]:
    unknown, photos = unknown_people(kept, splits), int((splits >= 0).sum())
    if not unknown:
        return []
    return [
        f"{unknown:,} of {photos:,} photos carry no person in their names: each is taken for a "
        "person of its own, so that a leak between the splits cannot be excluded"
    ]


def _conflicts(kept: Samples, copies: Duplicates, names: Sequence[str]) -> dict[int, Drop]:
    """Drop every photo of a picture that is there under two classes: nothing says which is true."""
    return {
        photo: Drop(
            Reason.CONFLICTING_LABEL,
            f"the same picture is {names[kept.classes[other]]} as {kept.keys[other]}",
        )
        for photo, other in copies.conflicting(kept)
    }


def _repeats(kept: Samples, copies: Duplicates, dropped: dict[int, Drop]) -> dict[int, Drop]:
    return {
        later: Drop(Reason.DUPLICATE, f"the same picture as {kept.keys[first]}")
        for later, first in copies.repeats(kept, dropped).items()
    }


def _capped(kept: Samples, left: Ints, rule: SplitOptions) -> dict[int, Drop]:
    stays = cap_photos(
        kept.people[left],
        kept.classes[left],
        kept.keys.take(left),
        seed=rule.seed,
        max_per_subject=rule.max_per_subject,
        max_per_class=rule.max_per_class,
    )
    return {
        int(i): Drop(Reason.CAPPED, "beyond --max-per-subject or --max-per-class")
        for i in left[~stays]
    }


def _without(rows: Ints, drops: dict[int, Drop]) -> Ints:
    return rows[~np.isin(rows, list(drops))]


def _absent(names: Sequence[str], present: Ints) -> tuple[str, ...]:
    seen = set(present.tolist())
    absent = [name for i, name in enumerate(names) if i not in seen]
    if not absent:
        return ()
    return (f"no example of {', '.join(absent)}: leave such a class out with --drop NAME",)


def leakage_report(
    kept: Samples,
    copies: Duplicates,
    division: SplitAssignment,
    catalog: Catalog,
    options: BuildOptions,
) -> LeakageReport:
    """Measure a division: overlaps, deviations, agreement, and what chance would have leaked."""
    splits = division.splits
    used = np.flatnonzero(splits >= 0)
    return LeakageReport(
        overlap=overlapping_groups(kept.people, splits),
        ties=len(copies.people(kept)),
        copies_across=copies.across(splits),
        largest_tie=copies.largest(kept),
        deviation=_deviation(kept, splits, catalog.classes.names, options.splits),
        random_leak=_random_leak(kept, used, options),
        agreement={
            word: (found.records, found.majority, found.unanimous)
            for word, found in catalog.agreement.items()
        },
        unlabelled=catalog.joined.without_record if catalog.voted else 0,
        unmatched=catalog.joined.without_photo,
        augmented=int((splits == 0).sum()) * options.shards.augment,
        unknown_people=unknown_people(kept, splits),
    )


def _deviation(
    kept: Samples, splits: NDArray[np.int8], names: Sequence[str], rule: SplitOptions
) -> dict[str, tuple[float, ...]]:
    """Return by class the points by which each split misses its share, where shares were asked for.

    A split file asks for none. The official test split is given: Training alone was divided.
    """
    if rule.split_file:
        return {}
    ratios = rule.ratios
    if rule.official:
        splits, ratios = (
            np.where(splits == TEST, -1, splits).astype(np.int8),
            Ratios(ratios.train, ratios.validation, 0),
        )
    missed = deviation(kept.classes, splits, ratios, len(names))
    return {
        name: tuple(round(float(points), 4) for points in row)
        for name, row in zip(names, missed, strict=True)
    }


def _random_leak(kept: Samples, used: Ints, options: BuildOptions) -> tuple[int, int]:
    """Split the same photos by chance and class, as others do: known, photos of the test split."""
    rule = options.splits
    try:
        splits = assign_photos(
            kept.classes[used], rule.ratios, keys=kept.keys.take(used), seed=rule.seed
        )
    except SplitError:  # fewer photos than splits
        return (0, 0)
    known, photos = measure_leakage(kept.people[used], splits)
    return known, photos

"""Assign the kept photos to splits, and measure what came out.

    samples ──duplicates──▶ groups ──caps──▶ ──shares | official | split file──▶ splits

A group is never divided: all photos of a person are one group, and people who share a picture are
one group as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Drop, Reason, Split
from fertools.dataset.manifest import LeakageReport
from fertools.errors import SplitError
from fertools.options import BuildOptions, Ratios, SplitOptions
from fertools.pipeline.labelling.catalog import Catalog
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.samples import Duplicates, Samples
from fertools.splits.assign import assign, assign_official, assign_photos
from fertools.splits.duplicates import find_label_conflicts
from fertools.splits.groups import cap_photos
from fertools.splits.measures import TEST, deviation, measure_leakage, overlapping_groups
from fertools.splits.split_file import SplitTable

_OFFICIAL = {None: -1} | {split: number for number, split in enumerate(Split)}


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """The splits of the samples, and the samples that are dropped.

    splits    int8, (samples,): 0 train, 1 validation, 2 test, -1 dropped
    drops     by sample number, the reason
    warnings  a line each
    """

    splits: NDArray[np.int8]
    drops: dict[int, Drop] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def by_row(self, samples: Samples, ledger: Ledger) -> tuple[Ledger, NDArray[np.int8]]:
        """Return the ledger with the drops, and the split of each of its rows, -1 for none."""
        splits = np.full(len(ledger), -1, dtype=np.int8)
        splits[samples.rows] = self.splits
        drops = {int(samples.rows[i]): drop for i, drop in self.drops.items()}
        return ledger.with_drops(drops), splits


def assign_splits(
    samples: Samples, duplicates: Duplicates, classes: Sequence[str], options: SplitOptions
) -> SplitAssignment:
    """Assign the samples to splits; `classes` are the classes' names.

    Raises SplitError if that is not possible, OptionError for a split file with errors.
    """
    drops = _conflicts(samples, duplicates, classes)
    if options.duplicates == "drop":
        repeats = duplicates.repeats(samples, drops)
        drops |= {
            later: Drop(Reason.DUPLICATE, f"the same picture as {samples.keys[first]}")
            for later, first in repeats.items()
        }
    left = _without(np.arange(len(samples)), drops)
    drops |= _capped(samples, left, options)
    left = _without(left, drops)
    if not len(left):
        raise SplitError(
            f"none of {len(samples)} usable photos is left to split: leave out fewer of them"
        )
    splits = np.full(len(samples), -1, dtype=np.int8)
    if options.split_file:
        table = SplitTable.read(Path(options.split_file))
        splits[left] = table.assign(samples.keys, samples.subjects)[left]
        warnings = _straddling(samples, duplicates, splits)
        unassigned = Drop(Reason.UNASSIGNED, "the split file does not name it")
    else:
        splits[left], warnings = _assigned(samples, duplicates, left, options)
        unassigned = Drop(
            Reason.OVERLAP,
            "its person is in the official test split too, or it has no official split",
        )
    drops |= dict.fromkeys(left[splits[left] < 0].tolist(), unassigned)
    if not (splits >= 0).any():
        raise SplitError("no photo came into any split: see the options that leave photos out")
    warnings += [*_unknown(samples, splits), *_absent(classes, samples.classes[splits >= 0])]
    return SplitAssignment(splits, drops, tuple(warnings))


def leakage_report(
    samples: Samples,
    duplicates: Duplicates,
    assignment: SplitAssignment,
    catalog: Catalog,
    options: BuildOptions,
) -> LeakageReport:
    """Measure overlaps, deviations, agreement, and what random splits would have leaked.

    It is computed from the resulting splits alone.
    """
    splits = assignment.splits
    used = np.flatnonzero(splits >= 0)
    return LeakageReport(
        overlap=overlapping_groups(samples.people, splits),
        ties=len(duplicates.links),
        copies_across=duplicates.across(splits),
        largest_tie=duplicates.largest.groups,
        deviation=_deviation(samples, splits, catalog.classes.names, options.splits),
        random_leak=_random_leak(samples, used, options.splits),
        agreement={
            word: (found.records, found.majority, found.unanimous)
            for word, found in catalog.agreement.items()
        },
        unlabelled=catalog.matches.without_record if catalog.voted else 0,
        unmatched=catalog.matches.without_photo,
        augmented=int((splits == 0).sum()) * options.shards.augment,
        unknown_people=_unknown_people(samples, splits),
    )


def _conflicts(samples: Samples, duplicates: Duplicates, classes: Sequence[str]) -> dict[int, Drop]:
    """Drop every photo of a picture that has two classes: nothing says which one is true."""
    return {
        photo: Drop(
            Reason.CONFLICTING_LABEL,
            f"the same picture is {classes[samples.classes[other]]} as {samples.keys[other]}",
        )
        for photo, other in find_label_conflicts(duplicates.pairs, samples.classes).tolist()
    }


def _capped(samples: Samples, left: Ints, options: SplitOptions) -> dict[int, Drop]:
    stays = cap_photos(
        samples.people[left],
        samples.classes[left],
        samples.keys.take(left),
        seed=options.seed,
        max_per_subject=options.max_per_subject,
        max_per_class=options.max_per_class,
    )
    drop = Drop(Reason.CAPPED, "beyond --max-per-subject or --max-per-class")
    return dict.fromkeys(left[~stays].tolist(), drop)


def _without(rows: Ints, drops: dict[int, Drop]) -> Ints:
    return rows[~np.isin(rows, list(drops))]


def _assigned(
    samples: Samples, duplicates: Duplicates, left: Ints, options: SplitOptions
) -> tuple[NDArray[np.int8], list[str]]:
    """Return the splits of the samples that are left, and warnings."""
    if options.official:
        return _official(samples, duplicates, left, options)
    if options.split_by == "image":
        # As others do it, by chance and class alone: balance would hide how much that leaks.
        splits = _random_splits(samples, left, options)
        known, tests = measure_leakage(samples.people[left], splits)
        if not known:
            return splits, []
        return splits, [
            f"--split-by image leaks: {known} of {tests} test photos show a person of train; "
            "figures from this dataset say nothing about new people"
        ]
    splits = assign(
        duplicates.groups[left],
        samples.classes[left],
        options.ratios,
        group_keys=duplicates.group_keys,
        seed=options.seed,
        attributes=samples.attributes[left],
    )
    return splits, []


def _official(
    samples: Samples, duplicates: Duplicates, left: Ints, options: SplitOptions
) -> tuple[NDArray[np.int8], list[str]]:
    keys = samples.keys.take(left)
    own = np.array([_OFFICIAL[samples.official_split(key)] for key in keys], dtype=np.int8)
    splits, shared = assign_official(
        own,
        duplicates.groups[left],
        samples.classes[left],
        options.ratios,
        group_keys=duplicates.group_keys,
        seed=options.seed,
        attributes=samples.attributes[left],
        overlap=options.overlap,
    )
    if not shared.in_both:
        return splits, []
    action = "left out of" if options.overlap == "drop" else "left in"
    if not any(samples.subjects):
        return splits, [
            f"{shared.in_both} pictures are in more than one official split: their "
            f"{shared.training} copies in the earlier ones are {action} these"
        ]
    return splits, [
        f"{shared.in_both} people are in both official halves: their {shared.training} photos in "
        f"Training are {action} train and validation, their {shared.validation} in Validation "
        "are test"
    ]


def _random_splits(samples: Samples, rows: Ints, options: SplitOptions) -> NDArray[np.int8]:
    return assign_photos(
        samples.classes[rows], options.ratios, keys=samples.keys.take(rows), seed=options.seed
    )


def _straddling(samples: Samples, duplicates: Duplicates, splits: NDArray[np.int8]) -> list[str]:
    people, pictures = overlapping_groups(samples.people, splits), duplicates.across(splits)
    found = [f"{people} people"] if people else []
    found += [f"copies of {pictures} pictures"] if pictures else []
    if not found:
        return []
    return [f"--split-file puts {' and '.join(found)} into more than one split: it leaks"]


def _unknown(samples: Samples, splits: NDArray[np.int8]) -> list[str]:
    unknown, photos = _unknown_people(samples, splits), int((splits >= 0).sum())
    if not unknown:
        return []
    return [
        f"{unknown:,} of {photos:,} photos carry no person in their names: each is taken for a "
        "person of its own, so that a leak between the splits cannot be excluded"
    ]


def _unknown_people(samples: Samples, splits: NDArray[np.int8]) -> int:
    return sum(samples.subjects[i] is None for i in np.flatnonzero(splits >= 0).tolist())


def _absent(classes: Sequence[str], present: Ints) -> list[str]:
    there = set(present.tolist())
    absent = [name for i, name in enumerate(classes) if i not in there]
    if not absent:
        return []
    return [f"no example of {', '.join(absent)}: leave such a class out with --drop NAME"]


def _deviation(
    samples: Samples, splits: NDArray[np.int8], classes: Sequence[str], options: SplitOptions
) -> dict[str, tuple[float, ...]]:
    """Return by class the points by which each split misses its share, if shares were asked for.

    A split file asks for none. The official test split is fixed: only Training was divided.
    """
    if options.split_file or _has_official_validation(samples, options):
        return {}
    ratios = options.ratios
    if options.official:
        splits = np.where(splits == TEST, -1, splits).astype(np.int8)
        ratios = Ratios(ratios.train, ratios.validation, 0)
    missed = deviation(samples.classes, splits, ratios, len(classes))
    return {
        name: tuple(round(float(points), 4) for points in row)
        for name, row in zip(classes, missed, strict=True)
    }


def _has_official_validation(samples: Samples, options: SplitOptions) -> bool:
    """Return whether the archive has a validation split of its own, so that nothing is divided."""
    return options.official and any(
        samples.official_split(key) is Split.VALIDATION for key in samples.keys
    )


def _random_leak(samples: Samples, used: Ints, options: SplitOptions) -> tuple[int, int]:
    """Split the same photos by chance and class, as others do: known and all photos of test."""
    try:
        splits = _random_splits(samples, used, options)
    except SplitError:  # fewer photos than splits
        return (0, 0)
    known, photos = measure_leakage(samples.people[used], splits)
    return known, photos

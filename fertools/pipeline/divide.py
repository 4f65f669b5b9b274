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

from fertools.data import Drop, Reason
from fertools.errors import SplitError
from fertools.labels import official_half
from fertools.pipeline.copies import Copies
from fertools.pipeline.kept import Ints, Kept
from fertools.pipeline.options import SplitRule
from fertools.pipeline.splitfile import SplitTable
from fertools.splits import Half, assign, assign_photos, cap, leak, official, overlap

_HALVES = {None: Half.NEITHER, "training": Half.TRAINING, "validation": Half.VALIDATION}


@dataclass(frozen=True, slots=True)
class Division:
    """The splits of the kept photos, and who goes no further.

    splits    int8, (kept,): 0 train, 1 validation, 2 test, -1 left out
    drops     why each photo that was left out was
    warnings  what the user should know, a line each
    """

    splits: NDArray[np.int8]
    drops: dict[int, Drop] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def divide(kept: Kept, copies: Copies, names: Sequence[str], rule: SplitRule) -> Division:
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
    return Division(splits, drops, tuple(told))


def unknown_people(kept: Kept, splits: NDArray[np.int8]) -> int:
    """Count the photos in the splits whose name carries no person."""
    return sum(kept.subjects[i] is None for i in np.flatnonzero(splits >= 0).tolist())


def _assigned(
    kept: Kept, left: Ints, groups: Ints, order: Sequence[str], rule: SplitRule
) -> tuple[NDArray[np.int8], list[str]]:
    """Give the photos that are left their splits, and what there is to say about it."""
    if rule.official:
        return _official(kept, left, groups, order, rule)
    if rule.split_by == "image":
        # As others do it, chance and classes alone: balance would hide how much that leaks.
        splits = assign_photos(
            kept.classes[left], rule.ratios, keys=kept.keys.take(left), seed=rule.seed
        )
        known, tests = leak(kept.people[left], splits)
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
        order=order,
        seed=rule.seed,
        also=kept.also[left],
    )
    return splits, []


def _official(
    kept: Kept, left: Ints, groups: Ints, order: Sequence[str], rule: SplitRule
) -> tuple[NDArray[np.int8], list[str]]:
    halves = np.array([_HALVES[official_half(key)] for key in kept.keys.take(left)], dtype=np.int8)
    splits, found = official(
        halves,
        groups[left],
        kept.classes[left],
        rule.ratios,
        order=order,
        seed=rule.seed,
        also=kept.also[left],
        overlap=rule.overlap,
    )
    if not found.in_both:
        return splits, []
    fate = "left out of" if rule.overlap == "drop" else "left in"
    return splits, [
        f"{found.in_both} people are in both official halves: their {found.training} photos in "
        f"Training are {fate} train and validation, their {found.validation} in Validation are test"
    ]


def _straddling(kept: Kept, copies: Copies, splits: NDArray[np.int8]) -> list[str]:
    people, pictures = overlap(kept.people, splits), copies.across(splits)
    found = [f"{people} people"] if people else []
    found += [f"copies of {pictures} pictures"] if pictures else []
    if not found:
        return []
    return [f"--split-file puts {' and '.join(found)} into more than one split: it leaks"]


def _unknown(kept: Kept, splits: NDArray[np.int8]) -> list[str]:
    unknown, photos = unknown_people(kept, splits), int((splits >= 0).sum())
    if not unknown:
        return []
    return [
        f"{unknown:,} of {photos:,} photos carry no person in their names: each is taken for a "
        "person of its own, so that a leak between the splits cannot be excluded"
    ]


def _conflicts(kept: Kept, copies: Copies, names: Sequence[str]) -> dict[int, Drop]:
    """Drop every photo of a picture that is there under two classes: nothing says which is true."""
    return {
        photo: Drop(
            Reason.CONFLICTING_LABEL,
            f"the same picture is {names[kept.classes[other]]} as {kept.keys[other]}",
        )
        for photo, other in copies.conflicting(kept)
    }


def _repeats(kept: Kept, copies: Copies, dropped: dict[int, Drop]) -> dict[int, Drop]:
    return {
        later: Drop(Reason.DUPLICATE, f"the same picture as {kept.keys[first]}")
        for later, first in copies.repeats(kept, dropped).items()
    }


def _capped(kept: Kept, left: Ints, rule: SplitRule) -> dict[int, Drop]:
    stays = cap(
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

"""The official split: AI-Hub's Validation is the test split, its Training gives the other two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fertools.errors import SplitError
from fertools.splits.measure import TEST
from fertools.splits.ratios import Ratios
from fertools.splits.stratify import Ints, assign


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


def official(
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

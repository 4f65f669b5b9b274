"""Measure a division, from what came out and nothing else: does it leak, is it even?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fertools.errors import SplitError
from fertools.pipeline.catalog import Catalog
from fertools.pipeline.copies import Copies
from fertools.pipeline.divide import Division, unknown_people
from fertools.pipeline.kept import Ints, Kept
from fertools.pipeline.options import BuildOptions, SplitRule
from fertools.shards import Proof
from fertools.splits import TEST, Ratios, assign_photos, deviation, leak, overlap


def prove(
    kept: Kept, copies: Copies, division: Division, catalog: Catalog, options: BuildOptions
) -> Proof:
    """Measure a division: overlaps, deviations, agreement, and what chance would have leaked."""
    splits = division.splits
    used = np.flatnonzero(splits >= 0)
    return Proof(
        overlap=overlap(kept.people, splits),
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
    kept: Kept, splits: NDArray[np.int8], names: Sequence[str], rule: SplitRule
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


def _random_leak(kept: Kept, used: Ints, options: BuildOptions) -> tuple[int, int]:
    """Split the same photos by chance and class, as others do: known, photos of the test split."""
    rule = options.splits
    try:
        splits = assign_photos(
            kept.classes[used], rule.ratios, keys=kept.keys.take(used), seed=rule.seed
        )
    except SplitError:  # fewer photos than splits
        return (0, 0)
    known, photos = leak(kept.people[used], splits)
    return known, photos

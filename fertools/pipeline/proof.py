"""What shows that a division does not leak, computed from what came out and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fertools.errors import SplitError
from fertools.pipeline.catalog import Catalog
from fertools.pipeline.copies import Copies
from fertools.pipeline.divide import Division
from fertools.pipeline.kept import Kept
from fertools.pipeline.options import BuildOptions
from fertools.shards import Proof
from fertools.splits import assign, by_image, deviation, leak, overlap


def prove(
    kept: Kept, copies: Copies, division: Division, catalog: Catalog, options: BuildOptions
) -> Proof:
    """Measure a division: overlaps, deviations, agreement, and what chance would have leaked."""
    splits, names = division.splits, catalog.classes.names
    used = np.flatnonzero(splits >= 0)
    missed = deviation(kept.classes, splits, options.splits.ratios, len(names))
    return Proof(
        overlap=overlap(kept.people, splits),
        ties=len(copies.people(kept)),
        copies_across=copies.across(splits),
        largest_tie=copies.largest(kept),
        deviation={
            name: tuple(round(float(points), 4) for points in row)
            for name, row in zip(names, missed, strict=True)
        },
        random_leak=_random_leak(kept, used.tolist(), options),
        agreement={
            word: (found.records, found.majority, found.unanimous)
            for word, found in catalog.agreement.items()
        },
        unlabelled=catalog.joined.without_record if catalog.voted else 0,
        unmatched=catalog.joined.without_photo,
        augmented=int((splits == 0).sum()) * options.shards.augment,
    )


def _random_leak(kept: Kept, used: Sequence[int], options: BuildOptions) -> tuple[int, int]:
    """Split the same photos by chance and class, as others do: known, photos of the test split."""
    own, order = by_image([kept.keys[i] for i in used])
    rule = options.splits
    try:
        splits = assign(own, kept.classes[used], rule.ratios, order=order, seed=rule.seed)
    except SplitError:  # fewer photos than splits
        return (0, 0)
    known, photos = leak(kept.people[used], splits)
    return known, photos

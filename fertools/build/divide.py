"""Who is in which split: from the ledger's kept rows to one number each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.build.ledger import kept
from fertools.build.options import SplitRule
from fertools.labels import ClassMap
from fertools.splits import assign, by_image, by_subject, leak


def divide(
    table: pa.Table, classes: ClassMap, rule: SplitRule
) -> tuple[NDArray[np.int8], tuple[str, ...]]:
    """Give every ledger row its split (0 train, 1 validation, 2 test, -1 dropped) and warnings.

    A person's photos are one group; a kept photo without a person is a group of its own. Raises
    SplitError where the photos cannot be divided as asked.
    """
    rows = kept(table)
    labels, people, keys = (
        table[name].take(pa.array(rows)) for name in ("label", "subject", "key")
    )
    index = {name: i for i, name in enumerate(classes.names)}
    codes = np.array([index[name] for name in labels.to_pylist()], dtype=np.int64)
    people_of = by_subject(people.to_pylist(), keys.to_pylist())
    groups, order = people_of
    also: NDArray[np.int64] | None = np.stack(
        [_codes(table[name].take(pa.array(rows))) for name in ("sex", "age")], axis=1
    )
    if rule.split_by == "image":
        # As others do it, chance and classes alone: balance would hide how much that leaks.
        (groups, order), also = by_image(keys.to_pylist()), None
    chosen = assign(groups, codes, rule.ratios, order=order, seed=rule.seed, also=also)
    splits = np.full(table.num_rows, -1, dtype=np.int8)
    splits[rows] = chosen
    warnings = _absent(classes, set(codes.tolist()))
    if rule.split_by == "image":
        known, tests = leak(people_of[0], chosen)
        warnings += (
            f"--split-by image leaks: {known} of {tests} test photos show a person of train; "
            "figures from this dataset say nothing about new people",
        )
    return splits, warnings


def _absent(classes: ClassMap, present: set[int]) -> tuple[str, ...]:
    absent = [name for i, name in enumerate(classes.names) if i not in present]
    if not absent:
        return ()
    return (f"no example of {', '.join(absent)}: leave such a class out with --drop NAME",)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Number a column's values, -1 for null."""
    found = column.combine_chunks().dictionary_encode().indices
    return np.asarray(found.fill_null(-1), dtype=np.int64)

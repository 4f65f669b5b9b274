"""A dataset with several splits and shards, of crops that a tiny network can learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fertools.dataset.manifest import MANIFEST, Counts, LedgerFile, Manifest, SplitContents
from tests.training.fakes import example, write_dataset


def write_splits(out: Path, sizes: dict[str, int], **other: Any) -> Path:
    """Write a split of each size; labels go round, every example is a person of its own."""
    splits: dict[str, SplitContents] = {}
    first = 0
    for split, size in sizes.items():
        rows = range(first, first + size)
        write_dataset(out, [example(row, row % 3) for row in rows], split)
        splits |= Manifest.read(out).splits
        first += size
    manifest = replace(
        Manifest.read(out),
        splits=splits,
        counts=Counts(first, first, {}),
        ledger=LedgerFile("ledger.parquet", first, "0" * 64),
    )
    (out / MANIFEST).write_text(replace(manifest, **other).to_json(), "utf-8")
    return out

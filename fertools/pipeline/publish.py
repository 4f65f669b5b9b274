"""The last stage: the ledger, what others read, checksums and, when all is there, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

import fertools
from fertools.columns import Ints, by_first
from fertools.data import Split
from fertools.dataset.manifest import (
    SPLITS_CSV,
    ClassName,
    Counts,
    Images,
    LeakageReport,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
)
from fertools.dataset.sidecars import CHECKSUMS, sha256sums, sidecar_files
from fertools.files import whole_file, write_whole
from fertools.labels.classes import ClassMap
from fertools.options import BuildOptions
from fertools.pipeline import ledger
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.parts import KEPT
from fertools.pipeline.shards import ShardPlan
from fertools.splits.split_file import write_splits


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """What a dataset says about itself beside its rows: the head of its manifest.

    told       the options as they came out
    libraries  versions of what decided about pixels, and the detector's name
    source     the archive's fingerprint
    warnings   what the user was told of the splits, a line each
    """

    options: BuildOptions
    classes: ClassMap
    told: dict[str, Any]
    libraries: dict[str, str]
    source: str
    votes: bool
    proof: LeakageReport
    warnings: tuple[str, ...]
    unread: int


def publish(
    place: BuildDir,
    edition: ManifestHeader,
    table: ledger.Ledger,
    plan: ShardPlan,
    shards: Mapping[str, ShardFile],
) -> Manifest:
    """Write what stands beside the shards; `table` is the finished ledger."""
    with whole_file(place.out / ledger.LEDGER) as rows:
        ledger.write(table, rows)
    with whole_file(place.out / SPLITS_CSV) as splits:
        for text in write_splits(table.batches(names=("key", "subject", "split"))):
            splits.write(text)
    manifest = Manifest(
        fertools=fertools.__version__,
        name=edition.options.shards.name,
        version="1.0.0",
        classes=tuple(map(ClassName, edition.classes.names, edition.classes.english)),
        image=Images(edition.options.faces.size, edition.options.faces.file_format),
        counts=_counts(table),
        splits=_splits(plan, shards, table),
        ledger=LedgerFile(ledger.LEDGER, len(table), rows.sha256),
        options=edition.told,
        libraries=edition.libraries,
        source=edition.source,
        votes=edition.votes,
        proof=edition.proof,
        warnings=edition.warnings,
        unread=edition.unread,
    )
    for name, data in sidecar_files(manifest).items():
        write_whole(place.out / name, data)
    data = manifest.to_json().encode()
    digests = (sha256(data).hexdigest(), splits.sha256)
    write_whole(place.out / CHECKSUMS, sha256sums(manifest, *digests))
    write_whole(place.manifest, data)
    return manifest


def _counts(table: ledger.Ledger) -> Counts:
    outcomes = table.outcomes()
    kept = outcomes.pop(KEPT, 0)
    return Counts(len(table), kept, dict(outcomes))


def _splits(
    plan: ShardPlan, shards: Mapping[str, ShardFile], table: ledger.Ledger
) -> dict[str, SplitContents]:
    contents = {}
    classes, names = table.catalog.codes, table.catalog.classes.names
    subjects = table.catalog.labels.codes("subject")[0]
    for split in Split:
        if not (owned := plan.of(split)):
            continue
        rows = np.concatenate([plan.rows[i] for i in owned])
        contents[str(split)] = SplitContents(
            records=len(rows),
            subjects=int((np.unique(subjects[rows]) >= 0).sum()),
            classes={names[code]: count for code, count in _counted(classes[rows])},
            shards=tuple(shards[plan.names[i]] for i in owned),
        )
    return contents


def _counted(codes: Ints) -> list[tuple[int, int]]:
    """Count each code, in the order in which they come."""
    numbers, first = by_first(codes)
    return list(zip(codes[first].tolist(), np.bincount(numbers).tolist(), strict=True))

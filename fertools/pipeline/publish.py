"""Publish a dataset: write the ledger, the sidecar files, the checksums and, last, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

import fertools
from fertools.columns import Ints, number_by_first_row
from fertools.data import Split
from fertools.dataset.manifest import (
    SPLITS_CSV,
    ClassName,
    Counts,
    ImageSpec,
    LeakageReport,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
)
from fertools.dataset.sidecars import CHECKSUMS, sha256sums, sidecar_files
from fertools.files import whole_file, write_whole
from fertools.options import BuildOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.ledger import LEDGER, Ledger
from fertools.pipeline.parts import KEPT
from fertools.pipeline.shards import ShardPlan
from fertools.splits.split_file import write_splits


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """Manifest fields that do not depend on the rows.

    resolved_options  the options without `auto`
    libraries         the versions that decide about any byte, and the detector's name
    source            the archive's fingerprint
    warnings          of the splits, a line each
    unread            files of the archive that could not be read, photos apart
    """

    options: BuildOptions
    resolved_options: dict[str, Any]
    libraries: dict[str, str]
    source: str
    leakage: LeakageReport
    warnings: tuple[str, ...]
    unread: int


def publish(
    build_dir: BuildDir,
    header: ManifestHeader,
    ledger: Ledger,
    plan: ShardPlan,
    shards: Mapping[str, ShardFile],
) -> Manifest:
    """Write all files of OUT but the shards; the ledger has its placements."""
    out, classes = build_dir.out, ledger.catalog.classes
    with whole_file(out / LEDGER) as rows:
        ledger.write(rows)
    with whole_file(out / SPLITS_CSV) as splits:
        for text in write_splits(ledger.batches(names=("key", "subject", "split"))):
            splits.write(text)
    manifest = Manifest(
        fertools=fertools.__version__,
        name=header.options.shards.name,
        version="1.0.0",
        classes=tuple(map(ClassName, classes.names, classes.english)),
        image=ImageSpec(header.options.faces.size, header.options.faces.file_format),
        counts=_counts(ledger),
        splits=_splits(plan, shards, ledger),
        ledger=LedgerFile(LEDGER, len(ledger), rows.sha256),
        options=header.resolved_options,
        libraries=header.libraries,
        source=header.source,
        votes=ledger.catalog.voted,
        proof=header.leakage,
        warnings=header.warnings,
        unread=header.unread,
    )
    for name, data in sidecar_files(manifest).items():
        write_whole(out / name, data)
    data = manifest.to_json().encode()
    digests = (sha256(data).hexdigest(), splits.sha256)
    write_whole(out / CHECKSUMS, sha256sums(manifest, *digests))
    write_whole(build_dir.manifest, data)
    return manifest


def _counts(ledger: Ledger) -> Counts:
    outcomes = ledger.outcomes()
    kept = outcomes.pop(KEPT, 0)
    return Counts(len(ledger), kept, dict(outcomes))


def _splits(
    plan: ShardPlan, shards: Mapping[str, ShardFile], ledger: Ledger
) -> dict[str, SplitContents]:
    contents = {}
    catalog = ledger.catalog
    subjects = catalog.labels.codes("subject")[0]
    for split in Split:
        if not (owned := plan.of(split)):
            continue
        rows = np.concatenate([plan.rows[i] for i in owned])
        counts = _count_codes(catalog.class_index(rows))
        contents[str(split)] = SplitContents(
            records=len(rows),
            subjects=int((np.unique(subjects[rows]) >= 0).sum()),
            classes={catalog.classes.names[code]: count for code, count in counts},
            shards=tuple(shards[plan.names[i]] for i in owned),
        )
    return contents


def _count_codes(codes: Ints) -> list[tuple[int, int]]:
    """Count each code, in the order in which they occur first."""
    numbers, first = number_by_first_row(codes)
    return list(zip(codes[first].tolist(), np.bincount(numbers).tolist(), strict=True))

"""Publish a dataset: write the ledger, the sidecar files, the checksums and, last, the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import groupby
from typing import Any

import numpy as np

import fertools
from fertools.columns import number_by_first_row
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
from fertools.pipeline.labelling.catalog import Catalog
from fertools.pipeline.ledger import LEDGER, Ledger
from fertools.pipeline.parts import KEPT
from fertools.pipeline.shards import PlannedShard
from fertools.splits.split_file import write_splits


def publish(
    build_dir: BuildDir,
    ledger: Ledger,
    plan: Iterable[PlannedShard],
    shards: Mapping[str, ShardFile],
    *,
    options: BuildOptions,
    resolved_options: dict[str, Any],
    libraries: dict[str, str],
    source: str,
    leakage: LeakageReport,
    warnings: tuple[str, ...],
    unread: int,
) -> Manifest:
    """Write all files of OUT but the shards; the ledger has its placements.

    resolved_options  the options without `auto`
    libraries         the versions that decide about any byte, and the detector's name
    source            the archive's fingerprint
    warnings          of the splits, a line each
    unread            files of the archive that could not be read, photos apart
    """
    out, classes = build_dir.out, ledger.catalog.classes
    with whole_file(out / LEDGER) as rows:
        ledger.write(rows)
    with whole_file(out / SPLITS_CSV) as splits:
        for text in write_splits(ledger.batches(names=("key", "subject", "split"))):
            splits.write(text)
    outcomes = ledger.outcomes()
    kept = outcomes.pop(KEPT, 0)
    manifest = Manifest(
        fertools=fertools.__version__,
        name=options.shards.name,
        version="1.0.0",
        classes=tuple(map(ClassName, classes.names, classes.english)),
        image=ImageSpec(options.faces.size, options.faces.file_format),
        counts=Counts(len(ledger), kept, dict(outcomes)),
        splits=_splits(plan, shards, ledger.catalog),
        ledger=LedgerFile(LEDGER, len(ledger), rows.sha256),
        options=resolved_options,
        libraries=libraries,
        source=source,
        votes=ledger.catalog.voted,
        rule=ledger.catalog.rule,
        proof=leakage,
        warnings=warnings,
        unread=unread,
    )
    for name, data in sidecar_files(manifest).items():
        write_whole(out / name, data)
    data = manifest.to_json().encode()
    digests = (sha256(data).hexdigest(), splits.sha256)
    write_whole(out / CHECKSUMS, sha256sums(manifest, *digests))
    write_whole(build_dir.manifest, data)
    return manifest


def _splits(
    plan: Iterable[PlannedShard], shards: Mapping[str, ShardFile], catalog: Catalog
) -> dict[str, SplitContents]:
    """Return the contents of each split; `plan` has the shards of a split next to each other."""
    contents = {}
    subjects = catalog.labels.codes("subject")[0]
    for split, owned in groupby(plan, key=lambda shard: shard.split):
        own = list(owned)
        rows = np.concatenate([shard.rows for shard in own])
        numbers, first = number_by_first_row(catalog.class_or_drop[rows])
        names = [catalog.classes.names[code] for code in catalog.class_or_drop[rows[first]]]
        contents[str(split)] = SplitContents(
            records=len(rows),
            subjects=int((np.unique(subjects[rows]) >= 0).sum()),
            classes=dict(zip(names, np.bincount(numbers).tolist(), strict=True)),
            shards=tuple(shards[shard.name] for shard in own),
        )
    return contents

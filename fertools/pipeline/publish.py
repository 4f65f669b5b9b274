"""The last stage: the ledger, what others read, checksums and, when all is there, the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

import fertools
from fertools.data import Split
from fertools.labels import ClassMap
from fertools.pipeline import ledger
from fertools.pipeline.checksums import CHECKSUMS, checksums
from fertools.pipeline.options import BuildOptions
from fertools.pipeline.parts import KEPT
from fertools.pipeline.shardplan import ShardPlan
from fertools.pipeline.splitfile import SPLITS, write_splits
from fertools.pipeline.workplace import Workplace
from fertools.shards import (
    ClassName,
    Counts,
    Images,
    LedgerFile,
    Manifest,
    Proof,
    ShardFile,
    SplitContents,
    info_files,
    write_whole,
)


@dataclass(frozen=True, slots=True)
class Edition:
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
    proof: Proof
    warnings: tuple[str, ...]


def publish(
    place: Workplace,
    edition: Edition,
    table: pa.Table,
    plan: ShardPlan,
    shards: Mapping[str, ShardFile],
) -> Manifest:
    """Write what stands beside the shards; `table` is the finished ledger."""
    rows = ledger.encode(table)
    splits_csv = b"".join(write_splits(table.to_batches()))
    manifest = Manifest(
        fertools=fertools.__version__,
        name=edition.options.shards.name,
        version="1.0.0",
        classes=tuple(map(ClassName, edition.classes.names, edition.classes.english)),
        image=Images(edition.options.faces.size, edition.options.faces.file_format),
        counts=_counts(table),
        splits=_splits(plan, shards, table),
        ledger=LedgerFile(ledger.LEDGER, table.num_rows, sha256(rows).hexdigest()),
        options=edition.told,
        libraries=edition.libraries,
        source=edition.source,
        votes=edition.votes,
        proof=edition.proof,
        warnings=edition.warnings,
    )
    files = {ledger.LEDGER: rows, SPLITS: splits_csv, **info_files(manifest)}
    for name, data in files.items():
        write_whole(place.out / name, data)
    text = manifest.to_json().encode()
    digests = (sha256(data).hexdigest() for data in (text, splits_csv))
    write_whole(place.out / CHECKSUMS, checksums(manifest, *digests))
    write_whole(place.manifest, text)
    return manifest


def _counts(table: pa.Table) -> Counts:
    outcomes = Counter(table["outcome"].to_pylist())
    kept = outcomes.pop(KEPT, 0)
    return Counts(table.num_rows, kept, dict(outcomes))


def _splits(
    plan: ShardPlan, shards: Mapping[str, ShardFile], table: pa.Table
) -> dict[str, SplitContents]:
    contents = {}
    for split in Split:
        if not (owned := plan.of(split)):
            continue
        rows = table.take(pa.array(np.concatenate([plan.rows[i] for i in owned])))
        contents[str(split)] = SplitContents(
            records=rows.num_rows,
            subjects=len(set(rows["subject"].to_pylist()) - {None}),
            classes=dict(Counter(rows["label"].to_pylist())),
            shards=tuple(shards[plan.names[i]] for i in owned),
        )
    return contents

"""Publish a dataset: write the ledger, the sidecar files, the checksums and, last, the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import groupby
from typing import Any

import numpy as np

import fertools
from fertools.columns import BATCH_ROWS, Ints, number_by_first_row
from fertools.dataset.cards.croissant import croissant
from fertools.dataset.cards.datasheet import datasheet
from fertools.dataset.manifest import (
    CROISSANT,
    README,
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
from fertools.dataset.sidecars import CHECKSUMS, sha256sums, tfds_files
from fertools.files import whole_file, write_whole
from fertools.options import BuildOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.labelling.catalog import Catalog
from fertools.pipeline.ledger import LEDGER, Ledger
from fertools.pipeline.parts import KEPT
from fertools.pipeline.shards import PlannedShard
from fertools.splits.split_file import write_splits
from fertools.votes.agreement import alpha_terms, krippendorff_alpha, pair_terms, share


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
        groups=_groups(ledger),
        reliability=_reliability(ledger.catalog),
    )
    cards = {README: datasheet(manifest), CROISSANT: croissant(manifest)}
    manifest = replace(manifest, cards={n: sha256(card).hexdigest() for n, card in cards.items()})
    for name, data in (tfds_files(manifest) | cards).items():
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


def _groups(ledger: Ledger) -> dict[str, dict[str, tuple[int, ...]]]:
    """Count photos and people by sex and by age; "" is a group that no name states."""
    rows, labels = ledger.kept, ledger.catalog.labels
    subjects = labels.codes("subject")[0][rows].astype(np.int64)
    sexes, words = labels.codes("sex")
    ages, age_codes = np.unique(labels.numbers("age", fill=-1)[rows], return_inverse=True)
    decades = ["" if age < 0 else str(age) for age in ages.tolist()]
    return {
        "sex": _count(sexes[rows].astype(np.int64) % (len(words) + 1), [*words, ""], subjects),
        "age": _count(age_codes, decades, subjects),
    }


def _count(codes: Ints, names: list[str], subjects: Ints) -> dict[str, tuple[int, ...]]:
    """Count photos, and people who are known, of each name that occurs, in order."""
    photos = np.bincount(codes, minlength=len(names)).tolist()
    known = subjects >= 0
    pairs = np.unique(subjects[known] * len(names) + codes[known])
    people = np.bincount(pairs % len(names), minlength=len(names)).tolist()
    counts = zip(names, photos, people, strict=True)
    return {name: (number, own) for name, number, own in sorted(counts) if number}


def _reliability(catalog: Catalog) -> dict[str, float]:
    """Return how far annotators agree with each other, to 6 decimals; {} without such votes."""
    alpha, pairs = np.zeros(1 + len(catalog.classes.names)), np.zeros(2)
    photos = np.flatnonzero(catalog.vote_table.recorded)
    for first in range(0, len(photos), BATCH_ROWS):
        votes = catalog.votes(photos[first : first + BATCH_ROWS])
        alpha += alpha_terms(votes).sum(axis=0)
        pairs += pair_terms(votes).sum(axis=0)
    found = {"alpha": float(krippendorff_alpha(alpha)), "pairs": float(share(pairs))}
    return {} if np.isnan([*found.values()]).any() else {n: round(v, 6) for n, v in found.items()}

"""Write OUT/README.md: the datasheet of a dataset, for people.

Its sections follow Gebru et al., "Datasheets for Datasets" (Communications of the ACM 64(12), 2021;
arXiv:1803.09010), in an order for somebody who was just given the folder: what it is, how to read
it, then where it is from and how far it can be trusted. The facts are in facts.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fertools.dataset.cards import facts
from fertools.dataset.cards.markdown import bullets, escape, table
from fertools.dataset.cards.snippets import reading
from fertools.dataset.cards.steps import steps
from fertools.dataset.manifest import CROISSANT, MANIFEST, SPLITS_CSV, WORK_DIR, Manifest
from fertools.dataset.report import DatasetReport

#: Files of OUT, what they are, and whether they may leave the machine.
_FILES: Final = (
    ("`*.tfrecord-*`", "the crops, with labels and provenance", "where the terms allow it"),
    ("`*.idx-*`", "where each record begins, for random access", "with the shards"),
    (
        f"`README.md`, `{CROISSANT}`",
        "this datasheet, for people and for machines",
        "with the shards",
    ),
    (
        f"`{MANIFEST}`, `*.json`, `label.labels.txt`",
        "options, counts, formats",
        "with the shards",
    ),
    ("`SHA256SUMS`", "checksums of all files", "with the shards"),
)
_STAYS: Final = (
    (f"`{WORK_DIR}/`", "finished faces, plain names, the secret of the pseudonyms", "no"),
    (
        "`labels.parquet`, `suspects.csv`",
        "if made: what `fertools labels` and `suspects` found, **plain file names**",
        "no",
    ),
)


def datasheet(manifest: Manifest) -> bytes:
    """Return the bytes of README.md; equal manifests have equal bytes."""
    head = f"{escape(facts.summary(manifest))} {facts.PURPOSE} {facts.people_apart(manifest)}"
    blocks = [
        f"# {escape(manifest.name)}",
        head,
        sections(manifest, read_it=reading(manifest)),
        f"## What may leave this machine\n\n{_distribution(manifest)}",
        f"## Maintenance\n\n{bullets(_maintenance(manifest))}",
    ]
    return ("\n\n".join(blocks) + "\n").encode()


def sections(manifest: Manifest, read_it: str = "") -> str:
    """Return the sections that hold for the dataset in any form: for the cards of exports too.

    read_it   Markdown for a section of this name; without it there is none
    """
    body = {
        "What it holds": _composition(manifest),
        "Read it": read_it,
        "Where it is from": escape(facts.source(manifest)),
        "How it was made": _processing(manifest),
        "Do the splits leak?": _split_proof(manifest),
        "How far to trust the labels": _label_noise(manifest),
        "Uses": f"{facts.PURPOSE}\n\n{bullets(facts.MISUSES)}",
    }
    return "\n\n".join(f"## {heading}\n\n{text}" for heading, text in body.items() if text)


def _composition(manifest: Manifest) -> str:
    """Return tables: examples by class and split, groups of people, features of an example."""
    features = [(f"`{name}`", text) for name, text in facts.features(manifest)]
    blocks = [
        _class_table(manifest),
        _group_table(manifest),
        table(("of each example", "what it is"), features, escaped=True),
    ]
    return "\n\n".join(filter(None, blocks))


def _class_table(manifest: Manifest) -> str:
    """Return a table of the examples by class and split, with the people of each split."""
    splits, report = manifest.filled_splits, DatasetReport(Path(), manifest)
    rows: list[list[object]] = [
        [str(label), report.names_of(entry.name)]
        + [contents.classes.get(entry.name, 0) for contents in splits.values()]
        for label, entry in enumerate(manifest.classes)
    ]
    rows.append(["", "all", *(contents.records for contents in splits.values())])
    if any(contents.subjects for contents in splits.values()):
        rows.append(["", "people", *(contents.subjects for contents in splits.values())])
    return table(("label", "class", *splits), rows)


def _group_table(manifest: Manifest) -> str:
    rows = list(facts.groups(manifest))
    return table(("group", "photos", "people"), rows) if rows else ""


def _processing(manifest: Manifest) -> str:
    """Return a table of the build's steps, and one of what was left out."""
    blocks = [
        table(("step", "chosen"), steps(manifest)),
        f"All options and versions are in the dataset's `{MANIFEST}`.",
    ]
    if rows := [(f"`{reason}`", number) for reason, number in manifest.counts.reasons]:
        counts = manifest.counts
        blocks += [
            f"Of {counts.members:,} entries {counts.kept:,} are in the dataset. The others:",
            table(("left out because", "entries"), rows, escaped=True),
        ]
    return "\n\n".join(blocks)


def _split_proof(manifest: Manifest) -> str:
    """Return the figures on leaks."""
    return (
        "Counted in the finished dataset; `fertools verify` counts people and equal files "
        f"again.\n\n{bullets(facts.split_proof(manifest))}"
    )


def _label_noise(manifest: Manifest) -> str:
    """Return what is known about wrong labels."""
    blocks = [escape(facts.annotation(manifest))]
    if rows := list(facts.agreement(manifest)):
        head = ("name says", "records", "majority agrees", "all agree")
        blocks.append(table(head, rows))
    if known := list(facts.label_noise(manifest)):
        blocks.append(bullets(known))
    return "\n\n".join(blocks)


def _distribution(manifest: Manifest) -> str:
    """Return the terms, and which files may be passed on."""
    ledger = (f"`{manifest.ledger.file}`, `{SPLITS_CSV}`", "**plain file names and subject ids**")
    files = (*_FILES, (*ledger, "no"), *_STAYS)
    return "\n\n".join(
        [
            f"{facts.terms(manifest)} {facts.PERSONAL}",
            table(("file", "what it is", "may it leave?"), files, escaped=True),
            _pseudonyms(manifest),
        ]
    )


def _pseudonyms(manifest: Manifest) -> str:
    text = escape(facts.pseudonyms(manifest))
    return f"**{text}**" if manifest.options.get("keep_names") else text


def _maintenance(manifest: Manifest) -> Iterator[str]:
    yield "Whole and unchanged? fertools verify, or sha256sum --check SHA256SUMS."
    yield facts.MAINTENANCE
    yield f"Wrong labels are corrected in a new build: --labels FILE.csv. Format {manifest.format}."
    yield f"Cite: {facts.citation(manifest)}."

"""Write a dataset that is only a manifest and a ledger of drawn votes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fertools.columns import list_array
from fertools.dataset.manifest import MANIFEST, ClassName, Counts, ImageSpec, LedgerFile, Manifest
from fertools.inspection.ledger_rows import SLOTS
from fertools.labels.filename import EMOTIONS, UNKNOWN
from fertools.pipeline.ledger import LEDGER, SCHEMA
from tests.votes.drawn import Drawn, Ints


def write_voted(out: Path, drawn: Drawn, *, each: int = 50, slots: bool = True) -> Manifest:
    """Write OUT; the name is the uploader's word, and `each` photos are of one person.

    A missing vote is 알수없음 in the ledger. Without slots it is like a preset's dataset: only the
    counts of votes are there, and the names of classes are English.
    """
    names = EMOTIONS if slots else {english: english for english in EMOTIONS.values()}
    words = np.array([*names, UNKNOWN])
    out.mkdir(parents=True, exist_ok=True)
    rows = len(drawn.shown)
    people = np.arange(rows) // each
    columns = {name: pa.nulls(rows, SCHEMA.field(name).type) for name in SCHEMA.names}
    columns |= {
        "key": pa.array([f"1.Training/zip/{'x' * 80}{row}.jpg" for row in range(rows)]),
        "subject": pa.array([f"person{person:030}" for person in people.tolist()]),
        "sex": pa.array(np.array(["남", "여"])[people % 2]),
        "age": pa.array((people % 6 + 1) * 10, SCHEMA.field("age").type),
        "place": pa.array(np.array(["도심 환경", "실외 자연환경"])[np.arange(rows) % 2]),
        "emotion": pa.array(words[drawn.uploader]),
        "label": pa.array(words[drawn.uploader]),
        "votes": list_array(drawn.counts),
        "outcome": pa.array(["no_face"] * rows),
        "detail": pa.array([""] * rows),
    }
    if slots:
        said: list[Ints] = [drawn.uploader, *drawn.votes.T]
        columns |= {slot: pa.array(words[own]) for slot, own in zip(SLOTS, said, strict=True)}
    pq.write_table(pa.table(columns).cast(SCHEMA), out / LEDGER, compression="zstd")
    digest = hashlib.sha256((out / LEDGER).read_bytes()).hexdigest()
    manifest = Manifest(
        fertools="0",
        name="faces",
        version="1.0.0",
        classes=tuple(ClassName(*pair) for pair in names.items()),
        image=ImageSpec(64, "png"),
        counts=Counts(rows, 0, {"no_face": rows}),
        splits={},
        ledger=LedgerFile(LEDGER, rows, digest),
        options={"classes": "aihub7" if slots else "auto", "rename": [], "drop": []},
        libraries={},
        source="0" * 64,
        votes=True,
    )
    (out / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest

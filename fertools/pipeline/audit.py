"""Whether a dataset is what was built: every published byte, and what the files say of each other.

    metadata.json ──▶ info files, splits.csv, SHA256SUMS    written again and compared
          ├─────────▶ shards, ledger            SHA-256, sizes, counts
          └─────────▶ ledger ◀──▶ records       key, subject, label, box … of each, by its place
                        ├───▶ splits            nobody in two of them
                        └───▶ SRC               with --source: every member has its row

Each check is a generator of problems, a line each. The comparison of records with the ledger does
not use the code that wrote them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fertools.archive import printable, scan
from fertools.errors import DatasetError
from fertools.hashing import pseudonym
from fertools.pipeline.checksums import CHECKSUMS, checksums, published
from fertools.pipeline.dataset import source_fingerprint
from fertools.pipeline.parts import KEPT
from fertools.pipeline.progress import Progress
from fertools.pipeline.splitfile import SPLITS, write_splits
from fertools.shards import MANIFEST, Example, Manifest, ShardFile, info_files, read_records

#: After so many, it is clear that it is not the dataset that was built.
_TOLD: Final = 10

_Row = dict[str, Any]
_COLUMNS: Final = (
    *("key", "subject", "sex", "age", "label", "outcome", "bytes"),
    *("x0", "y0", "x1", "y1", "confidence", "split", "shard", "index", "copies"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: the first problems, none where the dataset is what was built."""

    out: Path
    problems: tuple[str, ...]
    files: int
    examples: int

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.problems

    def text(self) -> str:
        """Say it in lines."""
        out = printable(str(self.out))
        if self.ok:
            return f"{out} is as it was built: {self.files} files, {self.examples} examples"
        more = " (there may be more)" if len(self.problems) == _TOLD else ""
        return "\n".join(
            [
                f"{out} is not as it was built, {len(self.problems)} differences{more}:",
                *(f"  {printable(problem)}" for problem in self.problems),
                f"put a whole copy back, or remove {out}/{MANIFEST} and run the same "
                "build-dataset command: finished faces are kept",
            ]
        )


def verify(out: Path | str, source: Path | str | None = None, *, quiet: bool = False) -> Verdict:
    """Hold a dataset against its manifest, its ledger and, if given, the archive it is from.

    Up to ten problems are told. Raises DatasetError where `out` is no complete dataset, and
    SourceError where `source` is no archive.
    """
    out = Path(out)
    try:
        manifest = Manifest.read(out)
    except DatasetError as fault:
        if not (out / MANIFEST).is_file():
            raise
        return Verdict(out, (str(fault),), 0, 0)
    problems = _Check(out, manifest, quiet).problems(None if source is None else Path(source))
    return Verdict(
        out,
        tuple(islice(problems, _TOLD)),
        files=sum(path.is_file() for path in out.iterdir()),
        examples=sum(split.records for split in manifest.splits.values()),
    )


@dataclass(frozen=True)
class _Check:
    """A dataset being verified."""

    out: Path
    manifest: Manifest
    quiet: bool

    def problems(self, source: Path | None) -> Iterator[str]:
        yield from self._files()
        try:
            rows = self._rows
        except (OSError, pa.ArrowException, KeyError) as fault:
            told = " ".join(str(fault).split())
            yield f"{self.manifest.ledger.file}: it cannot be read: {told[:200]}"
            return
        yield from self._small_files()
        yield from self._ledger(rows)
        yield from self._classes(rows)
        yield from self._people(rows)
        yield from self._shards(rows)
        if source:
            yield from self._source(rows, source)

    @cached_property
    def _rows(self) -> list[_Row]:
        table = pq.read_table(self.out / self.manifest.ledger.file, columns=list(_COLUMNS))
        rows: list[_Row] = table.to_pylist()
        return rows

    @cached_property
    def _at(self) -> dict[tuple[str, int], dict[int, _Row]]:
        """The rows of each shard, by split and number, by their place in it."""
        found: dict[tuple[str, int], dict[int, _Row]] = defaultdict(dict)
        for row in self._rows:
            if row["split"] is not None:
                found[row["split"], row["shard"]][row["index"]] = row
        return found

    def _files(self) -> Iterator[str]:
        expected = {*published(self.manifest, b""), CHECKSUMS}
        there = {path.name for path in self.out.iterdir()} - {".fertools"}
        yield from (f"{name}: it is missing" for name in sorted(expected - there))
        yield from (f"{name}: it is not of this dataset" for name in sorted(there - expected))

    def _small_files(self) -> Iterator[str]:
        written = info_files(self.manifest)
        written[MANIFEST] = self.manifest.to_json().encode()
        written[SPLITS] = write_splits(self._rows)
        written[CHECKSUMS] = checksums(self.manifest, written[SPLITS])
        for name, data in written.items():
            path = self.out / name
            if path.is_file() and path.read_bytes() != data:
                yield f"{name}: it is not what the manifest and the ledger make of it"
        ledger = self.manifest.ledger
        if (self.out / ledger.file).is_file() and _sha256(self.out / ledger.file) != ledger.sha256:
            yield f"{ledger.file}: its SHA-256 is not the manifest's"

    def _ledger(self, rows: list[_Row]) -> Iterator[str]:
        counts = self.manifest.counts
        outcomes = Counter(row["outcome"] for row in rows)
        name = self.manifest.ledger.file
        if len(rows) != self.manifest.ledger.rows:
            yield f"{name}: {len(rows)} rows, the manifest says {self.manifest.ledger.rows}"
        if outcomes != Counter(counts.dropped | {KEPT: counts.kept}):
            yield f"{name}: its outcomes are not the manifest's counts"
        if len({row["key"] for row in rows}) != len(rows):
            yield f"{name}: a key stands there twice"
        for row in rows:
            if (row["outcome"] == KEPT) != (row["split"] is not None):
                yield f"{name}: {row['key']} is {row['outcome']} and in split {row['split']}"

    def _people(self, rows: list[_Row]) -> Iterator[str]:
        options = self.manifest.options
        splits: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row["split"] is not None and row["subject"] is not None:
                splits[row["subject"]].add(row["split"])
        for split, contents in self.manifest.splits.items():
            people = sum(split in where for where in splits.values())
            if people != contents.subjects:
                yield f"{split}: {people} people, the manifest says {contents.subjects}"
        if options.get("split_by") != "subject" or options.get("overlap") == "report":
            return
        for person, where in splits.items():
            if len(where) > 1:
                yield f"{person}: this person is in {' and '.join(sorted(where))}"

    def _shards(self, rows: list[_Row]) -> Iterator[str]:
        places = [
            (split, number, shard)
            for split, contents in self.manifest.splits.items()
            for number, shard in enumerate(contents.shards)
        ]
        known = {(split, number) for split, number, _ in places}
        for split, number in self._at.keys() - known:
            yield f"{self.manifest.ledger.file}: it knows of shard {number} of {split}"
        with Progress("verify", len(places), unit="shards", quiet=self.quiet) as shown:
            for split, number, shard in places:
                yield from self._shard(shard, self._at[split, number])
                shown.add(1)

    def _classes(self, rows: list[_Row]) -> Iterator[str]:
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if row["split"] is not None:  # an altered copy has its original's label, and no row
                counted[row["split"]][row["label"]] += 1 + (row["copies"] or 0)
        for split, contents in self.manifest.splits.items():
            if counted[split] != Counter(contents.classes):
                yield f"{split}: the ledger's classes are not the manifest's"

    def _shard(self, shard: ShardFile, rows: Mapping[int, _Row]) -> Iterator[str]:
        path = self.out / shard.file
        if not path.is_file():
            return
        if _sha256(path) != shard.sha256:
            yield f"{shard.file}: its SHA-256 is not the manifest's"
        if (size := path.stat().st_size) != shard.bytes:
            yield f"{shard.file}: {size} bytes, the manifest says {shard.bytes}"
        count = 0
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
                example = Example.from_bytes(data)
                if index in rows and (differs := self._differences(example, rows[index])):
                    yield f"{shard.file}: record {index} is not its row's in {', '.join(differs)}"
        except DatasetError as fault:
            yield f"{shard.file}: {fault}"
            return
        if rows and count <= max(rows):
            yield f"{shard.file}: {count} records, the ledger knows of record {max(rows)}"
        if count != shard.records:
            yield f"{shard.file}: {count} records, the manifest says {shard.records}"

    def _differences(self, example: Example, row: _Row) -> list[str]:
        """Name the fields in which a record is not what its row says."""
        names = [entry.name for entry in self.manifest.classes]
        box = example.box
        said = {
            "label": names[example.label] if example.label < len(names) else None,
            "key": example.key,
            "subject": example.subject,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
        }
        meant = {
            "label": row["label"],
            "key": self._shown(row["key"], "key"),
            "subject": self._shown(row["subject"], "subject"),
            "sex": row["sex"] or "",
            "age": -1 if row["age"] is None else row["age"],
            "box": tuple(float(np.float32(row[side])) for side in ("x0", "y0", "x1", "y1")),
            "confidence": row["confidence"],
        }
        return [field for field in said if said[field] != meant[field]]

    def _shown(self, name: str | None, purpose: str) -> str:
        """Give a name as records hold it: plain, or the pseudonym that the seed makes of it."""
        options = self.manifest.options
        if not name or options.get("keep_names"):
            return name or ""
        return pseudonym(int(options.get("seed", 0)), name, purpose)

    def _source(self, rows: list[_Row], source: Path) -> Iterator[str]:
        members = scan(source).members
        there = {m.key.encode("utf-8", "backslashreplace").decode(): m.size for m in members}
        here = {row["key"]: row["bytes"] for row in rows}
        yield from (f"{key}: in the archive, without a row" for key in there if key not in here)
        yield from (f"{key}: a row, not in the archive" for key in here if key not in there)
        for key in there.keys() & here.keys():
            if there[key] != here[key]:
                yield f"{key}: {there[key]} bytes in the archive, {here[key]} in its row"
        if source_fingerprint(members) != self.manifest.source:
            yield f"{source}: it is not the archive that the dataset was built from"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

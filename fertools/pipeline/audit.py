"""Whether a dataset is what was built: every published byte, and what the files say of each other.

    metadata.json ──▶ info files, splits.csv, SHA256SUMS    written again and compared
          ├─────────▶ shards, ledger            SHA-256, sizes, counts
          └─────────▶ ledger ◀──▶ records       key, subject, label, box … of each, by its place
                        ├───▶ splits            nobody in two of them
                        └───▶ SRC               with --source: every member has its row

Each check is a generator of problems, a line each; that of the records is in `crosscheck`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from fertools.archive import printable, scan
from fertools.errors import DatasetError
from fertools.paths import user_path
from fertools.pipeline.checksums import CHECKSUMS, checksums, published
from fertools.pipeline.crosscheck import Crosscheck, Row, sha256_of
from fertools.pipeline.identity import source_fingerprint
from fertools.pipeline.parts import KEPT
from fertools.pipeline.splitfile import SPLITS, write_splits
from fertools.shards import MANIFEST, Manifest, info_files

#: After so many, it is clear that it is not the dataset that was built.
_TOLD: Final = 10

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
    out = user_path(out)
    try:
        manifest = Manifest.read(out)
    except DatasetError as fault:
        if not (out / MANIFEST).is_file():
            raise
        return Verdict(out, (str(fault),), 0, 0)
    problems = _Check(out, manifest, quiet).problems(None if source is None else user_path(source))
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
        except (OSError, pa.ArrowException, ValueError, KeyError) as fault:  # or text that is none
            told = " ".join(str(fault).split())
            yield f"{self.manifest.ledger.file}: it cannot be read: {told[:200]}"
            return
        yield from self._small_files()
        yield from self._ledger(rows)
        yield from self._classes(rows)
        yield from self._people(rows)
        yield from Crosscheck(self.out, self.manifest, rows).problems(quiet=self.quiet)
        if source:
            yield from self._source(rows, source)

    @cached_property
    def _rows(self) -> list[Row]:
        table = pq.read_table(self.out / self.manifest.ledger.file, columns=list(_COLUMNS))
        rows: list[Row] = table.to_pylist()
        return rows

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
        if (self.out / ledger.file).is_file() and sha256_of(
            self.out / ledger.file
        ) != ledger.sha256:
            yield f"{ledger.file}: its SHA-256 is not the manifest's"

    def _ledger(self, rows: list[Row]) -> Iterator[str]:
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

    def _people(self, rows: list[Row]) -> Iterator[str]:
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

    def _classes(self, rows: list[Row]) -> Iterator[str]:
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if row["split"] is not None:  # an altered copy has its original's label, and no row
                counted[row["split"]][row["label"]] += 1 + (row["copies"] or 0)
        for split, contents in self.manifest.splits.items():
            if counted[split] != Counter(contents.classes):
                yield f"{split}: the ledger's classes are not the manifest's"

    def _source(self, rows: list[Row], source: Path) -> Iterator[str]:
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

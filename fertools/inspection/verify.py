"""Verify that a dataset is what was built: every published byte, and the files against each other.

    metadata.json ──▶ info files, splits.csv, SHA256SUMS    made again in memory and compared
          ├─────────▶ shards, ledger            SHA-256, sizes, counts
          └─────────▶ ledger ◀──▶ records       key, subject, label, box … of each (records.py)
                        ├───▶ splits            no person in two of them
                        └───▶ SRC               with --source: every member has its row

Each check is a generator of problems, a line each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from fertools.archive.identity import source_fingerprint
from fertools.archive.scan import scan
from fertools.checking import user_path
from fertools.dataset.manifest import (
    MANIFEST,
    SPLITS_CSV,
    SUSPECTS,
    WORK_DIR,
    Manifest,
)
from fertools.dataset.sidecars import CHECKSUMS, file_checksums, sha256sums, sidecar_checksums
from fertools.dataset.typed_json import canonical_json
from fertools.errors import DatasetError, OutputError, printable
from fertools.files import sha256_of
from fertools.inspection.corrections import correction_problems
from fertools.inspection.label_quality.ledger_votes import LABELS_FILE, ledger_of
from fertools.inspection.ledger_rows import SLOTS, LedgerRows, digests, sort_digests
from fertools.inspection.records import RecordCheck, RecordNames
from fertools.inspection.votes import Votes
from fertools.options import SourceOptions, VerifyOptions
from fertools.pipeline.build_dir import SEEN
from fertools.pipeline.instalments.merge import known_archive
from fertools.pipeline.instalments.seen import SeenStore
from fertools.pipeline.parts import KEPT
from fertools.splits.measures import overlapping_groups
from fertools.splits.split_file import write_splits

#: Problems that are reported: after so many it is clear that the dataset is not what was built.
_MOST: Final = 10

#: Files that a reader of the shards by pattern would read as well.
_SHARDS: Final = "*.tfrecord-*-of-*"


def verify(
    out: Path | str, source: Path | str | None = None, *, quiet: bool = False
) -> VerifyResult:
    """Compare a dataset with its manifest, its ledger and, if given, the archive it is from.

    Up to ten problems are reported. Raises DatasetError if `out` is no complete dataset, and
    SourceError if `source` is no archive.
    """
    options = VerifyOptions.of({"source": source, "quiet": quiet})
    out = user_path(out)
    try:
        manifest = Manifest.read(out)
    except DatasetError as fault:
        if not (out / MANIFEST).is_file():
            raise
        return VerifyResult(out, (str(fault),), 0, 0)
    check = _Check(out, manifest, options.quiet)
    archive = None if options.source is None else Path(options.source)
    problems = tuple(islice(check.problems(archive), _MOST))
    return VerifyResult(
        out,
        problems,
        files=len(check.expected & check.there),
        examples=sum(split.records for split in manifest.splits.values()),
        notes=tuple(check.notes()),
    )


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of `verify`: the first problems, none if the dataset is what was built.

    notes   files in the folder that are not of the dataset, and do no harm
    """

    out: Path
    problems: tuple[str, ...]
    files: int
    examples: int
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def text(self) -> str:
        out = printable(str(self.out))
        notes = [f"note: {printable(note)}" for note in self.notes]
        if self.ok:
            first = f"{out} is as it was built: {self.files} files, {self.examples} examples"
            return "\n".join([first, *notes])
        more = " (there may be more)" if len(self.problems) == _MOST else ""
        return "\n".join(
            [
                f"{out} is not as it was built, {len(self.problems)} differences{more}:",
                *(f"  {printable(problem)}" for problem in self.problems),
                *notes,
                f"put a whole copy back, or remove {out}/{MANIFEST} and run the same "
                "build-dataset command: finished faces are kept",
            ]
        )


@dataclass(frozen=True)
class _Check:
    """A dataset being verified."""

    out: Path
    manifest: Manifest
    quiet: bool

    def problems(self, source: Path | None) -> Iterator[str]:
        yield from self._files()
        names = RecordNames(self.out, self.manifest)
        try:
            rows = self._read_ledger(names)
        except (OSError, pa.ArrowException, ValueError, KeyError) as fault:  # invalid UTF-8 as well
            reason = " ".join(str(fault).split())
            yield f"{self.manifest.ledger.file}: it cannot be read: {reason[:200]}"
            return
        yield from self._small_files(rows)
        yield from self._ledger(rows)
        yield from self._classes(rows)
        yield from correction_problems(rows, self.manifest)
        yield from self._people(rows)
        yield from self._duplicates(rows)
        votes = Votes.of(rows, self.manifest)
        yield from votes.problems(self.manifest.ledger.file)
        records = RecordCheck(self.out, self.manifest, rows, names, votes)
        yield from records.problems(quiet=self.quiet)
        if source:
            yield from self._source(rows, source)

    def _read_ledger(self, names: RecordNames) -> LedgerRows:
        manifest = self.manifest
        votes = len(manifest.classes) if manifest.votes else 0
        words = (*(SLOTS if manifest.uploader else ()), *(("corrected",) if manifest.rule else ()))
        path = self.out / manifest.ledger.file
        return LedgerRows.read(path, names.key, votes=votes, words=words)

    @property
    def expected(self) -> set[str]:
        """The files that the dataset consists of."""
        return {*file_checksums(self.manifest, "", ""), CHECKSUMS}

    @property
    def there(self) -> set[str]:
        """The files in the folder, without the build's own and the list of suspects."""
        return {path.name for path in self.out.iterdir()} - {WORK_DIR, SUSPECTS}

    def notes(self) -> Iterator[str]:
        """Yield a line on each other file: a README, or one of a file manager or network disk.

        LABELS_FILE is made of the ledger later, by `labels`: it may be of an older one.
        """
        foreign = sorted(self.there - self.expected - {LABELS_FILE})
        harmless = [name for name in foreign if not fnmatch(name, _SHARDS)]
        yield from (f"{name} is not of this dataset" for name in harmless[:_MOST])
        labels = self.out / LABELS_FILE
        if labels.is_file() and ledger_of(labels) != self.manifest.ledger.sha256:
            yield f"{LABELS_FILE} is of another build: fertools labels {self.out} makes it again"

    def _files(self) -> Iterator[str]:
        expected, there = self.expected, self.there
        yield from (f"{name}: it is missing" for name in sorted(expected - there))
        for name in sorted(there - expected):
            if fnmatch(name, _SHARDS):
                yield f"{name}: it looks like a shard and is not of this dataset"

    def _small_files(self, rows: LedgerRows) -> Iterator[str]:
        """Compare the small files with what the manifest and the ledger make of them."""
        text = (self.out / MANIFEST).read_bytes()
        # Not `Manifest.to_json`: an older version wrote fewer fields.
        if text != canonical_json(json.loads(text)).encode():
            yield f"{MANIFEST}: it is not the text that fertools writes of it"
        splits = sha256()
        for piece in write_splits(rows.batches("key", "subject", "split")):
            splits.update(piece)
        sums = sha256sums(self.manifest, sha256(text).hexdigest(), splits.hexdigest())
        expected = sidecar_checksums(self.manifest)
        expected |= {CHECKSUMS: sha256(sums).hexdigest(), SPLITS_CSV: splits.hexdigest()}
        for name, digest in expected.items():
            path = self.out / name
            if path.is_file() and sha256_of(path) != digest:
                yield f"{name}: it is not what the manifest and the ledger make of it"
        ledger = self.manifest.ledger
        if sha256_of(self.out / ledger.file) != ledger.sha256:
            yield f"{ledger.file}: its SHA-256 is not the manifest's"

    def _ledger(self, rows: LedgerRows) -> Iterator[str]:
        counts = self.manifest.counts
        name = self.manifest.ledger.file
        outcome, split = rows.words["outcome"], rows.words["split"]
        if len(rows) != self.manifest.ledger.rows:
            yield f"{name}: {len(rows)} rows, the manifest says {self.manifest.ledger.rows}"
        numbers = np.bincount(outcome.codes + 1, minlength=len(outcome.words) + 1).tolist()
        found = Counter(dict(zip([None, *outcome.words], numbers, strict=True)))
        if found != Counter(counts.dropped | {KEPT: counts.kept}):
            yield f"{name}: its outcomes are not the manifest's counts"
        if sort_digests(rows.keys)[1].any():
            yield f"{name}: a key occurs twice"
        kept = outcome.codes == (outcome.words.index(KEPT) if KEPT in outcome.words else -2)
        wrong = np.flatnonzero(kept != (split.codes >= 0))[:_MOST].tolist()
        for row, key in zip(wrong, rows.key_texts(wrong), strict=True):
            yield f"{name}: {key} is {outcome.word(row)} and in split {split.word(row)}"

    def _people(self, rows: LedgerRows) -> Iterator[str]:
        """Compare the people in each split, and in several, with the manifest."""
        subject, split = rows.words["subject"], rows.words["split"]
        known = (subject.codes >= 0) & (split.codes >= 0)
        where = np.zeros((len(subject.words), len(split.words)), dtype=np.bool_)
        where[subject.codes[known], split.codes[known]] = True
        people = dict(zip(split.words, where.sum(axis=0).tolist(), strict=True))
        for name, contents in self.manifest.splits.items():
            if people[name] != contents.subjects:
                yield f"{name}: {people[name]} people, the manifest says {contents.subjects}"
        proof = self.manifest.proof
        unknown = int(((subject.codes < 0) & (split.codes >= 0)).sum())
        if proof.unknown_people and unknown != proof.unknown_people:  # 0: not recorded, or none
            yield f"{unknown} photos carry no person, the manifest says {proof.unknown_people}"
        straddling = np.flatnonzero(where.sum(axis=1) > 1).tolist()
        if len(straddling) == proof.overlap:
            return  # as it was built: a split file or --overlap report may have asked for it
        if proof.overlap:
            yield (
                f"{len(straddling)} people are in more than one split, the manifest says "
                f"{proof.overlap}"
            )
        for person in straddling[:_MOST]:
            splits = sorted(
                name for name, there in zip(split.words, where[person], strict=True) if there
            )
            yield f"{subject.words[person]}: this person is in {' and '.join(splits)}"

    def _duplicates(self, rows: LedgerRows) -> Iterator[str]:
        """Count the files that are in several splits byte for byte.

        The manifest counts pictures: these are some of them, and the ledger does not hold the rest.
        """
        split = rows.words["split"].codes
        used = np.flatnonzero((split >= 0) & rows.files.any(axis=1))
        order, same = sort_digests(rows.files[used])
        repeated = same | np.append(same[1:], False)[: len(same)]
        across = overlapping_groups(
            np.cumsum(~same)[repeated], split[used][order][repeated].astype(np.int8)
        )
        if across > self.manifest.proof.copies_across:
            yield (
                f"{across} files lie in more than one split byte for byte, the manifest says "
                f"{self.manifest.proof.copies_across} pictures"
            )

    def _classes(self, rows: LedgerRows) -> Iterator[str]:
        label, split = rows.words["label"], rows.words["split"]
        wide = len(label.words) + 1
        used = split.codes >= 0
        cells = split.codes[used].astype(np.int64) * wide + label.codes[used] + 1
        # An augmented copy has its original's label, and no row.
        times = 1 + np.maximum(rows.numbers["copies"][used], 0)
        counted = np.bincount(cells, times, minlength=wide * len(split.words)).reshape(-1, wide)
        for number, name in enumerate(split.words):
            if (contents := self.manifest.splits.get(name)) is None:
                continue
            found = Counter(dict(zip([None, *label.words], counted[number].tolist(), strict=True)))
            if found != Counter(contents.classes):
                yield f"{name}: the ledger's classes are not the manifest's"

    def _source(self, rows: LedgerRows, source: Path) -> Iterator[str]:
        store = SeenStore(self.out / WORK_DIR / SEEN)
        layout = SourceOptions.recorded(self.manifest.options).layout
        found = scan(source, layout, photos_needed=not store.exists)
        try:
            members = known_archive(found.members, store, overwrite=False).members
        except OutputError as fault:
            yield str(fault)
            return
        yield from found.faults
        order, same = sort_digests(np.concatenate([digests(members.keys), rows.keys]))
        alone = np.sort(order[~same & ~np.append(same[1:], False)[: len(same)]])
        there = alone[alone < len(members)][:_MOST].tolist()
        yield from (f"{members[i].key}: in the archive, without a row" for i in there)
        here = (alone[alone >= len(members)] - len(members))[:_MOST].tolist()
        yield from (f"{key}: a row, not in the archive" for key in rows.key_texts(here))
        pair = np.flatnonzero(same)
        # Stable: of an equal pair the member comes first.
        member, row = order[pair - 1], order[pair] - len(members)
        both = (member < len(members)) & (row >= 0)
        member, row = member[both], row[both]
        sizes = members.columns.numbers("size")
        differ = np.flatnonzero(sizes[member] != rows.numbers["bytes"][row])[:_MOST]
        for i, k in zip(member[differ].tolist(), row[differ].tolist(), strict=True):
            size = rows.numbers["bytes"][k]
            yield f"{members[i].key}: {sizes[i]} bytes in the archive, {size} in its row"
        if source_fingerprint(members) != self.manifest.source:
            yield f"{source}: it is not the archive that the dataset was built from"

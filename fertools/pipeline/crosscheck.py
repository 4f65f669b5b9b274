"""Whether every record is what its ledger row says, and every shard what the manifest says.

    manifest ──▶ shard     SHA-256, size, number of records
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, by its place

Problems come a line each. It reads what was written and uses none of the code that wrote it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.errors import DatasetError
from fertools.hashing import pseudonym
from fertools.pipeline.ledgerrows import Ints, LedgerRows, digest
from fertools.pipeline.progress import Progress
from fertools.shards import Example, Manifest, ShardFile, read_records

_SIDES: Final = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True)
class ShownNames:
    """How the records of a dataset show names."""

    manifest: Manifest

    def key(self, name: str) -> str:
        """Return a key as records hold it."""
        return self._shown(name, "key")

    def subject(self, name: str | None) -> str:
        """Return a subject as records hold it; "" where there is none."""
        return self._shown(name, "subject")

    def _shown(self, name: str | None, purpose: str) -> str:
        """Return a name as it is, or the pseudonym that the seed makes of it."""
        options = self.manifest.options
        if not name or options.get("keep_names"):
            return name or ""
        return pseudonym(int(options.get("seed", 0)), name, purpose)


@dataclass(frozen=True)
class Crosscheck:
    """A dataset's shards, and the ledger rows that say what they hold."""

    out: Path
    manifest: Manifest
    rows: LedgerRows
    names: ShownNames

    def problems(self, *, quiet: bool) -> Iterator[str]:
        """Yield what differs, shard by shard."""
        ledger = self.manifest.ledger.file
        places = [
            (split, number, shard)
            for split, contents in self.manifest.splits.items()
            for number, shard in enumerate(contents.shards)
        ]
        known = {(split, number) for split, number, _ in places}
        for split, number in sorted(self._at.keys() - known):
            yield f"{ledger}: it knows of shard {number} of {split}"
        with Progress("verify", len(places), unit="shards", quiet=quiet) as shown:
            for split, number, shard in places:
                rows = self._at.get((split, number), np.zeros(0, np.int64))
                indices = self.rows.numbers["index"][rows]
                if (indices[1:] == indices[:-1]).any():
                    yield f"{ledger}: two rows lie at one place of {shard.file}"
                yield from self._shard(shard, rows)
                shown.add(1)

    @cached_property
    def _at(self) -> dict[tuple[str, int], Ints]:
        """The rows of each shard, by split and number, in the order of their places in it."""
        split, numbers = self.rows.words["split"], self.rows.numbers
        used = np.flatnonzero(split.codes >= 0)
        shards, indices = numbers["shard"][used], numbers["index"][used]
        used = used[np.lexsort((indices, shards, split.codes[used]))]
        splits, shards = split.codes[used], numbers["shard"][used]
        ends = np.flatnonzero((splits[1:] != splits[:-1]) | (shards[1:] != shards[:-1])) + 1
        return {
            (split.words[split.codes[rows[0]]], int(numbers["shard"][rows[0]])): rows
            for rows in np.split(used, ends)
            if len(rows)
        }

    def _shard(self, shard: ShardFile, rows: Ints) -> Iterator[str]:
        path = self.out / shard.file
        if not path.is_file():
            return
        if sha256_of(path) != shard.sha256:
            yield f"{shard.file}: its SHA-256 is not the manifest's"
        if (size := path.stat().st_size) != shard.bytes:
            yield f"{shard.file}: {size} bytes, the manifest says {shard.bytes}"
        meant = dict(zip(self.rows.numbers["index"][rows].tolist(), rows.tolist(), strict=True))
        count = 0
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
                example = Example.from_bytes(data)
                if index in meant and (differs := self._differences(example, meant[index])):
                    yield f"{shard.file}: record {index} is not its row's in {', '.join(differs)}"
        except DatasetError as fault:
            yield f"{shard.file}: {fault}"
            return
        if meant and count <= max(meant):
            yield f"{shard.file}: {count} records, the ledger knows of record {max(meant)}"
        if count != shard.records:
            yield f"{shard.file}: {count} records, the manifest says {shard.records}"

    def _differences(self, example: Example, row: int) -> list[str]:
        """Name the fields in which a record is not what its row says."""
        names = [entry.name for entry in self.manifest.classes]
        box, words, numbers = example.box, self.rows.words, self.rows.numbers
        said: Mapping[str, Any] = {
            "label": names[example.label] if example.label < len(names) else None,
            "key": digest(example.key),
            "subject": example.subject,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
        }
        meant: Mapping[str, Any] = {
            "label": words["label"].word(row),
            "key": self.rows.shown[row].tobytes(),
            "subject": self.names.subject(words["subject"].word(row)),
            "sex": words["sex"].word(row) or "",
            "age": int(numbers["age"][row]),
            "box": tuple(float(np.float32(numbers[side][row])) for side in _SIDES),
            "confidence": float(self.rows.confidence[row]),
        }
        return [field for field in said if said[field] != meant[field]]


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256, 64 hex digits, in the memory of a buffer."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

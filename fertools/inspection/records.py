"""Compare every record with its ledger row, and every shard with the manifest.

    manifest ──▶ shard     SHA-256, size, number of records
    shard    ──▶ index     offset and length of each record
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, votes, uploader,
                           by shard and index

Problems are a line each. It reads what was written and uses none of the code that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from fertools.columns import Ints
from fertools.console import Progress
from fertools.dataset.example import Example
from fertools.dataset.index import index_name
from fertools.dataset.manifest import SECRET, WORK_DIR, Manifest, ShardFile
from fertools.dataset.tfrecord import FRAMING_BYTES, read_records
from fertools.errors import DatasetError
from fertools.files import sha256_of
from fertools.hashing import pseudonym
from fertools.inspection.ledger_rows import LedgerRows, digest
from fertools.inspection.votes import Votes

_SIDES: Final = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class RecordCheck:
    """The comparison of a dataset's shards with its ledger rows and manifest."""

    out: Path
    manifest: Manifest
    rows: LedgerRows
    names: RecordNames
    votes: Votes

    def problems(self, *, quiet: bool) -> Iterator[str]:
        ledger = self.manifest.ledger.file
        shards = {
            (split, number): shard
            for split, contents in self.manifest.splits.items()
            for number, shard in enumerate(contents.shards)
        }
        rows_of = self._rows_by_shard()
        for split, number in sorted(rows_of.keys() - shards.keys()):
            yield f"{ledger}: it has shard {number} of {split}, the manifest does not"
        with Progress("verify", len(shards), unit="shards", quiet=quiet) as progress:
            for place, shard in shards.items():
                rows = rows_of.get(place, np.zeros(0, np.int64))
                indices = self.rows.numbers["index"][rows]
                if (indices[1:] == indices[:-1]).any():
                    yield f"{ledger}: two rows have one index in {shard.file}"
                yield from self._shard(shard, rows)
                progress.add(1)

    def _rows_by_shard(self) -> dict[tuple[str, int], Ints]:
        """Return the rows of each shard, by split and number, in the order of their indices."""
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
        row_of = dict(zip(self.rows.numbers["index"][rows].tolist(), rows.tolist(), strict=True))
        count = offset = 0
        lines = sha256()
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
                length = len(data) + FRAMING_BYTES
                lines.update(b"%d %d\n" % (offset, length))
                offset += length
                example = Example.from_bytes(data)
                if index in row_of and (fields := self._differences(example, row_of[index])):
                    names = ", ".join(fields)
                    yield f"{shard.file}: record {index} differs from its row in {names}"
        except DatasetError as fault:
            yield f"{shard.file}: {fault}"
            return
        if row_of and count <= max(row_of):
            yield f"{shard.file}: {count} records, the ledger has record {max(row_of)}"
        if count != shard.records:
            yield f"{shard.file}: {count} records, the manifest says {shard.records}"
        yield from self._index(shard, lines.hexdigest())

    def _index(self, shard: ShardFile, expected: str) -> Iterator[str]:
        """Compare a shard's index with the SHA-256 of the index that its records make."""
        path = self.out / index_name(shard.file)
        if not shard.index or not path.is_file():
            return  # an older dataset, or missing, which is told of every file
        if shard.index != expected:
            yield f"{path.name}: the manifest's SHA-256 is not that of the shard's index"
        if sha256_of(path) != expected:
            yield f"{path.name}: it does not say where the shard's records are"

    def _differences(self, example: Example, row: int) -> list[str]:
        names = [entry.name for entry in self.manifest.classes]
        box, words, numbers = example.box, self.rows.words, self.rows.numbers
        actual: Mapping[str, Any] = {
            "label": names[example.label] if example.label < len(names) else None,
            "key": digest(example.key) if self.names.known else None,
            "subject": True,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
            "votes": example.votes,
            "uploader": example.uploader,
        }
        expected: Mapping[str, Any] = {
            "label": words["label"].word(row),
            "key": self.rows.record_keys[row].tobytes() if self.names.known else None,
            "subject": self.names.is_subject(example.subject, words["subject"].word(row)),
            "sex": words["sex"].word(row) or "",
            "age": int(numbers["age"][row]),
            "box": tuple(float(np.float32(numbers[side][row])) for side in _SIDES),
            "confidence": float(self.rows.confidence[row]),
            "votes": tuple(self.rows.votes[row].tolist()),
            "uploader": self.votes.uploader(row),
        }
        return [field for field in actual if actual[field] != expected[field]]


class RecordNames:
    """The names in the records of a dataset: plain, or pseudonyms.

    The secret of the pseudonyms is in OUT/.fertools. If that is missing, subjects can still be
    compared with each other: one name has one pseudonym.
    """

    def __init__(self, out: Path, manifest: Manifest) -> None:
        self._plain = bool(manifest.options.get("keep_names"))
        self._secret = _secret(out, manifest)
        #: Whether the name in a record can be computed.
        self.known = self._plain or self._secret is not None
        self._seen: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    def key(self, name: str) -> str:
        """Return a key as records hold it; "" if that is not known."""
        return self._in_record(name, "key") if self.known else ""

    def is_subject(self, recorded: str, name: str | None) -> bool:
        """Return whether a record's subject is that of its row; `name` is None for no person."""
        if not name or self.known:
            return recorded == self._in_record(name or "", "subject")
        return (
            self._seen.setdefault(name, recorded) == recorded
            and self._owners.setdefault(recorded, name) == name
        )

    def _in_record(self, name: str, purpose: str) -> str:
        if not name or self._plain or self._secret is None:
            return name
        return pseudonym(self._secret, name, purpose)


def _secret(out: Path, manifest: Manifest) -> bytes | None:
    """Read the key of the pseudonyms; fertools 0.1.0 used the digits of the seed."""
    if manifest.revision == 0:
        return str(manifest.options.get("seed", 0)).encode("ascii")
    try:
        return bytes.fromhex((out / WORK_DIR / SECRET).read_text("ascii"))
    except OSError:
        return None
    except ValueError:
        return b"damaged"  # then every record differs from its row, and that is reported

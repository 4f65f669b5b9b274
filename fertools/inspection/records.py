"""Compare every record with its ledger row, and every shard with the manifest.

    manifest ──▶ shard     SHA-256, size, number of records
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, by shard and index

Problems are a line each. It reads what was written and uses none of the code that wrote it.

    ledger.parquet ──65,536 rows──▶ words as codes · numbers · names as digests    112 bytes a row

A key has about 170 bytes as text, and a row as a Python dict 1.2 kB: ten million rows would be
12 GB. The text of a key is needed only for a line about a wrong row; those few keys are read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.console import Progress
from fertools.data import Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import SECRET, WORK_DIR, Manifest, ShardFile
from fertools.dataset.tfrecord import read_records
from fertools.errors import DatasetError
from fertools.files import sha256_of
from fertools.hashing import pseudonym

_SIDES: Final = ("x0", "y0", "x1", "y1")

Digests = NDArray[np.uint64]

_BATCH: Final = 65_536

_NUMBERS: Final = {
    "bytes": np.int64,
    "age": np.int32,
    **dict.fromkeys((*_SIDES, "shard", "index", "copies"), np.int32),
}
_WORDS: Final = ("outcome", "label", "subject", "sex", "split")


@dataclass(frozen=True)
class RecordCheck:
    """The comparison of a dataset's shards with its ledger rows and manifest."""

    out: Path
    manifest: Manifest
    rows: LedgerRows
    names: RecordNames

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
        count = 0
        try:
            for index, data in enumerate(read_records(path)):
                count += 1
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
        }
        expected: Mapping[str, Any] = {
            "label": words["label"].word(row),
            "key": self.rows.record_keys[row].tobytes() if self.names.known else None,
            "subject": self.names.is_subject(example.subject, words["subject"].word(row)),
            "sex": words["sex"].word(row) or "",
            "age": int(numbers["age"][row]),
            "box": tuple(float(np.float32(numbers[side][row])) for side in _SIDES),
            "confidence": float(self.rows.confidence[row]),
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


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """A column of text with few different values: `words[codes[i]]` is row i's; -1 is null."""

    words: list[str]
    codes: NDArray[np.int32]

    def word(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.words[code]


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """A ledger's rows, one array a column, all of one length; -1 and NaN are null.

    keys         uint64, (rows, 2): 128-bit digests of the keys
    record_keys  the same of the keys in the records
    files        the same of the column digest, 0 if it is null
    numbers      bytes, age, x0, y0, x1, y1, shard, index, copies by name
    confidence   float32
    words        outcome, label, subject, sex, split by name; splits are coded as in data.Split
    """

    path: Path
    keys: Digests
    record_keys: Digests
    files: Digests
    numbers: dict[str, NDArray[Any]]
    confidence: NDArray[np.float32]
    words: dict[str, CodedColumn]

    @classmethod
    def read(cls, path: Path, record_key: Callable[[str], str]) -> LedgerRows:
        """Read a ledger; `record_key` converts a key of the ledger to the form used in records.

        Raises OSError, ArrowException, ValueError or KeyError for a file that is no ledger.
        """
        codes: dict[str, dict[str, int]] = {name: {} for name in _WORDS}
        codes["split"] = {str(split): number for number, split in enumerate(Split)}
        found: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
        for batch in _batches(path, ("key", "digest", "confidence", *_NUMBERS, *_WORDS)):
            keys = batch["key"].to_pylist()
            found["keys"].append(digests(keys))
            found["record_keys"].append(digests([record_key(key) for key in keys]))
            found["files"].append(digests(batch["digest"].to_pylist()))
            found["confidence"].append(batch["confidence"].to_numpy(zero_copy_only=False))
            for name, kind in _NUMBERS.items():
                found[name].append(np.asarray(batch[name].fill_null(-1), kind))
            for name in _WORDS:
                found[name].append(_coded(batch[name], codes[name]))

        def column(name: str, *empty: int) -> NDArray[Any]:
            return np.concatenate(found.pop(name, [np.zeros((0, *empty), np.int64)]))

        return cls(
            path=path,
            keys=column("keys", 2),
            record_keys=column("record_keys", 2),
            files=column("files", 2),
            numbers={name: column(name) for name in _NUMBERS},
            confidence=column("confidence"),
            words={name: CodedColumn([*codes[name]], column(name)) for name in _WORDS},
        )

    def __len__(self) -> int:
        return len(self.keys)

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        return _batches(self.path, columns)

    def key_texts(self, rows: Sequence[int]) -> list[str]:
        """Read the keys of a few rows, given in ascending order."""
        texts, start, at = [], 0, 0
        for batch in self.batches("key"):
            while at < len(rows) and rows[at] < start + batch.num_rows:
                texts.append(batch["key"][rows[at] - start].as_py())
                at += 1
            start += batch.num_rows
        return texts


def digests(texts: Sequence[str | None]) -> Digests:
    """Return the 128-bit digests of texts, uint64, (texts, 2); that of None is 0."""
    joined = b"".join(bytes(16) if text is None else digest(text) for text in texts)
    return np.frombuffer(joined, np.uint64).reshape(-1, 2)


def digest(text: str) -> bytes:
    """Return the 128-bit digest of a text, 16 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def sort_digests(values: Digests) -> tuple[Ints, NDArray[np.bool_]]:
    """Sort digests, and find repeated ones.

    Returns the order, int64, (n,), and whether each equals the one before, bool, (n,).
    """
    order = np.lexsort((values[:, 1], values[:, 0]))
    ordered = values[order]
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return order, same


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH, columns=list(columns))


def _coded(column: pa.Array, codes: dict[str, int]) -> NDArray[np.int32]:
    """Replace words by their codes, and add codes for new words."""
    encoded = column.dictionary_encode()
    own = [codes.setdefault(word, len(codes)) for word in encoded.dictionary.to_pylist()]
    table = np.array([*own, -1], np.int32)
    coded: NDArray[np.int32] = table[np.asarray(encoded.indices.fill_null(-1))]
    return coded

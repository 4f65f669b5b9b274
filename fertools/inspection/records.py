"""Whether every record is what its ledger row says, and every shard what the manifest says.

    manifest ──▶ shard     SHA-256, size, number of records
    ledger   ──▶ record    key, subject, sex, age, label, box, confidence, by its place

Problems come a line each. It reads what was written and uses none of the code that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.console import Progress
from fertools.data import Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import HOME, SECRET, Manifest, ShardFile
from fertools.dataset.tfrecord import read_records
from fertools.errors import DatasetError
from fertools.files import sha256_of
from fertools.hashing import pseudonym

_SIDES: Final = ("x0", "y0", "x1", "y1")


class ShownNames:
    """How the records of a dataset show names: as they are, or as pseudonyms.

    The secret of the pseudonyms stays in OUT/.fertools. Where that is not at hand, the names of
    people are still held against each other: one name, one pseudonym.
    """

    def __init__(self, out: Path, manifest: Manifest) -> None:
        self.plain = bool(manifest.options.get("keep_names"))
        self._secret = _secret(out, manifest)
        self._seen: dict[str, str] = {}
        self._owners: dict[str, str] = {}

    @property
    def known(self) -> bool:
        """Whether a name's pseudonym can be computed."""
        return self.plain or self._secret is not None

    def key(self, name: str) -> str:
        """Return a key as records hold it; "" where that is not known."""
        return self._shown(name, "key") if self.known else ""

    def is_subject(self, shown: str, name: str | None) -> bool:
        """Return whether a record shows a subject as it must; `name` is None for no person."""
        if not name or self.known:
            return shown == self._shown(name or "", "subject")
        return (
            self._seen.setdefault(name, shown) == shown
            and self._owners.setdefault(shown, name) == name
        )

    def _shown(self, name: str, purpose: str) -> str:
        if not name or self.plain or self._secret is None:
            return name
        return pseudonym(self._secret, name, purpose)


def _secret(out: Path, manifest: Manifest) -> bytes | None:
    """Read what pseudonyms are keyed with; fertools 0.1.0 used the digits of the seed."""
    if manifest.revision == 0:
        return str(manifest.options.get("seed", 0)).encode("ascii")
    try:
        return bytes.fromhex((out / HOME / SECRET).read_text("ascii"))
    except OSError:
        return None
    except ValueError:
        return b"damaged"  # every record then differs from its row, which is what is to be told


@dataclass(frozen=True)
class RecordCheck:
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
            "key": digest(example.key) if self.names.known else None,
            "subject": True,
            "sex": example.sex,
            "age": example.age,
            "box": (box.x0, box.y0, box.x1, box.y1),
            "confidence": example.confidence,
        }
        meant: Mapping[str, Any] = {
            "label": words["label"].word(row),
            "key": self.rows.shown[row].tobytes() if self.names.known else None,
            "subject": self.names.is_subject(example.subject, words["subject"].word(row)),
            "sex": words["sex"].word(row) or "",
            "age": int(numbers["age"][row]),
            "box": tuple(float(np.float32(numbers[side][row])) for side in _SIDES),
            "confidence": float(self.rows.confidence[row]),
        }
        return [field for field in said if said[field] != meant[field]]


Ints = NDArray[np.int64]
Digests = NDArray[np.uint64]

_BATCH: Final = 65_536

_NUMBERS: Final = {
    "bytes": np.int64,
    "age": np.int32,
    **dict.fromkeys(("x0", "y0", "x1", "y1", "shard", "index", "copies"), np.int32),
}
_WORDS: Final = ("outcome", "label", "subject", "sex", "split")


@dataclass(frozen=True, slots=True)
class Words:
    """A column of text with few different values: `words[codes[i]]` is row i's; -1 is null."""

    words: list[str]
    codes: NDArray[np.int32]

    def word(self, row: int) -> str | None:
        """Return the text of a row."""
        code = int(self.codes[row])
        return None if code < 0 else self.words[code]


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """A ledger's rows, one array a column, all of one length; -1 and NaN are null.

    keys        uint64, (rows, 2): 128-bit digests of the keys
    shown       the same of what a record must hold as its key
    files       the same of the column digest, 0 where it is null
    numbers     bytes, age, x0, y0, x1, y1, shard, index, copies by name
    confidence  float32
    words       outcome, label, subject, sex, split by name; splits are coded as in data.Split
    """

    path: Path
    keys: Digests
    shown: Digests
    files: Digests
    numbers: dict[str, NDArray[Any]]
    confidence: NDArray[np.float32]
    words: dict[str, Words]

    @classmethod
    def read(cls, path: Path, shown: Callable[[str], str]) -> LedgerRows:
        """Read a ledger; `shown` is how records show a key.

        Raises OSError, ArrowException, ValueError or KeyError for a file that is no ledger.
        """
        codes: dict[str, dict[str, int]] = {name: {} for name in _WORDS}
        codes["split"] = {str(split): number for number, split in enumerate(Split)}
        found: dict[str, list[NDArray[Any]]] = {}

        def add(name: str, values: NDArray[Any]) -> None:
            found.setdefault(name, []).append(values)

        for batch in _batches(path, ("key", "digest", "confidence", *_NUMBERS, *_WORDS)):
            keys = batch["key"].to_pylist()
            add("keys", digests(keys))
            add("shown", digests([shown(key) for key in keys]))
            add("files", digests(batch["digest"].to_pylist()))
            add("confidence", batch["confidence"].to_numpy(zero_copy_only=False))
            for name, kind in _NUMBERS.items():
                add(name, np.asarray(batch[name].fill_null(-1), kind))
            for name in _WORDS:
                add(name, _coded(batch[name], codes[name]))

        def column(name: str, *empty: int) -> NDArray[Any]:
            return np.concatenate(found.pop(name, [np.zeros((0, *empty), np.int64)]))

        return cls(
            path=path,
            keys=column("keys", 2),
            shown=column("shown", 2),
            files=column("files", 2),
            numbers={name: column(name) for name in _NUMBERS},
            confidence=column("confidence"),
            words={name: Words([*codes[name]], column(name)) for name in _WORDS},
        )

    def __len__(self) -> int:
        return len(self.keys)

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Yield these columns of the file, a batch at a time."""
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
    """Return 16 bytes that no two texts share."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def repeats(values: Digests) -> tuple[Ints, NDArray[np.bool_]]:
    """Sort digests, and say which equal the one before.

    Returns the order, int64, (n,), and bool, (n,): the first is False.
    """
    order = np.lexsort((values[:, 1], values[:, 0]))
    laid = values[order]
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = (laid[1:] == laid[:-1]).all(axis=1)
    return order, same


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(_BATCH, columns=list(columns))


def _coded(column: pa.Array, codes: dict[str, int]) -> NDArray[np.int32]:
    """Replace words by their codes; new ones get the next."""
    encoded = column.dictionary_encode()
    own = [codes.setdefault(word, len(codes)) for word in encoded.dictionary.to_pylist()]
    table = np.array([*own, -1], np.int32)
    coded: NDArray[np.int32] = table[np.asarray(encoded.indices.fill_null(-1))]
    return coded

"""The ledger as `verify` holds it: columns of fixed width, read a batch at a time.

    ledger.parquet ──65,536 rows──▶ words as codes · numbers · names as digests    112 bytes a row

A key has about 170 bytes as text, and a row as a Python dict 1.2 kB: ten million rows would be
12 GB. Nothing here needs the text of a key but the lines about a row that is wrong, and those read
the few keys again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.data import Split

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

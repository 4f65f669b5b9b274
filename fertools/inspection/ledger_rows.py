"""Read a ledger into arrays, one a column: what `verify` compares everything with.

    ledger.parquet ──65,536 rows──▶ words as codes · numbers · names as digests    140 bytes a row

A key has about 170 bytes as text, and a row as a Python dict 1.2 kB: ten million rows would be
12 GB. The text of a key is needed only for a line about a wrong row; those few keys are read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Split

Digests = NDArray[np.uint64]

#: The columns of what uploader and annotators said, since format 2.
SLOTS: Final = ("uploader", "annot_a", "annot_b", "annot_c")

_BATCH: Final = 65_536

_SIDES: Final = ("x0", "y0", "x1", "y1")

_NUMBERS: Final = {
    "bytes": np.int64,
    "age": np.int32,
    **dict.fromkeys((*_SIDES, "shard", "index", "copies"), np.int32),
}
_WORDS: Final = ("outcome", "label", "subject", "sex", "split")


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
    votes        int16, (rows, classes), -1 for null; (rows, 0) for a dataset without votes
    words        outcome, label, subject, sex, split by name, and those of SLOTS and corrected that
                 the dataset has; splits are coded as in data.Split
    """

    path: Path
    keys: Digests
    record_keys: Digests
    files: Digests
    numbers: dict[str, NDArray[Any]]
    confidence: NDArray[np.float32]
    votes: NDArray[np.int16]
    words: dict[str, CodedColumn]

    @classmethod
    def read(
        cls,
        path: Path,
        record_key: Callable[[str], str],
        *,
        votes: int = 0,
        words: Sequence[str] = (),
    ) -> LedgerRows:
        """Read a ledger.

        record_key   converts a key of the ledger to the form used in records
        votes        the number of classes if the ledger has votes for them
        words        other columns of words that it has: SLOTS, corrected

        Raises OSError, ArrowException, ValueError or KeyError for a file that is no ledger.
        """
        names = (*_WORDS, *words)
        columns = ("key", "digest", "confidence", *_NUMBERS, *names, *(("votes",) if votes else ()))
        codes: dict[str, dict[str, int]] = {name: {} for name in names}
        codes["split"] = {str(split): number for number, split in enumerate(Split)}
        found: defaultdict[str, list[NDArray[Any]]] = defaultdict(list)
        for batch in _batches(path, columns):
            keys = batch["key"].to_pylist()
            found["keys"].append(digests(keys))
            found["record_keys"].append(digests([record_key(key) for key in keys]))
            found["files"].append(digests(batch["digest"].to_pylist()))
            found["confidence"].append(batch["confidence"].to_numpy(zero_copy_only=False))
            for name, kind in _NUMBERS.items():
                found[name].append(np.asarray(batch[name].fill_null(-1), kind))
            found["votes"].append(_vote_rows(batch, votes))
            for name in names:
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
            votes=column("votes", votes),
            words={name: CodedColumn([*codes[name]], column(name)) for name in names},
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


def _vote_rows(batch: pa.RecordBatch, classes: int) -> NDArray[np.int16]:
    """Return the votes of a batch's rows, int16, (rows, classes); -1 for null."""
    rows = np.full((len(batch), classes), -1, np.int16)
    if classes:
        rows[np.asarray(batch["votes"].is_valid())] = np.asarray(batch["votes"].flatten()).reshape(
            -1, classes
        )
    return rows

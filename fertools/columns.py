"""Keep millions of rows as Arrow record batches, in little more memory than their bytes.

    rows     0 … 32,767 │ 32,768 … 65,535 │ …
    batches      [0]            [1]          …     each with its own dictionaries

A `pa.Table` would hold the same, but `Table.take` first joins all chunks of a text column into one,
which doubles the memory and fails beyond 2 GiB of text.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_Item = TypeVar("_Item")

#: Rows a batch: enough that a call into Arrow costs little per row, few enough for Python objects.
BATCH: Final = 1 << 15

#: Items that `Lazy` makes when one is requested.
_BLOCK: Final = 1024

#: The memory pool of columns that stay: the default pool keeps up to twice what an array needs.
POOL: Final = pa.system_memory_pool()


class Columns:
    """Immutable record batches of one schema, read by row number."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self.schema = schema
        self.batches: tuple[pa.RecordBatch, ...] = tuple(b for b in batches if len(b))
        sizes = [0, *(len(batch) for batch in self.batches)]
        self.starts: Ints = np.cumsum(sizes, dtype=np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def slices(self, start: int = 0, stop: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows from `start` up to `stop`, at most one batch at a time, without a copy."""
        stop = len(self) if stop is None else min(stop, len(self))
        while start < stop:
            number = int(np.searchsorted(self.starts, start, side="right")) - 1
            first = int(self.starts[number])
            batch = self.batches[number].slice(start - first, stop - start)
            yield batch
            start += len(batch)

    def rows(self, start: int, stop: int) -> pa.RecordBatch:
        """Return the rows from `start` up to `stop` as one batch."""
        found = list(self.slices(start, stop))
        if not found:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        return found[0] if len(found) == 1 else pa.concat_batches(found)

    def take(self, rows: Ints) -> pa.RecordBatch:
        """Return the rows with these numbers, in this order, with repetitions."""
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        ends = np.searchsorted(ordered, self.starts)
        parts = [
            batch.take(pa.array(ordered[low:high] - first))
            for batch, first, low, high in zip(
                self.batches, self.starts[:-1], ends[:-1], ends[1:], strict=True
            )
            if low < high
        ]
        if not parts:
            return self.rows(0, 0)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return self._together(parts).take(pa.array(back))

    def _together(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Join a few rows of each batch, which have the dictionaries of their whole batches."""
        if len(parts) == 1:
            return parts[0]
        arrays = []
        for field in self.schema:
            own = [part[field.name] for part in parts]
            if pa.types.is_dictionary(field.type):
                # Joining them as they are would compare all words of all dictionaries.
                plain = [array.dictionary_decode() for array in own]
                arrays.append(pa.concat_arrays(plain).dictionary_encode())
            else:
                arrays.append(pa.concat_arrays(own))
        return pa.record_batch(arrays, schema=self.schema)

    def numbers(
        self, name: str, dtype: type[np.generic] = np.int64, *, fill: int = 0
    ) -> NDArray[Any]:
        """Return a column of numbers as one array, with `fill` for null."""
        found = np.empty(len(self), dtype)
        for batch, first in zip(self.batches, self.starts[:-1], strict=True):
            found[first : first + len(batch)] = np.asarray(batch[name].fill_null(fill))
        return found

    def codes(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        """Return a column of words as codes, int32, (rows,), -1 for null, and the distinct words.

        The words are in the order of their first row; a code is an index into them.
        """
        found = np.empty(len(self), np.int32)
        words: dict[str, int] = {}
        for batch, first in zip(self.batches, self.starts[:-1], strict=True):
            column = batch[name]
            own = column.dictionary.to_pylist()
            numbers = np.array([*(words.setdefault(word, len(words)) for word in own), -1])
            codes = column.indices.fill_null(len(own)).to_numpy(zero_copy_only=False)
            found[first : first + len(batch)] = numbers[codes]
        return found, list(words)

    def select(self, names: Sequence[str]) -> Columns:
        """Return some of the columns, without a copy."""
        schema = pa.schema([self.schema.field(name) for name in names])
        return Columns((batch.select(list(names)) for batch in self.batches), schema)


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as an Arrow array in `POOL`."""
    if pa.types.is_dictionary(kind):
        return pc.dictionary_encode(pa.array(values, kind.value_type), memory_pool=POOL)
    return pa.array(values, kind, memory_pool=POOL)


class Lazy(Sequence[_Item]):
    """A sequence that makes its items in blocks when they are read, best in order."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._first = 0
        self._block: list[_Item] = []

    @abstractmethod
    def items(self, start: int, stop: int) -> list[_Item]:
        """Return the items from `start` up to `stop`, which is at most the length."""

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Item]: ...

    def __getitem__(self, index: int | slice) -> _Item | list[_Item]:
        numbers = range(self._length)[index]
        if isinstance(numbers, range):
            if numbers.step == 1:
                return self.items(numbers.start, numbers.stop)
            return [self[i] for i in numbers]
        if not 0 <= numbers - self._first < len(self._block):
            self._first = numbers - numbers % _BLOCK
            self._block = self.items(self._first, min(self._first + _BLOCK, self._length))
        return self._block[numbers - self._first]

    def __iter__(self) -> Iterator[_Item]:
        for start in range(0, self._length, BATCH):
            yield from self.items(start, min(start + BATCH, self._length))


class Words(Lazy[str | None]):
    """A column of words, dictionary encoded: few distinct words in many rows.

    codes   int32, (rows,): the index of each row's word, -1 for None
    words   the distinct words
    """

    def __init__(self, codes: NDArray[np.int32], words: Sequence[str]) -> None:
        super().__init__(len(codes))
        self.codes = codes
        self.words = words

    def take(self, rows: Ints) -> Words:
        return Words(self.codes[rows], self.words)

    def items(self, start: int, stop: int) -> list[str | None]:
        codes = self.codes[start:stop].tolist()
        return [None if code < 0 else self.words[code] for code in codes]


def by_first(codes: NDArray[Any]) -> tuple[Ints, Ints]:
    """Renumber codes in the order of their first rows; return the new codes and the first rows.

    >>> by_first(np.array([7, 3, 7, 5]))
    (array([0, 1, 0, 2]), array([0, 1, 3]))
    """
    _, first, numbers = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[numbers], first[order]

"""Keep millions of rows as Arrow record batches, in little more memory than their values need.

    rows     0 … 32,767 │ 32,768 … 65,535 │ …
    batches      [0]            [1]          …     each with its own dictionaries

A `pa.Table` is not used: `Table.take` first joins all chunks of a text column into one, which
doubles the memory and fails beyond 2 GiB of text.
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

#: Rows in a batch: a call into Arrow costs little per row, a batch of objects little memory.
BATCH_ROWS: Final = 1 << 15

#: Items that `LazySequence` makes at a time.
_BLOCK_ITEMS: Final = 1024

#: The memory pool of long-lived columns: the default one allocates up to twice the bytes needed.
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
        """Yield the rows from `start` up to `stop` (excluded), batch by batch, without a copy."""
        stop = len(self) if stop is None else min(stop, len(self))
        while start < stop:
            i = int(np.searchsorted(self.starts, start, side="right")) - 1
            first = int(self.starts[i])
            batch = self.batches[i].slice(start - first, stop - start)
            yield batch
            start += len(batch)

    def rows(self, start: int, stop: int) -> pa.RecordBatch:
        """Return the rows from `start` up to `stop` (excluded) as one batch."""
        slices = list(self.slices(start, stop))
        if not slices:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        return slices[0] if len(slices) == 1 else pa.concat_batches(slices)

    def take(self, rows: Ints) -> pa.RecordBatch:
        """Return the rows with these row numbers, in this order; a number may be repeated."""
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
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))
        return self._join_parts(parts).take(pa.array(inverse))

    def _join_parts(self, parts: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Join rows of several batches; each part still has the dictionaries of its whole batch."""
        if len(parts) == 1:
            return parts[0]
        arrays = []
        for field in self.schema:
            columns = [part[field.name] for part in parts]
            if pa.types.is_dictionary(field.type):
                # Joining encoded arrays would compare all words of all dictionaries.
                plain = [column.dictionary_decode() for column in columns]
                arrays.append(pa.concat_arrays(plain).dictionary_encode())
            else:
                arrays.append(pa.concat_arrays(columns))
        return pa.record_batch(arrays, schema=self.schema)

    def numbers(
        self, name: str, dtype: type[np.generic] = np.int64, *, fill: int = 0
    ) -> NDArray[Any]:
        """Return a column of numbers as one array, with `fill` for null."""
        values = np.empty(len(self), dtype)
        for batch, first in zip(self.batches, self.starts[:-1], strict=True):
            values[first : first + len(batch)] = np.asarray(batch[name].fill_null(fill))
        return values

    def codes(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        """Number the words of a column by first occurrence; null becomes -1.

        Returns the codes, int32, (rows,), and the distinct words: a code is an index into them.
        """
        codes = np.empty(len(self), np.int32)
        words: dict[str, int] = {}
        for batch, first in zip(self.batches, self.starts[:-1], strict=True):
            encoded = batch[name]
            batch_words = encoded.dictionary.to_pylist()
            new_codes = [*(words.setdefault(word, len(words)) for word in batch_words), -1]
            indices = encoded.indices.fill_null(len(batch_words)).to_numpy(zero_copy_only=False)
            codes[first : first + len(batch)] = np.array(new_codes)[indices]
        return codes, list(words)

    def select(self, names: Sequence[str]) -> Columns:
        """Return the named columns, without a copy."""
        schema = pa.schema([self.schema.field(name) for name in names])
        return Columns((batch.select(list(names)) for batch in self.batches), schema)


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as an Arrow array in `POOL`."""
    if pa.types.is_dictionary(kind):
        return pc.dictionary_encode(pa.array(values, kind.value_type), memory_pool=POOL)
    return pa.array(values, kind, memory_pool=POOL)


def list_array(rows: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return the rows of an array of two dimensions as lists; null where `mask` is true."""
    flat, nulls = pa.array(rows.ravel()), None if mask is None else pa.array(mask)
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1], mask=nulls).cast(
        pa.list_(flat.type)
    )


class LazySequence(Sequence[_Item]):
    """A sequence that makes its items in blocks when they are read; reading in order is fastest."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._first = 0
        self._block: list[_Item] = []

    @abstractmethod
    def items(self, start: int, stop: int) -> list[_Item]:
        """Return the items from `start` up to `stop` (excluded, at most the length)."""

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
            self._first = numbers - numbers % _BLOCK_ITEMS
            self._block = self.items(self._first, min(self._first + _BLOCK_ITEMS, self._length))
        return self._block[numbers - self._first]

    def __iter__(self) -> Iterator[_Item]:
        for start in range(0, self._length, BATCH_ROWS):
            yield from self.items(start, min(start + BATCH_ROWS, self._length))


class Words(LazySequence[str | None]):
    """A dictionary-encoded column of words: few distinct words in many rows.

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


def number_by_first_row(codes: NDArray[Any]) -> tuple[Ints, Ints]:
    """Number codes by first occurrence; return the new codes and the first row of each, int64.

    >>> number_by_first_row(np.array([7, 3, 7, 5]))
    (array([0, 1, 0, 2]), array([0, 1, 3]))
    """
    _, first, numbers = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[numbers], first[order]

"""Count rows by their fields: cross tables, numbers in bins, people, and sessions.

A field is a column of words (`Words`): a row's class, sex, place, …; None if it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.checking import did_you_mean
from fertools.columns import Ints, Words
from fertools.errors import OptionError

#: Seconds between two photos of one session at most: a burst takes one photo every 1 to 3 seconds.
SESSION_GAP: Final = 60

#: In a text, the value of a field that is not known.
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class CrossTable:
    """How many photos have each combination of values that occurs.

    fields   the names of the fields
    counted  what is counted: "photos", or "entries" if the outcome is among the fields
    values   the values of each field that occur, in the order to show them
    rows     the values of the fields, and the number

    A value is None if it is not known.
    """

    fields: tuple[str, ...]
    counted: str
    values: tuple[tuple[str | None, ...], ...]
    rows: tuple[tuple[tuple[str | None, ...], int], ...]

    @property
    def flat_rows(self) -> list[tuple[str | int | None, ...]]:
        """The rows with the number as last value."""
        return [(*values, number) for values, number in self.rows]

    @property
    def transposed(self) -> CrossTable:
        """The same table with the fields in the opposite order."""
        rows = tuple((values[::-1], number) for values, number in self.rows)
        return CrossTable(self.fields[::-1], self.counted, self.values[::-1], rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a row is the values of the fields, then the number."""
        rows = [list(row) for row in self.flat_rows]
        values = [list(values) for values in self.values]
        return {"fields": [*self.fields], "counted": self.counted, "values": values, "rows": rows}


@dataclass(frozen=True, slots=True)
class Container:
    """A folder or zip: its entries, the photos among them, and the bytes of these photos."""

    container: str
    entries: int
    photos: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FieldColumns:
    """The fields of all entries, columns of one length.

    columns   by field, the words in the order in which tables show them
    is_photo  whether the entry is a photo that a build processes, or an example; bool, (entries,)
    """

    columns: Mapping[str, Words]
    is_photo: NDArray[np.bool_]

    def cross_table(self, fields: Sequence[str]) -> CrossTable:
        """Count the photos, or all entries if "outcome" is among the fields."""
        chosen = [self.columns[name] for name in fields]
        entries = "outcome" in fields
        rows = np.flatnonzero(self.is_photo | entries)
        # A value that is not known comes last: its code -1 becomes the number of words.
        codes = [np.where(c.codes < 0, len(c.words), c.codes)[rows] for c in chosen]
        shape = [len(column.words) + 1 for column in chosen]
        found, numbers = _unique_tuples(codes, shape)
        values = (_words_of(c, np.unique(own)) for c, own in zip(chosen, found, strict=True))
        combinations = zip(*map(_words_of, chosen, found), strict=True)
        return CrossTable(
            tuple(fields),
            "entries" if entries else "photos",
            tuple(map(tuple, values)),
            tuple(zip(combinations, numbers.tolist(), strict=True)),
        )

    def count(self, field: str) -> dict[str, int]:
        """Count the photos by one field, in the order of its words; UNKNOWN comes last."""
        table = self.cross_table([field])
        return {UNKNOWN if value is None else value: number for (value,), number in table.rows}

    def containers(self, sizes: Ints) -> tuple[Container, ...]:
        """Count the entries of each folder and zip; `sizes` are the bytes of all entries."""
        column = self.columns["container"]
        codes, photos = column.codes, self.is_photo
        counts = (
            np.bincount(codes, minlength=len(column.words)),
            np.bincount(codes[photos], minlength=len(column.words)),
            np.bincount(codes[photos], sizes[photos], minlength=len(column.words)),
        )
        return tuple(
            Container(name, int(entries), int(kept), int(size))
            for name, entries, kept, size in zip(column.words, *counts, strict=True)
        )

    def sessions(self, times: Ints) -> tuple[int, int, int, int]:
        """Return how many sessions there are, and the fewest, median and most photos of one.

        A session is one person's burst: photos of one emotion and place that follow each other
        within SESSION_GAP seconds. A photo without a subject or a time is not counted.

        times   of all entries in seconds, as `seconds_of` returns them
        """
        rows = np.flatnonzero(self.is_photo)
        columns = [self.columns[name].take(rows) for name in ("subject", "emotion", "place")]
        return _spread(_session_sizes(columns, times[rows]))

    def people(self) -> tuple[int, int, int, int]:
        """Return how many people there are, and the fewest, median and most photos of one."""
        subjects = self.cross_table(["subject"]).rows
        return _spread(np.array([number for (value,), number in subjects if value is not None]))


def parse_fields(
    texts: Sequence[str], known: Sequence[str], of_datasets: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the field names in texts such as "class,sex"; raise OptionError for another name.

    of_datasets   fields that are not known here, as only a built dataset has them
    """
    names = tuple(name.strip() for text in texts for name in text.split(","))
    for name in names:
        if name in of_datasets:
            raise OptionError(
                f"--by {name}: only a built dataset has this field: give that, or "
                f"choose from {', '.join(known)}"
            )
        if name not in known:
            raise OptionError(
                f"--by {name}: there is no such field{did_you_mean(name, known)}; "
                f"choose from {', '.join(known)}"
            )
    if repeated := [name for name in names if names.count(name) > 1]:
        raise OptionError(f"--by names {repeated[0]} twice: name each field once")
    return names


def sorted_words(words: Words, order: Sequence[str] = ()) -> Words:
    """Return a column with its words sorted: first those of `order`, then the others by text."""
    rank = {word: number for number, word in enumerate(order)}
    names = sorted(words.words, key=lambda word: (rank.get(word, len(rank)), word))
    position = {word: number for number, word in enumerate(names)}
    codes = np.array([*(position[word] for word in words.words), -1], np.int32)
    return Words(codes[words.codes], names)


def words_of_numbers(numbers: NDArray[Any]) -> Words:
    """Return a column of whole numbers as words, ascending; a negative number is not known."""
    values, codes = np.unique(np.maximum(numbers, -1), return_inverse=True)
    unknown = int(np.searchsorted(values, 0))  # 1 if -1 is among the values, else 0
    return Words((codes - unknown).astype(np.int32), [str(v) for v in values[unknown:].tolist()])


def _spread(numbers: NDArray[Any]) -> tuple[int, int, int, int]:
    """Return how many numbers there are, and the smallest, the median and the largest."""
    if not len(numbers):
        return 0, 0, 0, 0
    ordered = np.sort(numbers)
    return len(ordered), int(ordered[0]), int(ordered[len(ordered) // 2]), int(ordered[-1])


def _session_sizes(columns: Sequence[Words], times: Ints) -> Ints:
    """Return the number of photos of each session; the first column is the subject."""
    rows = np.flatnonzero((columns[0].codes >= 0) & (times >= 0))
    if not len(rows):
        return np.zeros(0, np.int64)
    keys: list[Ints] = [times[rows], *(column.codes[rows].astype(np.int64) for column in columns)]
    order = np.lexsort(keys)
    begins = np.diff(keys[0][order]) > SESSION_GAP
    for key in keys[1:]:
        begins |= np.diff(key[order]) != 0
    return np.diff([0, *(np.flatnonzero(begins) + 1).tolist(), len(rows)])


def seconds_of(stamps: Iterable[str | None]) -> Ints:
    """Return times as seconds, -1 if not known: a stamp is YYYYMMDDhhmmss, its end may be missing.

    Every month counts 31 days: only differences of less than a day are used, and a wrong date such
    as 20210231 is no error.
    """
    digits = np.fromiter(map(_fourteen_digits, stamps), np.int64)
    unknown, seconds = digits < 0, np.zeros_like(digits)
    for unit, size in ((10**10, 12), (10**8, 31), (10**6, 24), (10**4, 60), (100, 60)):
        seconds = (seconds + digits // unit) * size
        digits = digits % unit
    return np.where(unknown, -1, seconds + digits)


def _fourteen_digits(stamp: str | None) -> int:
    known = stamp and stamp.isdecimal() and len(stamp) <= 14
    return int(f"{stamp:0<14}") if known else -1


@dataclass(frozen=True, slots=True)
class Histogram:
    """Numbers in bins: counts[i] of them are at least edges[i] and less than edges[i + 1].

    The last bin includes its upper edge. All numbers are 0 where there is nothing to count.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: NDArray[Any], edges: Sequence[float]) -> Histogram:
        """Count values, all within the edges; empty bins at both ends are left out."""
        if not len(values):
            return cls((0.0, 0.0), (0,), 0.0, 0.0, 0.0)
        counts, _ = np.histogram(values, edges)
        used = np.flatnonzero(counts)
        first, end = int(used[0]), int(used[-1]) + 1
        facts = (float(f(values)) for f in (np.min, np.median, np.max))
        return cls(
            tuple(float(edge) for edge in edges[first : end + 1]),
            tuple(counts[first:end].tolist()),
            *(round(fact, 4) for fact in facts),
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def rows(self) -> Iterator[tuple[float, float, int]]:
        """Yield the edges and the count of each bin."""
        for (low, high), count in zip(pairwise(self.edges), self.counts, strict=True):
            yield low, high, count


def _unique_tuples(
    codes: Sequence[NDArray[Any]], shape: Sequence[int]
) -> tuple[list[NDArray[Any]], Ints]:
    """Return the combinations of codes that occur, a column each, and how often; sorted."""
    if not len(codes[0]):
        return [codes[0]] * len(codes), np.zeros(0, np.int64)
    numbers = np.zeros(len(codes[0]), np.int64)
    for column, size in zip(codes, shape, strict=True):
        # Numbered anew after each column: the product of all sizes may exceed int64.
        numbers = np.unique(numbers * size + column, return_inverse=True)[1]
    _, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    return [column[first] for column in codes], counts


def _words_of(column: Words, codes: NDArray[Any]) -> list[str | None]:
    names = [*column.words, None]
    return [names[code] for code in codes.tolist()]

"""The archive's members as columns, and one of them as a `Member` when it is asked for.

    key = prefix + rest     …/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076…_여_30_기쁨_도심 환경_ │ 2021….jpg

A key takes 180 bytes, of which all but 26 are the same for a burst of photos. So each batch keeps
its prefixes once: a member takes 120 bytes, as Python objects it took 720.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fertools.columns import BATCH, Columns, Ints, Lazy, column
from fertools.data import Drop, Member, Packed, Reason

_TEXT: Final = pa.large_string()  # 65,536 names of a hostile zip may have more than 2 GiB

#: path is null where it is the key's own bytes; offset … crc are null for a loose file; dropped
#: is an index into `Members.drops`, -1 for what may be a photo.
SCHEMA: Final = pa.schema(
    [
        ("prefix", pa.dictionary(pa.int32(), _TEXT)),
        ("rest", _TEXT),
        ("container", pa.dictionary(pa.int32(), _TEXT)),
        ("path", pa.dictionary(pa.int32(), pa.binary())),
        ("size", pa.int64()),
        ("modified", pa.int64()),
        ("offset", pa.int64()),
        ("packed_size", pa.int64()),
        ("method", pa.uint16()),
        ("crc", pa.uint32()),
        ("dropped", pa.int32()),
    ]
)


class Members(Sequence[Member]):
    """Members in the order of the build; what is sliced or taken shares the columns.

    columns   by SCHEMA
    drops     what the column `dropped` points to
    """

    def __init__(self, columns: Columns, drops: Sequence[Drop]) -> None:
        self.columns = columns
        self.drops = tuple(drops)

    @classmethod
    def of(cls, members: Iterable[Member]) -> Members:
        """Pack members, in the order given."""
        draft = Draft()
        left = iter(members)
        while some := list(islice(left, BATCH)):
            draft.add(some)
        return draft.members()

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Members: ...

    def __getitem__(self, index: int | slice) -> Member | Members:
        rows = range(len(self))[index]
        if isinstance(rows, int):
            return next(self._made(next(self.columns.slices(rows, rows + 1))))
        if rows.step == 1:
            return Members(Columns(self.columns.slices(rows.start, rows.stop), SCHEMA), self.drops)
        return self.take(np.array(rows, dtype=np.int64))

    def __iter__(self) -> Iterator[Member]:
        for batch in self.columns.slices():
            yield from self._made(batch)

    def take(self, rows: Ints) -> Members:
        """Return the members of these numbers, in the order given."""
        return Members(Columns([self.columns.take(rows)], SCHEMA), self.drops)

    @property
    def keys(self) -> Keys:
        """The members' keys."""
        return self.keys_at(np.arange(len(self)))

    def keys_at(self, rows: Ints) -> Keys:
        """Return the keys of the members of these numbers."""
        return Keys(self.columns.select(("prefix", "rest")), rows)

    @property
    def photos(self) -> Keys:
        """The keys of those that may be photos."""
        return self.keys_at(np.flatnonzero(self.dropped < 0))

    @property
    def dropped(self) -> NDArray[np.int32]:
        """The index into `drops` of each member, -1 for what may be a photo; int32."""
        return self.columns.numbers("dropped", np.int32)

    @property
    def size(self) -> int:
        """Bytes of all members, uncompressed."""
        return int(self.columns.numbers("size").sum())

    def _made(self, batch: pa.RecordBatch) -> Iterator[Member]:
        keys = keys_of(batch).to_pylist()
        own = (batch[name].to_pylist() for name in SCHEMA.names[2:])
        for key, container, path, size, modified, offset, packed_size, method, crc, drop in zip(
            keys, *own, strict=True
        ):
            yield Member(
                key=key,
                container=container,
                path=key.encode() if path is None else path,
                size=size,
                modified=modified,
                packed=None if offset is None else Packed(offset, packed_size, method, crc),
                dropped=None if drop < 0 else self.drops[drop],
            )


class Keys(Lazy[str]):
    """Keys of members."""

    def __init__(self, columns: Columns, rows: Ints) -> None:
        super().__init__(len(rows))
        self._columns = columns
        self._rows = rows

    def take(self, numbers: Ints) -> Keys:
        """Return some of the keys, in the order given."""
        return Keys(self._columns, self._rows[numbers])

    def items(self, start: int, stop: int) -> list[str]:
        """See `Lazy`."""
        keys: list[str] = keys_of(self._columns.take(self._rows[start:stop])).to_pylist()
        return keys


def keys_of(batch: pa.RecordBatch) -> pa.Array:
    """Return a batch's keys as large_string."""
    return pc.binary_join_element_wise(
        batch["prefix"].dictionary_decode(), batch["rest"], pa.scalar("", _TEXT)
    )


class Draft:
    """Members being listed: plain lists until they fill a batch, then columns.

    drops     the index of every reason so far; shared by the drafts of one scan
    photos    members without a reason
    reasons   how many have which
    """

    def __init__(self, drops: dict[Drop, int] | None = None) -> None:
        self.drops = {} if drops is None else drops
        self._rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        self._batches: list[pa.RecordBatch] = []
        self._hashes: list[Ints] = []
        self._flushed = 0
        self.photos = 0
        self.reasons: Counter[Reason] = Counter()

    def __len__(self) -> int:
        return self._flushed + len(self._rows["rest"])

    def add(self, members: Sequence[Member]) -> None:
        """Add members."""
        keys = [member.key for member in members]
        packed = [member.packed for member in members]
        columns: dict[str, list[Any]] = {
            "container": [member.container for member in members],
            "path": [
                None if member.path == key.encode() else member.path
                for key, member in zip(keys, members, strict=True)
            ],
            "size": [member.size for member in members],
            "modified": [member.modified for member in members],
            "offset": [where and where.offset for where in packed],
            "packed_size": [where and where.size for where in packed],
            "method": [where and where.method for where in packed],
            "crc": [where and where.crc for where in packed],
        }
        self.extend(keys, [member.dropped for member in members], columns)

    def extend(
        self, keys: Sequence[str], drops: Sequence[Drop | None], columns: Mapping[str, Any]
    ) -> None:
        """Add some members; a column is a list, or one value that all of them share."""
        ends = [max(key.rfind("_"), key.rfind("/")) + 1 for key in keys]
        rows = self._rows
        rows["prefix"] += [key[:end] for key, end in zip(keys, ends, strict=True)]
        rows["rest"] += [key[end:] for key, end in zip(keys, ends, strict=True)]
        for name, values in columns.items():
            rows[name] += values if isinstance(values, list) else [values] * len(keys)
        rows["dropped"] += [
            -1 if drop is None else self.drops.setdefault(drop, len(self.drops)) for drop in drops
        ]
        self.photos += drops.count(None)
        self.reasons.update(drop.reason for drop in drops if drop)
        self._hashes.append(np.fromiter(map(hash, keys), np.int64, len(keys)))
        if len(rows["rest"]) >= BATCH:
            self._flush()

    def columns(self) -> Columns:
        """Return what was added."""
        self._flush()
        return Columns(self._batches, SCHEMA)

    def hashes(self) -> Ints:
        """Return a number for each key, equal for equal keys; int64."""
        return np.concatenate([np.zeros(0, np.int64), *self._hashes])

    def members(self) -> Members:
        """Return what was added, as members in that order."""
        return Members(self.columns(), tuple(self.drops))

    def _flush(self) -> None:
        arrays = [packed(self._rows[name], name) for name in SCHEMA.names]
        self._batches.append(pa.record_batch(arrays, schema=SCHEMA))
        self._flushed += len(self._rows["rest"])
        self._rows = {name: [] for name in SCHEMA.names}


def packed(values: list[Any], name: str) -> pa.Array:
    """Return values as the column of that name in SCHEMA."""
    return column(values, SCHEMA.field(name).type)

"""Keep the archive's members as columns, and make `Member` objects on demand.

    key = prefix + rest     …/[원천]EMOIMG_기쁨_TRAIN_01.zip/1076…_여_30_기쁨_도심 환경_ │ 2021….jpg

A key has 180 bytes, but only its last 26 differ between the photos of a burst. So each batch stores
a prefix once: a member takes 120 bytes instead of 720 as Python objects.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fertools.columns import BATCH_ROWS, Columns, Ints, LazySequence, to_array
from fertools.data import Drop, Member, Reason, ZipLocation

_NUMBERED_KEY: Final = re.compile(r" #\d+\Z")

_TEXT: Final = pa.large_string()  # 65,536 names of a malicious zip may exceed 2 GiB

#: path: null if it equals the UTF-8 bytes of the key. offset, packed_size, method, crc: null for a
#: loose file. dropped: an index into `Members.drops`, -1 for a possible photo.
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
    """Members in the order of the build, as columns of SCHEMA; a slice shares the columns."""

    def __init__(self, columns: Columns, drops: Sequence[Drop]) -> None:
        self.columns = columns
        self.drops = tuple(drops)

    def __len__(self) -> int:
        return len(self.columns)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Members: ...

    def __getitem__(self, index: int | slice) -> Member | Members:
        rows = range(len(self))[index]
        if isinstance(rows, int):
            return next(self._unpack(next(self.columns.slices(rows, rows + 1))))
        if rows.step == 1:
            return Members(Columns(self.columns.slices(rows.start, rows.stop), SCHEMA), self.drops)
        return self.take(np.array(rows, dtype=np.int64))

    def __iter__(self) -> Iterator[Member]:
        for batch in self.columns.slices():
            yield from self._unpack(batch)

    def take(self, rows: Ints) -> Members:
        """Return the members with these row numbers, in the order given."""
        return Members(Columns([self.columns.take(rows)], SCHEMA), self.drops)

    def with_drops(self, drops: Mapping[int, Drop | None]) -> Members:
        """Return the members with other drops, by row number; None for a possible photo."""
        numbers = {drop: number for number, drop in enumerate(self.drops)}
        dropped = self.dropped.copy()
        for row, drop in drops.items():
            dropped[row] = -1 if drop is None else numbers.setdefault(drop, len(numbers))
        batches, first = [], 0
        for batch in self.columns.slices():
            own = pa.array(dropped[first : first + len(batch)], SCHEMA.field("dropped").type)
            columns = {name: batch[name] for name in SCHEMA.names} | {"dropped": own}
            batches.append(pa.record_batch(columns, schema=SCHEMA))
            first += len(batch)
        return Members(Columns(batches, SCHEMA), tuple(numbers))

    @property
    def keys(self) -> Keys:
        return self.keys_at(np.arange(len(self)))

    def keys_at(self, rows: Ints) -> Keys:
        return Keys(self.columns.select(("prefix", "rest")), rows)

    @property
    def photo_keys(self) -> Keys:
        """The keys of all members that may be photos."""
        return self.keys_at(np.flatnonzero(self.dropped < 0))

    @property
    def dropped(self) -> NDArray[np.int32]:
        """The index into `drops` of each member, -1 for a possible photo; int32."""
        return self.columns.numbers("dropped", np.int32)

    @property
    def size(self) -> int:
        """Total bytes of all members, uncompressed."""
        return int(self.columns.numbers("size").sum())

    def _unpack(self, batch: pa.RecordBatch) -> Iterator[Member]:
        keys = keys_of(batch).to_pylist()
        columns = (batch[name].to_pylist() for name in SCHEMA.names[2:])
        for key, container, path, size, modified, offset, packed_size, method, crc, drop in zip(
            keys, *columns, strict=True
        ):
            yield Member(
                key=key,
                container=container,
                path=key.encode() if path is None else path,
                size=size,
                modified=modified,
                packed=None if offset is None else ZipLocation(offset, packed_size, method, crc),
                dropped=None if drop < 0 else self.drops[drop],
            )


class Keys(LazySequence[str]):
    """A lazy list of member keys: each is joined from prefix and rest when it is read."""

    def __init__(self, columns: Columns, rows: Ints) -> None:
        super().__init__(len(rows))
        self._columns = columns
        self._rows = rows

    def take(self, numbers: Ints) -> Keys:
        return Keys(self._columns, self._rows[numbers])

    def items(self, start: int, stop: int) -> list[str]:
        keys: list[str] = keys_of(self._columns.take(self._rows[start:stop])).to_pylist()
        return keys


def keys_of(batch: pa.RecordBatch) -> pa.Array:
    """Return the keys of a batch, large_string."""
    return pc.binary_join_element_wise(
        batch["prefix"].dictionary_decode(), batch["rest"], pa.scalar("", _TEXT)
    )


class MembersBuilder:
    """A collector of members, which converts them to columns batch by batch.

    drops     index of every Drop so far; shared by the builders of one scan
    photos    number of members without a Drop
    reasons   number of members with each reason
    """

    def __init__(self, drops: dict[Drop, int]) -> None:
        self.drops = drops
        self._rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        self._batches: list[pa.RecordBatch] = []
        self._hashes: list[Ints] = []
        self.photos = 0
        self.reasons: Counter[Reason] = Counter()

    def __len__(self) -> int:
        return self.photos + self.reasons.total()

    def add(self, members: Sequence[Member]) -> None:
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
            "offset": [entry and entry.offset for entry in packed],
            "packed_size": [entry and entry.size for entry in packed],
            "method": [entry and entry.method for entry in packed],
            "crc": [entry and entry.crc for entry in packed],
        }
        self.extend(keys, [member.dropped for member in members], columns)

    def extend(
        self, keys: Sequence[str], drops: Sequence[Drop | None], columns: Mapping[str, Any]
    ) -> None:
        """Add members. Each of `columns` is a list, or one value for all of them."""
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
        if len(rows["rest"]) >= BATCH_ROWS:
            self._flush()

    def columns(self) -> Columns:
        """Return all members added so far, as columns of SCHEMA."""
        self._flush()
        return Columns(self._batches, SCHEMA)

    def key_hashes(self) -> Ints:
        """Return a hash of each key, int64, (members,)."""
        return np.concatenate([np.zeros(0, np.int64), *self._hashes])

    def _flush(self) -> None:
        arrays = [_column(self._rows[name], name) for name in SCHEMA.names]
        self._batches.append(pa.record_batch(arrays, schema=SCHEMA))
        self._rows = {name: [] for name in SCHEMA.names}


def with_unique_keys(columns: Columns, hashes: Ints) -> Columns:
    """Append " #2", " #3" … to repeated keys: a zip may list a name twice, and NFC may unite names.

    hashes   of the keys, int64, (members,): only keys with equal hashes are compared
    """
    order_by_hash = np.argsort(hashes, kind="stable")
    same = hashes[order_by_hash[1:]] == hashes[order_by_hash[:-1]]
    if not same.any():
        return columns
    shared = np.zeros(len(hashes), np.bool_)
    shared[order_by_hash[1:][same]] = shared[order_by_hash[:-1][same]] = True
    batches, first, seen = [], 0, dict[str, int]()
    for batch in columns.slices():
        batches.append(_number_keys(batch, shared[first : first + len(batch)], seen))
        first += len(batch)
    return Columns(batches, columns.schema)


def _number_keys(
    batch: pa.RecordBatch, shared: NDArray[np.bool_], seen: dict[str, int]
) -> pa.RecordBatch:
    """Number the keys of a batch that are shared or already end like a numbered key.

    seen   number of times that each key has occurred, earlier batches included; updated
    """
    keys, rest, paths = (
        column.to_pylist() for column in (keys_of(batch), batch["rest"], batch["path"])
    )
    changed = False
    for i, name in enumerate(keys):
        if not (shared[i] or _NUMBERED_KEY.search(name)):
            continue
        key = name
        while key in seen:
            seen[name] += 1
            key = f"{name} #{seen[name]}"
        seen[key] = 1
        if key is not name:
            rest[i] += key[len(name) :]
            paths[i] = paths[i] or name.encode()
            changed = True
    if not changed:
        return batch
    columns = {name: batch[name] for name in batch.schema.names}
    numbered = {"rest": _column(rest, "rest"), "path": _column(paths, "path")}
    return pa.record_batch(columns | numbered)


def _column(values: list[Any], name: str) -> pa.Array:
    return to_array(values, SCHEMA.field(name).type)

"""From parts to shards: the crops that were chosen, in their final order, as examples.

A shard is built around crops copied byte for byte out of the parts, so another ratio, seed, class
set or shard size costs as long as the disk takes. Shards are made beside (`.fertools/shards`), all
of them, and only then moved to where they are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from fertools.build.ledger import kept
from fertools.build.options import BuildOptions
from fertools.build.parts import PartFiles
from fertools.build.workplace import Workplace
from fertools.data import Box, Split
from fertools.hashing import pseudonym
from fertools.labels import ClassMap
from fertools.shards import (
    Example,
    RecordWriter,
    ShardFile,
    plan_shards,
    read_record,
    shard_name,
    whole_file,
    write_whole,
)

#: Bytes of a record that are not its image: framing, names of features, provenance.
_AROUND: Final = 300

_SCHEMA: Final = pa.schema(
    [
        ("part", pa.string()),
        ("offset", pa.int64()),
        ("label", pa.int64()),
        ("key", pa.string()),
        ("subject", pa.string()),
        ("sex", pa.string()),
        ("age", pa.int64()),
        ("box", pa.list_(pa.float32())),
        ("confidence", pa.float32()),
    ]
)


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Which ledger rows make which shard: `rows[i]`, in order, become the file `names[i]`."""

    names: tuple[str, ...]
    splits: tuple[Split, ...]
    rows: tuple[NDArray[np.int64], ...]

    def places(self, members: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give each ledger row its shard's number within the split and its place in it, or -1."""
        shards, indices = np.full((2, members), -1, dtype=np.int64)
        for split in Split:
            own = [r for r, s in zip(self.rows, self.splits, strict=True) if s is split]
            for number, rows in enumerate(own):
                shards[rows] = number
                indices[rows] = np.arange(len(rows))
        return shards, indices


def plan_splits(table: pa.Table, splits: NDArray[np.int8], options: BuildOptions) -> ShardPlan:
    """Decide what every shard will hold, before a byte is written."""
    layout, seed = options.shards, options.splits.seed
    names: list[str] = []
    owners: list[Split] = []
    contents: list[NDArray[np.int64]] = []
    keys = table["key"].to_pylist()
    sizes = table["length"].to_numpy(zero_copy_only=False)
    labels = table["label"].dictionary_encode().combine_chunks().indices
    codes = labels.to_numpy(zero_copy_only=False)
    for number, split in enumerate(Split):
        rows = np.flatnonzero(splits == number)
        shards = plan_shards(
            [keys[row] for row in rows],
            codes[rows].astype(np.int64),
            sizes[rows].astype(np.int64) + _AROUND,
            shard_size=layout.shard_bytes,
            seed=seed,
        )
        for k, chosen in enumerate(shards):
            names.append(shard_name(layout.name, split, k, len(shards)))
            owners.append(split)
            contents.append(rows[chosen])
    return ShardPlan(tuple(names), tuple(owners), tuple(contents))


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder in which the shards of one plan are made; its name covers all their bytes."""

    folder: Path
    parts: Path

    @classmethod
    def prepare(cls, place: Workplace, plan: ShardPlan, columns: Sequence[pa.Array]) -> Stage:
        """Write down the features of every example, a batch a shard, where workers find them."""
        batches = [
            pa.record_batch([column.take(pa.array(rows)) for column in columns], schema=_SCHEMA)
            for rows in plan.rows
        ]
        digest = blake2b("\0".join(plan.names).encode(), digest_size=16)
        for batch in batches:
            digest.update(batch.serialize())
        stage = cls(place.stages / digest.hexdigest(), place.parts)
        stage.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(stage.plan) as file, pa.ipc.new_file(file, _SCHEMA) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return stage

    @property
    def plan(self) -> Path:
        """The examples' features, a batch a shard."""
        return self.folder / "plan.arrow"

    def note(self, name: str) -> Path:
        """What is known of a finished shard; written after it."""
        return self.folder / f"{name}.json"

    def finished(self, names: Sequence[str], out: Path) -> dict[str, ShardFile]:
        """Give what is known of the shards that an earlier run has made, here or published."""
        known = {}
        for name in names:
            with suppress(OSError, ValueError, TypeError):
                shard = ShardFile(**json.loads(self.note(name).read_bytes()))
                made = self.folder / name
                if (made if made.exists() else out / name).stat().st_size == shard.bytes:
                    known[name] = shard
        return known

    def publish(self, names: Sequence[str], out: Path) -> None:
        """Move finished shards to where they are looked for; remove those of another plan."""
        for name in names:
            # One that is not here was moved by an earlier run, which was then ended.
            if (self.folder / name).exists():
                (self.folder / name).replace(out / name)
        for old in out.glob("*.tfrecord-*-of-*"):
            if old.name not in names:
                old.unlink()


@dataclass(frozen=True, slots=True)
class ShardTask:
    """What a worker is sent to make one shard."""

    stage: Stage
    number: int
    name: str

    def __call__(self) -> ShardFile:
        """Make the shard and its note, and give what the note says."""
        rows = pa.ipc.open_file(pa.memory_map(str(self.stage.plan))).get_batch(self.number)
        images = _images(self.stage.parts, rows)
        with whole_file(self.stage.folder / self.name) as file:
            writer = RecordWriter(file)
            for row, image in zip(rows.to_pylist(), images, strict=True):
                writer.write(_example(row, image).to_bytes())
        shard = ShardFile(self.name, writer.records, writer.size, file.sha256)
        write_whole(self.stage.note(self.name), json.dumps(asdict(shard)).encode())
        return shard


def _images(parts: Path, rows: pa.RecordBatch) -> list[bytes]:
    """Read a shard's crops, in the order in which they lie, and give them in the shard's."""
    places = list(zip(rows["part"].to_pylist(), rows["offset"].to_pylist(), strict=True))
    images = [b""] * len(places)
    file, opened = None, ""
    try:
        for i in sorted(range(len(places)), key=places.__getitem__):
            part, offset = places[i]
            if part != opened:
                if file is not None:
                    file.close()
                file, opened = PartFiles(parts, part).crops.open("rb"), part
            assert file is not None
            images[i] = read_record(file, offset)
    finally:
        if file is not None:
            file.close()
    return images


def example_columns(
    table: pa.Table, parts: Sequence[PartFiles], classes: ClassMap, options: BuildOptions
) -> list[pa.Array]:
    """Give the features of the examples, a value a ledger row, and where their crops lie."""
    rows = kept(table)
    index = {name: i for i, name in enumerate(classes.names)}
    seed, plain = options.splits.seed, options.shards.keep_names

    def shown(name: str | None, purpose: str) -> str:
        return (name or "") if plain or not name else pseudonym(seed, name, purpose)

    column = {name: table[name].to_pylist() for name in table.column_names}
    box = zip(*(column[side] for side in ("x0", "y0", "x1", "y1")), strict=True)
    known = set(rows.tolist())
    values: dict[str, list[Any]] = {
        "part": [None if part is None else parts[part].fingerprint for part in column["part"]],
        "offset": column["offset"],
        "label": [index.get(label) for label in column["label"]],
        "key": [shown(key, "key") if i in known else None for i, key in enumerate(column["key"])],
        "subject": [shown(subject, "subject") for subject in column["subject"]],
        "sex": [sex or "" for sex in column["sex"]],
        "age": [-1 if age is None else age for age in column["age"]],
        "box": [None if side[0] is None else side for side in box],
        "confidence": column["confidence"],
    }
    return [pa.array(values[f.name], f.type) for f in _SCHEMA]


def _example(row: dict[str, Any], image: bytes) -> Example:
    fields = {name: row[name] for name in ("label", "key", "subject", "sex", "age", "confidence")}
    return Example(image=image, box=Box(*row["box"]), **fields)

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

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.ipc

from fertools.augment import alter
from fertools.data import Box
from fertools.faces import FaceRecipe
from fertools.faces.encode import encode
from fertools.hashing import pseudonym
from fertools.labels import ClassMap
from fertools.pipeline.kept import kept_rows
from fertools.pipeline.options import BuildOptions
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.shardplan import ShardPlan
from fertools.pipeline.workplace import Workplace
from fertools.shards import (
    Example,
    RecordWriter,
    ShardFile,
    read_record,
    whole_file,
    write_whole,
)

#: Features that stand in the plan as they stand in the example.
_PLAIN: Final = ("label", "key", "subject", "sex", "age", "confidence")

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
        ("votes", pa.list_(pa.int64())),
        ("source", pa.string()),
        ("copy", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder in which the shards of one plan are made; its name covers all their bytes."""

    folder: Path
    parts: Path

    @classmethod
    def prepare(cls, place: Workplace, plan: ShardPlan, columns: Sequence[pa.Array]) -> Stage:
        """Write down the features of every example, a batch a shard, where workers find them."""
        batches = []
        for rows, copies in zip(plan.rows, plan.copies, strict=True):
            taken = [column.take(pa.array(rows)) for column in columns]
            batches.append(pa.record_batch([*taken, pa.array(copies)], schema=_SCHEMA))
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
    recipe: FaceRecipe
    seed: int

    def __call__(self) -> ShardFile:
        """Make the shard and its note, and give what the note says."""
        rows = pa.ipc.open_file(pa.memory_map(str(self.stage.plan))).get_batch(self.number)
        images = _images(self.stage.parts, rows)
        with whole_file(self.stage.folder / self.name) as file:
            writer = RecordWriter(file)
            for row, image in zip(rows.to_pylist(), images, strict=True):
                writer.write(self._example(row, image).to_bytes())
        shard = ShardFile(self.name, writer.records, writer.size, file.sha256)
        write_whole(self.stage.note(self.name), json.dumps(asdict(shard)).encode())
        return shard

    def _example(self, row: dict[str, Any], image: bytes) -> Example:
        fields = {name: row[name] for name in _PLAIN}
        if copy := row["copy"]:
            image = self._altered(image, row["source"], copy)
            fields["key"] += f"+{copy}"
        votes = tuple(row["votes"] or ())
        return Example(image=image, box=Box(*row["box"]), votes=votes, **fields)

    def _altered(self, image: bytes, source: str, copy: int) -> bytes:
        crop = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
        return encode(alter(np.asarray(crop, np.uint8), self.seed, source, copy), self.recipe)


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
    index = {name: i for i, name in enumerate(classes.names)}
    seed, plain = options.splits.seed, options.shards.keep_names

    def shown(name: str | None, purpose: str) -> str:
        return (name or "") if plain or not name else pseudonym(seed, name, purpose)

    column = {name: table[name].to_pylist() for name in table.column_names}
    box = zip(*(column[side] for side in ("x0", "y0", "x1", "y1")), strict=True)
    known = set(kept_rows(table).tolist())
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
        "votes": column.get("votes", [None] * table.num_rows),
        "source": [
            pseudonym(seed, key, "key") if options.shards.augment and i in known else None
            for i, key in enumerate(column["key"])
        ],
    }
    return [pa.array(values[f.name], f.type) for f in _SCHEMA if f.name in values]

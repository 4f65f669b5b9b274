"""From parts to shards: the crops that were chosen, in their final order, as examples.

A shard is built around crops copied byte for byte out of the parts, so another ratio, seed, class
set or shard size costs as long as the disk takes. Shards are made beside (`.fertools/shards`), all
of them, and only then moved to where they are looked for.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.data import Box, Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import ShardFile, shard_name
from fertools.dataset.shards import plan_shards
from fertools.dataset.tfrecord import RecordWriter
from fertools.errors import OutputError
from fertools.faces.augment import talk_augment
from fertools.faces.crop import encode
from fertools.files import sha256_of, whole_file, write_whole
from fertools.hashing import pseudonym, ranks
from fertools.options import BuildOptions, FaceOptions
from fertools.pipeline.build_dir import BuildDir
from fertools.pipeline.ledger import Ledger
from fertools.pipeline.parts import PartFiles, open_part, read_crop

#: Features that stand in the plan as they stand in the example.
_PLAIN: Final = ("label", "key", "subject", "sex", "age", "confidence")

_PLAN: Final = "plan.arrow"

#: Columns of what photos show that become features, or lead to the crop.
_LOOKED: Final = ("part", "offset", "crc", "x0", "y0", "x1", "y1", "confidence")

#: Examples whose features are in memory at once, 400 bytes each.
_TOGETHER: Final = 1 << 17

_SCHEMA: Final = pa.schema(
    [
        ("part", pa.string()),
        ("offset", pa.int64()),
        ("crc", pa.uint32()),
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
    def prepare(cls, place: BuildDir, plan: ShardPlan, batches: Iterable[pa.RecordBatch]) -> Stage:
        """Write down the features of every example, a batch a shard, where workers find them.

        batches   one at a time, since all of them together may not fit into memory
        """
        digest = blake2b("\0".join(plan.names).encode(), digest_size=16)
        # Beside the stages until its name, a digest of what is written, is known.
        planned = place.stages / _PLAN
        with whole_file(planned) as file, pa.ipc.new_file(file, _SCHEMA) as writer:
            for batch in batches:
                digest.update(batch.serialize())
                writer.write_batch(batch)
        stage = cls(place.stages / digest.hexdigest(), place.parts)
        for other in place.stages.iterdir():
            if other not in (stage.folder, planned):
                shutil.rmtree(other, ignore_errors=True)
        stage.folder.mkdir(parents=True, exist_ok=True)
        planned.replace(stage.plan)
        return stage

    @property
    def plan(self) -> Path:
        """The examples' features, a batch a shard."""
        return self.folder / _PLAN

    def note(self, name: str) -> Path:
        """The SHA-256 of a finished shard; written after it."""
        return self.folder / f"{name}.sha256"

    def finished(self, plan: ShardPlan, out: Path) -> dict[str, ShardFile]:
        """Return the shards that an earlier run has made, here or published.

        A shard is recognised by the SHA-256 in its note: shards of another plan may have the same
        names and the same sizes.
        """
        known = {}
        for name, rows in zip(plan.names, plan.rows, strict=True):
            made = self.folder / name
            with suppress(OSError):
                note = self.note(name).read_text("ascii", errors="replace")
                path = made if made.exists() else out / name
                if sha256_of(path) == note:
                    known[name] = ShardFile(name, len(rows), path.stat().st_size, note)
        return known

    def publish(self, shards: Iterable[ShardFile], out: Path) -> None:
        """Move finished shards to where they are looked for; remove those of another plan.

        Raises OutputError where a shard is missing afterwards, or has another size.
        """
        wanted = {shard.file: shard.bytes for shard in shards}
        for name in wanted:
            # One that is not here was moved by an earlier run, which was then ended.
            if (self.folder / name).exists():
                (self.folder / name).replace(out / name)
        for old in out.glob("*.tfrecord-*-of-*"):
            if old.name not in wanted:
                old.unlink()
        # Listing the folder makes NFS ask the server, whatever it remembers of a name.
        there = {path.name: path.stat().st_size for path in out.iterdir() if path.name in wanted}
        for name, size in wanted.items():
            if there.get(name) != size:
                raise OutputError(
                    f"{out / name} is missing or cut after it was written: "
                    "check the disk; the same command goes on"
                )


@dataclass(frozen=True, slots=True)
class ShardTask:
    """What a worker is sent to make one shard."""

    stage: Stage
    number: int
    name: str
    recipe: FaceOptions
    seed: int

    def __call__(self) -> ShardFile:
        """Make the shard and its note, and give what the note says."""
        rows = pa.ipc.open_file(pa.memory_map(str(self.stage.plan))).get_batch(self.number)
        images = _images(self.stage.parts, rows)
        with whole_file(self.stage.folder / self.name) as file:
            writer = RecordWriter(file)
            for row, image in zip(rows.to_pylist(), images, strict=True):
                writer.write(self._example(row, image).to_bytes())
        write_whole(self.stage.note(self.name), file.sha256.encode())
        return ShardFile(self.name, writer.records, writer.size, file.sha256)

    def _example(self, row: dict[str, Any], image: bytes) -> Example:
        fields = {name: row[name] for name in _PLAIN}
        if copy := row["copy"]:
            image = self._altered(image, row["source"], copy)
            fields["key"] += f"+{copy}"
        votes = tuple(row["votes"] or ())
        return Example(image=image, box=Box(*row["box"]), votes=votes, **fields)

    def _altered(self, image: bytes, source: str, copy: int) -> bytes:
        crop = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
        return encode(
            talk_augment(np.asarray(crop, np.uint8), self.seed, source, copy), self.recipe
        )


def _images(parts: Path, rows: pa.RecordBatch) -> list[bytes]:
    """Read a shard's crops, in the order in which they lie, and give them in the shard's."""
    crops = list(zip(*(rows[name].to_pylist() for name in ("part", "offset", "crc")), strict=True))
    images = [b""] * len(crops)
    in_order = sorted(range(len(crops)), key=crops.__getitem__)
    for part, group in groupby(in_order, key=lambda i: crops[i][0]):
        files = PartFiles(parts, part)
        with open_part(files) as file:
            for i in group:
                images[i] = read_crop(files, file, *crops[i][1:])
    return images


def example_batches(
    ledger: Ledger,
    plan: ShardPlan,
    parts: Sequence[PartFiles],
    options: BuildOptions,
    secret: bytes,
) -> Iterator[pa.RecordBatch]:
    """Yield the features of each shard's examples, in their order, and where their crops lie.

    secret   what pseudonyms are keyed with
    """
    features = _Features(ledger, parts, options, secret)
    for numbers in _grouped([len(rows) for rows in plan.rows]):
        rows, copies = (
            np.concatenate([column[i] for i in numbers]) for column in (plan.rows, plan.copies)
        )
        batch, first = features.batch(rows, copies), 0
        for i in numbers:
            yield batch.slice(first, len(plan.rows[i]))
            first += len(plan.rows[i])


def _grouped(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of shards that are looked up together: their rows lie everywhere."""
    group: list[int] = []
    for number, _ in enumerate(sizes):
        group.append(number)
        if sum(sizes[i] for i in group) >= _TOGETHER or number == len(sizes) - 1:
            yield group
            group = []


class _Features:
    """Makes examples' features from the ledger's columns."""

    def __init__(
        self, ledger: Ledger, parts: Sequence[PartFiles], options: BuildOptions, secret: bytes
    ) -> None:
        self._ledger = ledger
        self._labels = ledger.catalog.labels.select(("subject", "sex", "age"))
        self._parts = pa.array([part.fingerprint for part in parts], pa.string())
        self._secret = secret
        self._plain = options.shards.keep_names
        self._augment = options.shards.augment > 0
        self._subjects: dict[str, str] = {}

    def batch(self, rows: Ints, copies: Ints) -> pa.RecordBatch:
        """Return the features of examples by ledger row and number of copy."""
        catalog = self._ledger.catalog
        looked, labels = self._ledger.looked_rows(rows, _LOOKED), self._labels.take(rows)
        keys = list(catalog.keys(rows))
        sides = (looked[side].to_pylist() for side in ("x0", "y0", "x1", "y1"))
        columns: dict[str, Any] = {
            "part": self._parts.take(looked["part"]),
            "offset": looked["offset"],
            "crc": looked["crc"],
            "label": catalog.codes[rows],
            "key": [self._shown(key, "key") for key in keys],
            "subject": [self._subject(name) for name in labels["subject"].to_pylist()],
            "sex": labels["sex"].dictionary_decode().fill_null(""),
            "age": labels["age"].fill_null(-1),
            "box": list(zip(*sides, strict=True)),
            "confidence": looked["confidence"],
            "votes": list(catalog.votes(rows)) if catalog.voted else [None] * len(rows),
            "source": [
                pseudonym(self._secret, key, "key") if self._augment else None for key in keys
            ],
            "copy": copies,
        }
        arrays = [pa.array(columns[f.name]).cast(f.type) for f in _SCHEMA]
        return pa.record_batch(arrays, schema=_SCHEMA)

    def _shown(self, name: str, purpose: str) -> str:
        return name if self._plain else pseudonym(self._secret, name, purpose)

    def _subject(self, name: str | None) -> str:
        if name is None:
            return ""
        if name not in self._subjects:
            self._subjects[name] = self._shown(name, "subject")
        return self._subjects[name]


#: Bytes of a record that are not its image: framing, names of features, provenance.
_AROUND: Final = 300


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What every shard holds, in order.

    names    the shards' files
    splits   the split that each belongs to
    rows     the ledger rows of its examples, int64
    copies   0 for the crop itself, 1 and more for its altered copies, int64
    """

    names: tuple[str, ...]
    splits: tuple[Split, ...]
    rows: tuple[Ints, ...]
    copies: tuple[Ints, ...]

    def places(self, members: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Give each ledger row its shard's number within the split and its place in it, or -1."""
        shards, indices = np.full((2, members), -1, dtype=np.int32)
        for split in Split:
            for number, shard in enumerate(self.of(split)):
                own = np.flatnonzero(self.copies[shard] == 0)
                shards[self.rows[shard][own]] = number
                indices[self.rows[shard][own]] = own
        return shards, indices

    def of(self, split: Split) -> list[int]:
        """Give the numbers of a split's shards."""
        return [i for i, owner in enumerate(self.splits) if owner is split]


def plan_splits(ledger: Ledger, splits: NDArray[np.int8], options: BuildOptions) -> ShardPlan:
    """Plan the shards of all splits; altered copies come into train alone.

    splits   the split of each ledger row, -1 for none
    """
    names: list[str] = []
    owners: list[Split] = []
    contents: list[Ints] = []
    copies: list[Ints] = []
    lengths = ledger.looked.numbers("length") + _AROUND
    seed = options.splits.seed
    for number, split in enumerate(Split):
        own = np.flatnonzero(splits == number)
        times = 1 + options.shards.augment if split is Split.TRAIN else 1
        rows, copy = np.tile(own, times), np.repeat(np.arange(times), len(own))
        shards = plan_shards(
            ranks(seed, _cards(ledger, own, times)),
            ledger.catalog.codes[rows],
            lengths[np.searchsorted(ledger.wanted, rows)],
            shard_size=options.shards.shard_bytes,
        )
        for k, chosen in enumerate(shards):
            names.append(shard_name(options.shards.name, split, k, len(shards)))
            owners.append(split)
            contents.append(rows[chosen])
            copies.append(copy[chosen])
    return ShardPlan(tuple(names), tuple(owners), tuple(contents), tuple(copies))


def _cards(ledger: Ledger, rows: Ints, times: int) -> Iterator[str]:
    keys = ledger.catalog.keys(rows)
    return (_card(key, copy) for copy in range(times) for key in keys)


def _card(key: str, copy: int) -> str:
    """An altered copy has a place of its own: anywhere in train, not behind its original."""
    return f"{key} copy {copy}" if copy else key

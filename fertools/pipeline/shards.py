"""Plan the shards and write them: the kept crops, in their final order, as examples.

    plan_splits ─▶ example_batches ─▶ StagingDir.prepare ─▶ a ShardTask a shard ─▶ publish
    which example   features of        plan.arrow, where     .fertools/shards/…     OUT
    in which shard  each example       workers find them

Which examples make which shard is decided before a byte is written. A shard is built from crops
copied byte for byte out of the parts, so another ratio, seed, class set or shard size costs as long
as the disk takes. All shards are made in `.fertools/shards`, and only then moved to OUT.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from fertools.columns import Ints, list_array
from fertools.data import Box, Split
from fertools.dataset.example import Example
from fertools.dataset.index import INDICES, index_bytes, index_name, index_of
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
from fertools.pipeline.ledger import Ledger, Placements
from fertools.pipeline.parts import PartFiles, open_part, read_crop

#: Columns of the plan that are fields of the example.
_FIELDS: Final = ("label", "key", "subject", "sex", "age", "confidence", "uploader")

_PLAN: Final = "plan.arrow"

#: Columns of the parts' rows that become features, or lead to the crop.
_EXTRACTED: Final = ("part", "offset", "length", "crc", "x0", "y0", "x1", "y1", "confidence")

#: Examples whose features are in memory at once, 400 bytes each.
_TOGETHER: Final = 1 << 17

#: Bytes of a record that are not its image: framing, names of features, provenance.
_OVERHEAD: Final = 300

#: Columns of the plan.
PLAN_SCHEMA: Final = pa.schema(
    [
        ("part", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("crc", pa.uint32()),
        ("label", pa.int64()),
        ("key", pa.string()),
        ("subject", pa.string()),
        ("sex", pa.string()),
        ("age", pa.int64()),
        ("box", pa.list_(pa.float32())),
        ("confidence", pa.float32()),
        ("votes", pa.list_(pa.int64())),
        ("uploader", pa.int64()),
        ("source", pa.string()),
        ("copy", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """The file of a shard, and its examples in order.

    number   of the shard in its split
    rows     the ledger rows of the examples, int64
    copies   0 for the crop itself, 1 and more for its augmented copies, int64
    """

    name: str
    split: Split
    number: int
    rows: Ints
    copies: Ints


def plan_splits(
    ledger: Ledger, splits: NDArray[np.int8], options: BuildOptions
) -> list[PlannedShard]:
    """Plan the shards of all splits; only train has augmented copies.

    splits   the split of each ledger row, -1 for none
    """
    plan: list[PlannedShard] = []
    lengths = ledger.extracted.numbers("length") + _OVERHEAD
    for number, split in enumerate(Split):
        own = np.flatnonzero(splits == number)
        times = 1 + options.shards.augment if split is Split.TRAIN else 1
        rows, copy = np.tile(own, times), np.repeat(np.arange(times), len(own))
        shards = plan_shards(
            ranks(options.splits.seed, _shard_keys(ledger, own, times)),
            ledger.catalog.class_index(rows),
            lengths[ledger.extracted_at(rows)],
            shard_size=options.shards.shard_bytes,
        )
        for k, chosen in enumerate(shards):
            name = shard_name(options.shards.name, split, k, len(shards))
            plan.append(PlannedShard(name, split, k, rows[chosen], copy[chosen]))
    return plan


def placements(plan: Iterable[PlannedShard], splits: NDArray[np.int8], augment: int) -> Placements:
    """Return where the example of each ledger row is; `splits` are those of the rows."""
    shards, indices = np.full((2, len(splits)), -1, dtype=np.int32)
    for shard in plan:
        own = np.flatnonzero(shard.copies == 0)
        shards[shard.rows[own]] = shard.number
        indices[shard.rows[own]] = own
    return Placements(splits, shards, indices, augment)


def _shard_keys(ledger: Ledger, rows: Ints, times: int) -> Iterator[str]:
    """Yield the keys by which examples are ordered.

    A copy has a key of its own: it may be anywhere in train, not only next to its original.
    """
    keys = ledger.catalog.members.keys_at(rows)
    return (f"{key} copy {copy}" if copy else key for copy in range(times) for key in keys)


def example_batches(
    ledger: Ledger,
    plan: Iterable[PlannedShard],
    parts: Sequence[PartFiles],
    options: BuildOptions,
    secret: bytes,
) -> Iterator[pa.RecordBatch]:
    """Yield the features of each shard's examples, in their order, and where their crops are.

    secret   the key of the pseudonyms
    """
    features = _Features(ledger, parts, options, secret)
    for shards in _grouped(plan):
        rows = np.concatenate([shard.rows for shard in shards])
        batch, first = features.batch(rows, np.concatenate([shard.copies for shard in shards])), 0
        for shard in shards:
            yield batch.slice(first, len(shard.rows))
            first += len(shard.rows)


def _grouped(plan: Iterable[PlannedShard]) -> Iterator[list[PlannedShard]]:
    """Yield the shards to look up together: their rows are spread over the ledger."""
    group: list[PlannedShard] = []
    for shard in plan:
        group.append(shard)
        if sum(len(own.rows) for own in group) >= _TOGETHER:
            yield group
            group = []
    if group:
        yield group


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

    def batch(self, rows: Ints, copies: Ints) -> pa.RecordBatch:
        catalog, at = self._ledger.catalog, self._ledger.extracted_at(rows)
        extracted = self._ledger.extracted.select(_EXTRACTED).take(at)
        labels = self._labels.take(rows)
        subjects = labels["subject"]
        people = [self._name(word, "subject") for word in subjects.dictionary.to_pylist()]
        keys = list(catalog.members.keys_at(rows))
        sides = (extracted[side].to_pylist() for side in ("x0", "y0", "x1", "y1"))
        columns: dict[str, Any] = {
            "part": self._parts.take(extracted["part"]),
            "offset": extracted["offset"],
            "length": extracted["length"],
            "crc": extracted["crc"],
            "label": catalog.class_index(rows),
            "key": [self._name(key, "key") for key in keys],
            "subject": pa.array(people, pa.string()).take(subjects.indices).fill_null(""),
            "sex": labels["sex"].dictionary_decode().fill_null(""),
            "age": labels["age"].fill_null(-1),
            "box": list(zip(*sides, strict=True)),
            "confidence": extracted["confidence"],
            "votes": list_array(catalog.votes(rows)) if catalog.voted else pa.nulls(len(rows)),
            "uploader": catalog.uploader(rows),
            "source": [
                pseudonym(self._secret, key, "key") if self._augment else None for key in keys
            ],
            "copy": copies,
        }
        arrays = [pa.array(columns[f.name]).cast(f.type) for f in PLAN_SCHEMA]
        return pa.record_batch(arrays, schema=PLAN_SCHEMA)

    def _name(self, name: str, purpose: str) -> str:
        return name if self._plain else pseudonym(self._secret, name, purpose)


@dataclass(frozen=True, slots=True)
class StagingDir:
    """The folder in which the shards of one plan are made; its name covers all their bytes."""

    folder: Path
    parts: Path

    @classmethod
    def prepare(
        cls, build_dir: BuildDir, plan: Iterable[PlannedShard], batches: Iterable[pa.RecordBatch]
    ) -> StagingDir:
        """Write the features of every example, a batch a shard, where workers find them.

        batches   one at a time: all of them together may not fit into memory
        """
        digest = blake2b("\0".join(shard.name for shard in plan).encode(), digest_size=16)
        # Not yet in its folder: the name, a digest of what is written, is not known.
        planned = build_dir.staging / _PLAN
        with whole_file(planned) as file, pa.ipc.new_file(file, PLAN_SCHEMA) as writer:
            for batch in batches:
                digest.update(batch.serialize())
                writer.write_batch(batch)
        staging = cls(build_dir.staging / digest.hexdigest(), build_dir.parts)
        for other in build_dir.staging.iterdir():
            if other not in (staging.folder, planned):
                shutil.rmtree(other, ignore_errors=True)
        staging.folder.mkdir(parents=True, exist_ok=True)
        planned.replace(staging.plan)
        return staging

    @property
    def plan(self) -> Path:
        """The examples' features, a batch a shard."""
        return self.folder / _PLAN

    def checksum(self, name: str) -> Path:
        """The file with the SHA-256 of a finished shard; written after the shard."""
        return self.folder / f"{name}.sha256"

    def finished(self, plan: Iterable[PlannedShard], out: Path) -> dict[str, ShardFile]:
        """Return the shards that an earlier run has made with their indices, here or published.

        A shard is recognised by its SHA-256: shards of another plan may have the same names and
        the same sizes.
        """
        finished = {}
        for shard in plan:
            name, made = shard.name, self.folder / shard.name
            with suppress(OSError):
                checksum = self.checksum(name).read_text("ascii", errors="replace")
                path = made if made.exists() else out / name
                if sha256_of(path) == checksum and (index := self._index(path, out)):
                    size, rows = path.stat().st_size, len(shard.rows)
                    finished[name] = ShardFile(name, rows, size, checksum, index)
        return finished

    def _index(self, shard: Path, out: Path) -> str | None:
        """Return the SHA-256 of the index of a whole shard, None if it has to be written again."""
        made = self.folder / index_name(shard.name)
        data = (made if made.exists() else out / made.name).read_bytes()
        return sha256(data).hexdigest() if data == index_of(shard) else None

    def publish(self, shards: Iterable[ShardFile], out: Path) -> None:
        """Move finished shards and indices to OUT, and remove those of another plan there.

        Raises OutputError if one is missing afterwards, or a shard has another size.
        """
        shards = list(shards)
        wanted: dict[str, int | None] = {shard.file: shard.bytes for shard in shards}
        wanted |= {index_name(shard.file): None for shard in shards}
        for name in wanted:
            # A shard that is not here was moved by an earlier run that did not finish.
            if (self.folder / name).exists():
                (self.folder / name).replace(out / name)
        for old in chain(out.glob("*.tfrecord-*-of-*"), out.glob(INDICES)):
            if old.name not in wanted:
                old.unlink()
        # Listing the folder makes NFS ask the server, whatever it has cached of a name.
        sizes = {path.name: path.stat().st_size for path in out.iterdir() if path.name in wanted}
        for name, size in wanted.items():
            if name not in sizes or size not in (None, sizes[name]):
                raise OutputError(
                    f"{out / name} is missing or incomplete after it was written: "
                    "check the disk; the same command continues"
                )


@dataclass(frozen=True, slots=True)
class ShardTask:
    """The task of a worker that makes one shard."""

    staging: StagingDir
    number: int
    name: str
    options: FaceOptions
    seed: int

    def __call__(self) -> ShardFile:
        """Write the shard, then its index, then its SHA-256."""
        rows = pa.ipc.open_file(pa.memory_map(str(self.staging.plan))).get_batch(self.number)
        images = _images(self.staging.parts, rows)
        with whole_file(self.staging.folder / self.name) as file:
            writer = RecordWriter(file)
            lengths = [
                writer.write(self._example(row, image).to_bytes()).length
                for row, image in zip(rows.to_pylist(), images, strict=True)
            ]
        index = index_bytes(lengths)
        write_whole(self.staging.folder / index_name(self.name), index)
        write_whole(self.staging.checksum(self.name), file.sha256.encode())
        digest = sha256(index).hexdigest()
        return ShardFile(self.name, writer.records, writer.size, file.sha256, digest)

    def _example(self, row: dict[str, Any], image: bytes) -> Example:
        fields = {name: row[name] for name in _FIELDS}
        if copy := row["copy"]:
            image = self._augmented(image, row["source"], copy)
            fields["key"] += f"+{copy}"
        votes = tuple(row["votes"] or ())
        return Example(image=image, box=Box(*row["box"]), votes=votes, **fields)

    def _augmented(self, image: bytes, source: str, copy: int) -> bytes:
        decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
        crop = np.asarray(decoded, np.uint8)
        return encode(talk_augment(crop, self.seed, source, copy), self.options)


def _images(parts: Path, rows: pa.RecordBatch) -> list[bytes]:
    """Return a shard's crops in its order; they are read in the order of the files."""
    columns = (rows[name].to_pylist() for name in ("part", "offset", "length", "crc"))
    crops = list(zip(*columns, strict=True))
    images = [b""] * len(crops)
    in_order = sorted(range(len(crops)), key=crops.__getitem__)
    for part, group in groupby(in_order, key=lambda i: crops[i][0]):
        files = PartFiles(parts, part)
        with open_part(files) as file:
            for i in group:
                images[i] = read_crop(files, file, *crops[i][1:])
    return images

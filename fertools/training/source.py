"""A split on disk, held against its manifest before TensorFlow sees it.

What TensorFlow does with damage decides what is checked here: it takes a shard cut between two
records for whole, and a length field of 64 GiB with a right checksum ends the process. So the
lengths are walked through, one seek a record, and must lead exactly to the file's end and to the
manifest's count. The checksums of the data are left to TensorFlow, which looks at every one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fertools.data import Split
from fertools.errors import DatasetError, OptionError
from fertools.shards import FRAMING, Manifest, ShardFile, read_records

_LENGTH: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Source:
    """One split of a dataset, complete as far as sizes and lengths tell."""

    out: Path
    split: str
    manifest: Manifest

    @classmethod
    def open(cls, out: Path | str, split: str, *, allow_leak: bool = False) -> Source:
        """Read the manifest and check the split's shards.

        Raises OptionError for a split that is not there or whose people are in another one
        too (not with `allow_leak`), DatasetError for what is missing or damaged.
        """
        source = cls(Path(out), split, Manifest.read(Path(out)))
        if not source.records:
            filled = source.manifest.splits
            there = [name for name in Split if name in filled and filled[name].records]
            raise OptionError(f"{out} has no examples in {split!r}: take one of {', '.join(there)}")
        if source.leaks and not allow_leak:
            raise OptionError(
                f"{out} shows the same people in several splits, so its figures mean little: "
                "build it with --split-by subject, or --allow-leak for an experiment"
            )
        for shard in source.shards:
            _check(source.out / shard.file, shard)
        return source

    @property
    def shards(self) -> tuple[ShardFile, ...]:
        """The split's files."""
        contents = self.manifest.splits.get(self.split)
        return contents.shards if contents else ()

    @property
    def records(self) -> int:
        """How many examples the split has."""
        return sum(shard.records for shard in self.shards)

    @property
    def counts(self) -> list[int]:
        """How many examples of each class, in the order of the labels."""
        by_name = self.manifest.splits[self.split].classes
        return [by_name.get(entry.name, 0) for entry in self.manifest.classes]

    @property
    def leaks(self) -> bool:
        """Whether people or pictures are known, or must be expected, to be in two splits."""
        proof = self.manifest.proof
        by_image = self.manifest.options.get("split_by") == "image"
        return by_image or proof.overlap > 0 or proof.copies_across > 0

    def damage(self) -> DatasetError | None:
        """Read every record and say which shard is damaged, None where all are whole."""
        try:
            for shard in self.shards:
                path = self.out / shard.file
                _check(path, shard)
                for _ in read_records(path):
                    pass
        except DatasetError as error:
            return error
        return None


def _check(path: Path, shard: ShardFile) -> None:
    if not path.is_file():
        raise DatasetError(f"{path} is missing: put it back, or build again")
    size, records, offset = path.stat().st_size, 0, 0
    if size == shard.bytes:
        with path.open("rb") as file:
            while offset + FRAMING <= size:
                file.seek(offset)
                offset += _LENGTH.unpack(file.read(_LENGTH.size))[0] + FRAMING
                records += 1
    if not (size == shard.bytes == offset and records == shard.records):
        raise DatasetError(
            f"{path} is not the shard that was written: {size} bytes where the manifest says "
            f"{shard.bytes}, {records} records of {shard.records}: put a whole copy back"
        )

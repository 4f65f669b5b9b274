"""What the files of a dataset are called.

OUT/
  fer-train.tfrecord-00000-of-00064    a shard: number 0 of 64
  ledger.parquet                       every member's fate
  dataset_info.json  features.json  label.labels.txt    what tensorflow-datasets reads
  metadata.json                        the manifest, written last
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from fertools.data import Split
from fertools.errors import DatasetError
from fertools.options import check_dataset_name

SPLITS = "splits.csv"
MANIFEST = "metadata.json"
"""The manifest has the name under which tensorflow-datasets lets a dataset carry its own data."""

HOME = ".fertools"
"""The folder beside the shards in which a build keeps its own files."""

SECRET = "secret"
"""The file in HOME that pseudonyms are keyed with; it never leaves that folder."""

TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
"""How tensorflow-datasets itself writes the rule that `shard_name` follows."""


def shard_name(dataset: str, split: Split, shard: int, shards: int) -> str:
    """Name shard number `shard`, counted from 0, of `shards`; ValueError for one outside.

    Example: ("fer", Split.TRAIN, 0, 64) -> "fer-train.tfrecord-00000-of-00064"
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} of {shards}")
    digits = max(5, len(str(shards)))
    return f"{check_dataset_name(dataset)}-{split}.tfrecord-{shard:0{digits}}-of-{shards:0{digits}}"


FORMAT = 1
"""Version of the manifest, the file names and the examples together."""

LARGEST = 64 << 20
"""Bytes of a manifest that are read: 100,000 shards take 19 MB."""


@dataclass(frozen=True, slots=True)
class ClassName:
    """What a class is called in the archive's language and in English; its index is the label."""

    name: str
    english: str

    def __post_init__(self) -> None:
        # tensorflow-datasets strips the lines of its class file and passes over empty ones.
        if not self.name or self.name != self.name.strip() or len(self.name.splitlines()) != 1:
            raise ValueError(f"{self.name!r} is no class name: one line, no blanks around it")


@dataclass(frozen=True, slots=True)
class Images:
    """What every image is: `size` × `size` × 1, uint8, in the format "png" or "jpeg"."""

    size: int
    format: str

    def __post_init__(self) -> None:
        if self.size < 1 or self.format not in ("png", "jpeg"):
            raise ValueError(f"images of size {self.size} in the format {self.format!r}")


@dataclass(frozen=True, slots=True)
class Counts:
    """The archive's entries: all of them, those that became examples, the others by reason."""

    members: int
    kept: int
    dropped: dict[str, int]

    def __post_init__(self) -> None:
        if self.members != self.kept + sum(self.dropped.values()):
            raise ValueError(
                f"{self.members} members are not {self.kept} kept and "
                f"{sum(self.dropped.values())} dropped"
            )


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One TFRecord file beside the manifest: `bytes` as the file system counts them."""

    file: str
    records: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        _check_file(self.file, self.sha256)
        if self.records < 1 or self.bytes < 16 * self.records:
            raise ValueError(f"{self.file}: {self.records} records in {self.bytes} bytes")


@dataclass(frozen=True, slots=True)
class SplitContents:
    """One split: how many examples, of how many people, examples by class, and its shards."""

    records: int
    subjects: int
    classes: dict[str, int]
    shards: tuple[ShardFile, ...]

    def __post_init__(self) -> None:
        in_shards = sum(shard.records for shard in self.shards)
        by_class = sum(self.classes.values())
        if not self.records == in_shards == by_class:
            raise ValueError(
                f"{self.records} records, {in_shards} in shards, {by_class} in classes"
            )


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """The ledger: its name, a row for each member, and its SHA-256."""

    file: str
    rows: int
    sha256: str

    def __post_init__(self) -> None:
        _check_file(self.file, self.sha256)


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What shows that the splits do not leak, and how true the labels are.

    overlap         people with photos in more than one split
    ties            pairs of copies found between people; tied people are in one split
    copies_across   pictures that have copies in more than one split
    largest_tie     people in the largest set tied together by copies; 1 where none are
    deviation       by class, points by which train, validation and test miss their shares; with
                    --split official those of train and validation among themselves, empty with
                    --split-file
    random_leak     of so many test photos of a random split (by image, same photos), how many
                    would have shown a person of train: known, photos
    agreement       by class: photos with a label record, those whose annotators' majority agrees
                    with the name, those where all three do
    unlabelled      photos without a label record, where the archive has records at all
    unmatched       label records without a photo
    augmented       altered copies of training examples, which are in no split but train
    unknown_people  photos in the splits whose name carries no person: a leak through them cannot
                    be excluded
    """

    overlap: int = 0
    ties: int = 0
    copies_across: int = 0
    largest_tie: int = 1
    deviation: dict[str, tuple[float, ...]] = field(default_factory=dict)
    random_leak: tuple[int, ...] = (0, 0)
    agreement: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unlabelled: int = 0
    unmatched: int = 0
    augmented: int = 0
    unknown_people: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a complete dataset consists of; ValueError where its numbers contradict each other.

    fertools   the version that wrote it
    name       the dataset's name, `version` its x.y.z: both for tensorflow-datasets
    classes    in the order of the labels
    splits     by "train", "validation", "test"
    options    what the build was asked for, without paths
    libraries  the versions of what decided about pixels
    source     a fingerprint of the archive's list of members
    votes      whether examples hold the annotators' votes
    proof      what shows that the splits do not leak
    warnings   what the build told its user of the splits, a line each; no names of files or people
    unread     folders, zips and label files that could not be read, which was accepted
    """

    fertools: str
    name: str
    version: str
    classes: tuple[ClassName, ...]
    image: Images
    counts: Counts
    splits: dict[str, SplitContents]
    ledger: LedgerFile
    options: dict[str, Any]
    libraries: dict[str, str]
    source: str
    votes: bool = False
    proof: LeakageReport = field(default_factory=LeakageReport)
    warnings: tuple[str, ...] = ()
    unread: int = 0
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_dataset_name(self.name)
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version, re.ASCII):
            raise ValueError(f"version {self.version!r}, where x.y.z is meant")
        _check_distinct("class", (entry.name for entry in self.classes))
        _check_distinct("shard", (s.file for split in self.splits.values() for s in split.shards))
        if unknown := self.splits.keys() - set(Split):
            raise ValueError(f"splits {sorted(unknown)} are not among {[*map(str, Split)]}")
        in_splits = sum(split.records for split in self.splits.values())
        kept = self.counts.kept + self.proof.augmented
        if not (in_splits == kept and self.ledger.rows == self.counts.members):
            raise ValueError(
                f"{in_splits} records of {kept} kept members and altered copies, "
                f"{self.ledger.rows} rows of {self.counts.members} members"
            )
        names = {entry.name for entry in self.classes}
        if unknown := {c for split in self.splits.values() for c in split.classes} - names:
            raise ValueError(f"classes {sorted(unknown)} are not among {sorted(names)}")

    @property
    def unknown_people(self) -> int:
        """Photos in the splits whose name carries no person.

        A manifest without that count still shows where it is all of them: no split has a subject.
        """
        nobody = not any(split.subjects for split in self.splits.values())
        return self.counts.kept if nobody else self.proof.unknown_people

    @property
    def revision(self) -> int:
        """0 for a dataset of fertools 0.1.0, 1 for a later one.

        1 keys pseudonyms with a secret instead of the seed, and has a README.md beside the shards.
        """
        return int("salt_file" in self.options)

    def to_json(self) -> str:
        """Return the canonical text, in UTF-8 the file's bytes: equal manifests, equal text."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read the text back; ValueError where it is anything but a manifest of this format."""
        try:
            tree = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        found = tree.get("format") if isinstance(tree, dict) else None
        if found != FORMAT:
            wrote = f", written by fertools {tree.get('fertools')}" if found is not None else ""
            raise ValueError(f"its format is {found}{wrote}; this fertools reads {FORMAT}")
        manifest: Manifest = _typed(cls, tree, "the manifest")
        return manifest

    @classmethod
    def read(cls, out: Path) -> Manifest:
        """Read a dataset's manifest; DatasetError where it is missing, damaged or another's."""
        path = out / MANIFEST
        if not out.is_dir():
            raise DatasetError(f"{out} is not a folder: give the folder that build-dataset wrote")
        if not path.is_file() and (out / HOME).is_dir():
            raise DatasetError(f"{out} is not complete: run the same build-dataset command again")
        if not path.is_file():
            raise DatasetError(
                f"{out} holds no dataset ({MANIFEST} is missing): give the folder that "
                "build-dataset wrote"
            )
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                raise ValueError(f"it is larger than {LARGEST} bytes")
            return cls.from_json(data.decode())
        except (OSError, ValueError) as fault:
            raise DatasetError(
                f"{path} is not a manifest that can be used: {fault}: "
                "put a whole copy back, or build again into an empty folder"
            ) from fault


def canonical_json(tree: Any) -> str:
    """Return the one text that a manifest's values have: sorted keys, one space a level."""
    return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _check_file(file: str, sha256: str) -> None:
    # A manifest may come from anywhere: it must not lead a reader out of its own folder.
    if not file or file.startswith(".") or set(file) & set("/\\:\0"):
        raise ValueError(f"{file!r} is not the name of a file beside the manifest")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{file}: {sha256!r} is not a SHA-256")


def _check_distinct(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} {name!r} stands there twice")
        seen.add(name)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _typed(kind: Any, value: Any, where: str) -> Any:
    """Turn parsed JSON into the type that a field of these dataclasses declares."""
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        needed = {entry.name for entry in fields(kind) if not _optional(entry)}
        if not isinstance(value, dict) or not needed <= value.keys() <= hints.keys():
            raise ValueError(f"{where} does not hold exactly {sorted(hints)}")
        return kind(**{name: _typed(hints[name], value[name], name) for name in value})
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_typed(get_args(kind)[0], each, where) for each in value)
    if get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        return {key: _typed(inner, each, f"{where} {key!r}") for key, each in value.items()}
    if type(value) is not kind or (kind is int and value < 0):
        meant = getattr(kind, "__name__", kind)
        raise ValueError(f"{where} is {str(value)[:99]!r}, where {meant} is meant")
    return value


def _optional(entry: Field[Any]) -> bool:
    return entry.default is not MISSING or entry.default_factory is not MISSING

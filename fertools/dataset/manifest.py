"""Read and write the manifest of a dataset, OUT/metadata.json, and name the dataset's files.

    OUT/
      fer-train.tfrecord-00000-of-00064    shard 0 of 64
      ledger.parquet                       the outcome of every member
      dataset_info.json  features.json  label.labels.txt    what tensorflow-datasets reads
      README.md  croissant.json            the datasheet, for people and for machines
      metadata.json                        the manifest, written last

A folder with a manifest is a complete dataset; a folder without one is an unfinished build. Equal
input and options result in equal bytes: JSON keys are sorted (ordered values are lists), and the
manifest contains no time, no host name and no absolute path.

A field with a default may be missing in the file, because older versions of fertools wrote the same
format without it. So the default of a new field must mean "not recorded".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from fertools.data import Split
from fertools.dataset.example import Feature, features
from fertools.dataset.typed_json import canonical_json, loads, parse
from fertools.errors import DatasetError, SourceError, printable
from fertools.options import check_dataset_name

#: tensorflow-datasets reserves this name for a dataset's own metadata.
MANIFEST: Final = "metadata.json"

SPLITS_CSV: Final = "splits.csv"

README: Final = "README.md"
CROISSANT: Final = "croissant.json"

#: The list that `fertools suspects` writes into OUT, for a person to edit.
SUSPECTS: Final = "suspects.csv"

#: The folder in OUT for the internal files of a build.
WORK_DIR: Final = ".fertools"

#: The file in WORK_DIR that is locked by whatever writes OUT.
BUILD_LOCK: Final = "lock"

#: The folder in WORK_DIR with the predictions of `fertools suspects`.
FOLDS_DIR: Final = "folds"

#: The file in WORK_DIR with the key of the pseudonyms; it is never copied elsewhere.
SECRET: Final = "secret"

#: The pattern of `shard_name` in the notation of tensorflow-datasets.
SHARD_TEMPLATE: Final = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"

#: The one version number of manifest, file names and examples.
FORMAT: Final = 2

#: The formats that are read. In format 1 votes include the uploader's word.
_READABLE: Final = (1, FORMAT)

#: The largest manifest that is read, in bytes; a manifest of 100,000 shards has 19 MB.
MAX_MANIFEST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class ClassName:
    """The Korean and the English name of a class; its index in the manifest is the label."""

    name: str
    english: str

    def __post_init__(self) -> None:
        # tensorflow-datasets strips the lines of label.labels.txt and skips empty ones.
        if not self.name or self.name != self.name.strip() or len(self.name.splitlines()) != 1:
            raise ValueError(
                f"{self.name!r} is not a class name: expected one line without blanks around it"
            )


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The format of all images: `size` × `size` × 1, uint8, encoded as "png" or "jpeg"."""

    size: int
    format: str

    def __post_init__(self) -> None:
        if self.size < 1 or self.format not in ("png", "jpeg"):
            raise ValueError(f"images of size {self.size} in the format {self.format!r}")


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of the archive's members: all, kept as examples, dropped by reason."""

    members: int
    kept: int
    dropped: dict[str, int]

    def __post_init__(self) -> None:
        if self.members != self.kept + sum(self.dropped.values()):
            raise ValueError(
                f"{self.members} members are not {self.kept} kept and "
                f"{sum(self.dropped.values())} dropped"
            )

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """The reasons for which members were dropped, the most frequent first."""
        return sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One TFRecord file beside the manifest; `bytes` is the file's size.

    index   SHA-256 of the shard's index; "" in older manifests: such datasets have none
    """

    file: str
    records: int
    bytes: int
    sha256: str
    index: str = ""

    def __post_init__(self) -> None:
        _check_file(self.file, self.sha256)
        if self.index:
            _check_file(self.file, self.index)
        if self.records < 1 or self.bytes < 16 * self.records:
            raise ValueError(f"{self.file}: {self.records} records in {self.bytes} bytes")


@dataclass(frozen=True, slots=True)
class SplitContents:
    """The contents of one split: numbers of examples and subjects, examples by class, shards."""

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

    def class_weights(self, names: Sequence[str]) -> list[float]:
        """Return the inverse of each class's number of examples, 1 on average over the examples.

        In the order of the labels, for Keras' `class_weight`; 0 for a class without an example.
        """
        counts = [self.classes.get(name, 0) for name in names]
        present = sum(count > 0 for count in counts)
        return [self.records / (present * count) if count else 0.0 for count in counts]


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """The ledger: its file name, rows (one per member) and SHA-256."""

    file: str
    rows: int
    sha256: str

    def __post_init__(self) -> None:
        _check_file(self.file, self.sha256)


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """Evidence that the splits do not leak, and figures on the quality of the labels.

    overlap         number of subjects with photos in more than one split
    ties            number of duplicate pairs of different subjects, who are put into one split
    copies_across   number of pictures with duplicates in more than one split
    largest_tie     number of subjects in the largest set connected by duplicates; 1 if no ties
    deviation       by class: the deviation of train, validation and test from their ratios, in
                    percentage points; with --split official that of train and validation relative
                    to each other; empty with --split-file
    random_leak     (known, photos): after a random split of the same photos, `known` of the
                    `photos` in test show a subject who is also in train
    agreement       by class, three numbers of photos: with a label record; with a majority of the
                    annotators for the class in the file name; with all three for it
    unlabelled      number of photos without a label record, if the archive has records
    unmatched       number of label records without a photo
    augmented       number of augmented copies of training examples, all in train
    unknown_people  number of photos in the splits whose name has no subject: a leak through them
                    cannot be excluded
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
    """The contents of a complete dataset; ValueError if its numbers contradict each other.

    fertools   the version of fertools that wrote the dataset
    name       the dataset's name in tensorflow-datasets
    version    the dataset's version in tensorflow-datasets, x.y.z
    classes    in the order of the labels
    splits     by "train", "validation", "test"
    options    the build's options, without paths
    libraries  library versions that determine the bytes of the dataset
    source     a fingerprint of the archive's list of members
    votes      whether examples contain the annotators' votes; in format 1 with the uploader's
    rule       how each photo's class was decided, in words; "" in older manifests
    warnings   the build's warnings about the splits, one line each, without file or subject names
    unread     number of folders, zips and label files that could not be read, if accepted
    groups     by "sex" and "age", then by the group: photos in the splits, and people
    reliability  of all photos with a label record: "pairs", the share of the pairs of votes for one
               photo that agree, and "alpha", Krippendorff's α; empty without votes
    cards      SHA-256 of README and CROISSANT, which are made from the other fields. So their
               wording may change, and what an older fertools wrote is verified all the same
    """

    fertools: str
    name: str
    version: str
    classes: tuple[ClassName, ...]
    image: ImageSpec
    counts: Counts
    splits: dict[str, SplitContents]
    ledger: LedgerFile
    options: dict[str, Any]
    libraries: dict[str, str]
    source: str
    votes: bool = False
    rule: str = ""
    proof: LeakageReport = field(default_factory=LeakageReport)
    warnings: tuple[str, ...] = ()
    unread: int = 0
    groups: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    reliability: dict[str, float] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_dataset_name(self.name)
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version, re.ASCII):
            raise ValueError(f"version {self.version!r}, expected x.y.z")
        _check_distinct("class", (entry.name for entry in self.classes))
        _check_distinct("shard", (s.file for split in self.splits.values() for s in split.shards))
        if unknown := self.splits.keys() - set(Split):
            raise ValueError(f"splits {sorted(unknown)} are not among {[*map(str, Split)]}")
        kept = self.counts.kept + self.proof.augmented
        if not (self.examples == kept and self.ledger.rows == self.counts.members):
            raise ValueError(
                f"{self.examples} records of {kept} kept members and augmented copies, "
                f"{self.ledger.rows} rows of {self.counts.members} members"
            )
        names = {entry.name for entry in self.classes}
        if unknown := {c for split in self.splits.values() for c in split.classes} - names:
            raise ValueError(f"classes {sorted(unknown)} are not among {sorted(names)}")
        self._check_cards()

    def _check_cards(self) -> None:
        if any(len(counts) != 2 for group in self.groups.values() for counts in group.values()):
            raise ValueError("groups do not hold a number of photos and one of people each")
        if self.reliability and self.reliability.keys() != {"alpha", "pairs"}:
            raise ValueError(f"reliability {sorted(self.reliability)}, expected alpha and pairs")
        if self.cards and self.cards.keys() != {README, CROISSANT}:
            raise ValueError(f"cards {sorted(self.cards)}, expected {README} and {CROISSANT}")
        for file, digest in self.cards.items():
            _check_file(file, digest)

    @property
    def unknown_people(self) -> int:
        """The number of photos in the splits whose name has no subject.

        Older manifests lack this number: if no subject is recorded for any split, all photos count.
        """
        has_subjects = any(split.subjects for split in self.splits.values())
        return self.proof.unknown_people if has_subjects else self.counts.kept

    @property
    def uploader(self) -> bool:
        """Whether examples contain the uploader's class, apart from the votes."""
        return self.votes and self.format >= 2

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features of the examples; the first is the image."""
        return features(len(self.classes) if self.votes else 0, uploader=self.uploader)

    @property
    def filled_splits(self) -> dict[Split, SplitContents]:
        """The splits that have examples, in the order train, validation, test."""
        splits = {split: self.splits.get(split) for split in Split}
        return {split: own for split, own in splits.items() if own and own.records}

    @property
    def examples(self) -> int:
        """The number of examples, augmented copies included."""
        return sum(split.records for split in self.splits.values())

    @property
    def revision(self) -> int:
        """0 for a dataset of fertools 0.1.0, 2 for one of this version.

        Since revision 1 pseudonyms are keyed with a secret, not the seed, and OUT has a README.md;
        since revision 2 it has a croissant.json as well, and `cards` holds the SHA-256 of both.
        """
        return 2 if self.cards else int("salt_file" in self.options)

    def to_json(self) -> str:
        """Return the text of the file (UTF-8); equal manifests have equal texts."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse the text of a manifest; raise ValueError if it is none, or of another format."""
        tree = loads(text)
        number = tree.get("format") if isinstance(tree, dict) else None
        if number not in _READABLE:
            writer = f", written by fertools {tree.get('fertools')}" if number is not None else ""
            known = " and ".join(map(str, _READABLE))
            raise ValueError(f"its format is {number}{writer}; this fertools reads {known}")
        manifest: Manifest = parse(cls, tree, "the manifest")
        return manifest

    @classmethod
    def read(cls, out: Path) -> Manifest:
        """Read the manifest of a dataset; raise DatasetError if it is missing or damaged."""
        path = out / MANIFEST
        if not out.is_dir():
            raise DatasetError(f"{out} is not a folder: give the folder that build-dataset wrote")
        if not path.is_file() and (out / WORK_DIR).is_dir():
            raise DatasetError(f"{out} is not complete: run the same build-dataset command again")
        if not path.is_file():
            raise DatasetError(
                f"{out} holds no dataset ({MANIFEST} is missing): give the folder that "
                "build-dataset wrote"
            )
        try:
            with path.open("rb") as file:
                data = file.read(MAX_MANIFEST_BYTES + 1)
            if len(data) > MAX_MANIFEST_BYTES:
                raise ValueError(f"it is larger than {MAX_MANIFEST_BYTES} bytes")
            return cls.from_json(data.decode())
        except (OSError, ValueError) as fault:
            raise DatasetError(
                f"{path} is not a manifest that can be used: {fault}: "
                "put a whole copy back, or build again into an empty folder"
            ) from fault

    def ledger_in(self, out: Path) -> Path:
        """Return the ledger of the dataset in `out`; DatasetError if only shards were passed on."""
        path = out / self.ledger.file
        if not path.exists():
            raise DatasetError(
                f"{printable(str(out))} has no {self.ledger.file}, only what was passed on: the "
                "ledger stays with who built the dataset, so give the folder that build-dataset "
                "wrote"
            )
        return path


def check_archive(source: Path) -> None:
    """Raise SourceError if a built dataset is given where an archive is wanted.

    An archive may have a metadata.json of its own: only one that is a manifest counts.
    """
    try:
        Manifest.read(source)
    except DatasetError:
        return
    raise SourceError(
        f"{printable(str(source))} is a built dataset: give as SRC the archive that it was built "
        "from; fertools report shows a dataset"
    )


def shard_name(dataset: str, split: Split, shard: int, shards: int) -> str:
    """Return the file name of a shard, counted from 0; ValueError if `shard` >= `shards`.

    Example: ("fer", Split.TRAIN, 0, 64) -> "fer-train.tfrecord-00000-of-00064"
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} of {shards}")
    digits = max(5, len(str(shards)))
    return f"{check_dataset_name(dataset)}-{split}.tfrecord-{shard:0{digits}}-of-{shards:0{digits}}"


def _check_file(file: str, sha256: str) -> None:
    # A manifest may be untrusted: it must not name files outside its folder.
    if not file or file.startswith(".") or set(file) & set("/\\:\0"):
        raise ValueError(f"{file!r} is not the name of a file beside the manifest")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"{file}: {sha256!r} is not a SHA-256")


def _check_distinct(what: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise ValueError(f"the {what} {name!r} appears twice")

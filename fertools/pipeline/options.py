"""What a user may choose, one small group per room, each checked where it is made.

    BuildOptions ─┬─ labels   which classes                     → labels.LabelOptions
                  ├─ faces    which face, how cropped           → faces.FaceOptions
                  ├─ splits   how much to whom, by what, seed   → SplitOptions
                  └─ shards   name, size, names or pseudonyms   → ShardOptions

The command line and `build_dataset` take the same options flat, by the names of these fields.
Types, ranges and choices are declared at the fields (see checks.py). An option that has no effect
beside the others is refused: it would count as a difference when the build is repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Final, Literal

from fertools.dataset.manifest import check_dataset_name
from fertools.errors import OptionError
from fertools.faces.options import FaceOptions
from fertools.labels.classes import LabelOptions
from fertools.options import Between, Seed, check_fields, refuse_without, user_path
from fertools.splits.ratios import Ratios

#: The shares that AI-Hub users mean when they say nothing.
_SHARES: Final = "80/10/10"

_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9}

#: Bytes of the smallest shard size; one below is a slip of the unit.
_SMALLEST_SHARD: Final = 1000

#: Shards that a manifest can list: 100,000 take 19 MB of the 64 MiB that are read of one.
_MOST_SHARDS: Final = 100_000


def parse_size(text: str | int) -> int:
    """Read a number of bytes with its unit (decimal units, as disks are sold).

    >>> parse_size("128MB"), parse_size("1.5 gb")
    (128000000, 1500000000)

    Raises OptionError for anything else: a number without a unit, less than 1KB.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", str(text).strip().upper(), re.ASCII)
    if found and not found[2]:
        raise OptionError(f"--shard-size {text}: write the unit as well, such as {text}MB")
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < _SMALLEST_SHARD:
        raise OptionError(
            f"--shard-size {text}: write a number with KB, MB or GB, 1KB or more, such as 128MB"
        )
    return size


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How the photos are divided.

    split            shares of train/validation/test, such as "80/10/10"; or "official": AI-Hub's
                     Validation is the test split, its Training gives the other two
    split_by         "subject": nobody is in two splits; "image": the leaky kind, for comparison
    split_file       a CSV that says who goes where, instead of shares
    overlap          with "official": "drop" leaves out of Training who is in Validation as well;
                     "report" leaves them in both and says so
    duplicates       "keep" or "drop" the second and later copies of one picture
    max_per_subject  at most so many photos of a person
    max_per_class    at most so many photos of a class
    seed             orders everything that has to be ordered; another seed, other splits
    """

    split: str = _SHARES
    split_by: Literal["subject", "image"] = "subject"
    split_file: str | None = None
    overlap: Literal["drop", "report"] = "drop"
    duplicates: Literal["keep", "drop"] = "keep"
    max_per_subject: Annotated[int, Between(1)] | None = None
    max_per_class: Annotated[int, Between(1)] | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.split_file is not None:
            object.__setattr__(self, "split_file", str(user_path(self.split_file)))
        if not self.official:
            Ratios.parse(self.split)
        if self.split_by == "image" and (self.official or self.split_file):
            raise OptionError("--split-by image contradicts --split official and --split-file")
        if self.split != _SHARES and self.split_file:
            raise OptionError(f"--split {self.split} contradicts --split-file: give one of them")

    @property
    def official(self) -> bool:
        """Whether AI-Hub's own halves are kept."""
        return self.split == "official"

    @property
    def ratios(self) -> Ratios:
        """The shares as numbers that add up to one; "official" divides Training by 80/10."""
        return Ratios.parse(_SHARES if self.official else self.split)


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """How the dataset lies on disk.

    name         the dataset's name, a letter first: it begins every shard's file name
    shard_size   about how large a shard is, such as "128MB"
    keep_names   put plain keys and subjects into the records instead of pseudonyms
    augment      altered copies of each training example, made as the talk made them
    salt_file    a file whose bytes key the pseudonyms, instead of a secret from the archive
    """

    name: str = "faces"
    shard_size: str | int = "128MB"
    keep_names: bool = False
    augment: Annotated[int, Between(0, 99)] = 0
    salt_file: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_dataset_name(self.name)
        parse_size(self.shard_size)

    @property
    def shard_bytes(self) -> int:
        """The shard size in bytes."""
        return parse_size(self.shard_size)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Everything that decides what a dataset holds; how fast it is built is not among it."""

    labels: LabelOptions = field(default_factory=LabelOptions)
    faces: FaceOptions = field(default_factory=FaceOptions)
    splits: SplitOptions = field(default_factory=SplitOptions)
    shards: ShardOptions = field(default_factory=ShardOptions)

    def __post_init__(self) -> None:
        # Here and not in the groups: a dataset's manifest may hold options without effect.
        if self.labels.labels == "name":
            refuse_without(self.labels, "disputed", "--labels majority, unanimous or at-least:N")
        if self.faces.image_format != "jpeg":
            refuse_without(self.faces, "jpeg_quality", "--image-format jpeg")
        if not self.splits.official:
            refuse_without(self.splits, "overlap", "--split official")
        if not self.splits.split_file and self.splits.ratios.train == 0:
            refuse_without(self.shards, "augment", "a share of train in --split")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> BuildOptions:
        """Sort flat options into their groups.

        >>> options = BuildOptions.of({"size": 112, "seed": 7})
        >>> options.faces.size, options.splits.seed
        (112, 7)

        Raises OptionError for a name that no group has, and what the groups themselves raise.
        """
        groups, left = {}, dict(options)
        for group in fields(cls):
            kind = type(getattr(cls(), group.name))
            mine = {f.name: left.pop(f.name) for f in fields(kind) if f.name in left}
            groups[group.name] = kind(**mine)
        for unknown in left:
            near = difflib.get_close_matches(unknown, list(cls().flat()), 1)
            raise OptionError(
                f"there is no option {unknown}" + (f": did you mean {near[0]}?" if near else "")
            )
        return cls(**groups)

    def flat(self) -> dict[str, Any]:
        """Give the options by their names, as JSON would: what `of` takes, lists for tuples."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for group in asdict(self).values()
            for name, value in group.items()
        }

    def check_number(self, photos: int) -> None:
        """Refuse, before the first photo, a shard size that makes more shards than can be listed.

        A crop is taken to have a byte a pixel, which PNG undercuts. Raises OptionError.
        """
        crops = photos * self.faces.size**2 * (1 + self.shards.augment)
        shards = min(photos, crops // self.shards.shard_bytes)
        if shards > _MOST_SHARDS:
            least = -(-crops // _MOST_SHARDS // 10**6)
            raise OptionError(
                f"--shard-size {self.shards.shard_size} makes about {shards:,} shards of "
                f"{photos:,} photos: give {least}MB or more"
            )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a build is carried out: nothing here changes what the dataset holds.

    jobs           worker processes; None for as many as cores may be used
    dask           address of a dask scheduler whose workers do the work
    quiet          show no progress
    photo_seconds  what a photo may take
    overwrite      replace what OUT was begun with, where it differs
    accept_unreadable   drop photos that cannot be read, instead of stopping for them
    """

    jobs: Annotated[int, Between(1, 1024)] | None = None
    dask: str | None = None
    quiet: bool = False
    photo_seconds: Annotated[float, Between(0.1, 86_400)] = 60
    overwrite: bool = False
    accept_unreadable: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.jobs is not None and self.dask:
            raise OptionError("--jobs contradicts --dask: a cluster has the workers it was given")

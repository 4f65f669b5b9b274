"""What a user may choose, one small group per room, each checked where it is made.

    BuildOptions ─┬─ labels   which classes                     → labels.LabelRule
                  ├─ faces    which face, how cropped           → faces.FaceRecipe
                  ├─ splits   how much to whom, by what, seed   → SplitRule
                  └─ shards   name, size, names or pseudonyms   → ShardLayout

The command line and `build_dataset` take the same options flat, by the names of these fields.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

from fertools.errors import OptionError
from fertools.faces import FaceRecipe
from fertools.labels import LabelRule
from fertools.shards import check_dataset_name
from fertools.splits import Ratios

#: The shares that AI-Hub users mean when they say nothing.
_SHARES: Final = "80/10/10"

_CHOICES: Final = {
    "split_by": ("subject", "image"),
    "overlap": ("drop", "report"),
    "duplicates": ("keep", "drop"),
}

_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_size(text: str | int) -> int:
    """Read a number of bytes such as "128MB" (decimal units, as disks are sold).

    Raises OptionError for anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B)?", str(text).strip().upper())
    unit = (found.group(2) or "") if found else ""
    if found is None or float(found.group(1)) == 0:
        raise OptionError(f"{text} is no size: write a number with KB, MB or GB, such as 128MB")
    return int(float(found.group(1)) * _UNITS.get(unit, 1))


@dataclass(frozen=True, slots=True)
class SplitRule:
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
    max_per_subject: int | None = None
    max_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.official:
            Ratios.parse(self.split)
        for option, allowed in _CHOICES.items():
            if getattr(self, option) not in allowed:
                words = " or ".join(allowed)
                name = option.replace("_", "-")
                raise OptionError(f"--{name} {getattr(self, option)}: choose {words}")
        for option in ("max_per_subject", "max_per_class"):
            most = getattr(self, option)
            if most is not None and most < 1:
                raise OptionError(f"--{option.replace('_', '-')} {most}: give 1 or more")
        if self.split_by == "image" and (self.official or self.split_file):
            raise OptionError("--split-by image contradicts --split official and --split-file")
        if self.official and self.split_file:
            raise OptionError("--split official contradicts --split-file: give one of them")

    @property
    def official(self) -> bool:
        """Whether AI-Hub's own halves are kept."""
        return self.split == "official"

    @property
    def ratios(self) -> Ratios:
        """The shares as numbers that add up to one; "official" divides Training by 80/10."""
        return Ratios.parse(_SHARES if self.official else self.split)


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """How the dataset lies on disk.

    name         the dataset's name, a letter first: it begins every shard's file name
    shard_size   about how large a shard is, such as "128MB"
    keep_names   put plain keys and subjects into the records instead of pseudonyms
    augment      altered copies of each training example, made as the talk made them
    salt_file    a file whose bytes key the pseudonyms, instead of a secret from the archive
    """

    name: str = "faces"
    shard_size: str = "128MB"
    keep_names: bool = False
    augment: int = 0
    salt_file: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.augment <= 99:
            raise OptionError(f"--augment {self.augment}: give 0 to 99 copies of each example")
        check_dataset_name(self.name)
        parse_size(self.shard_size)

    @property
    def shard_bytes(self) -> int:
        """The shard size in bytes."""
        return parse_size(self.shard_size)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Everything that decides what a dataset holds; how fast it is built is not among it."""

    labels: LabelRule = field(default_factory=LabelRule)
    faces: FaceRecipe = field(default_factory=FaceRecipe)
    splits: SplitRule = field(default_factory=SplitRule)
    shards: ShardLayout = field(default_factory=ShardLayout)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> BuildOptions:
        """Sort flat options into their groups.

        Example: {"size": 112, "seed": 7} -> faces.size 112, splits.seed 7, the rest as it is

        Raises OptionError for a name that no group has, and what the groups themselves raise.
        """
        built, left = cls(), dict(options)
        for group in fields(cls):
            default = getattr(built, group.name)
            mine = {f.name: _frozen(left.pop(f.name)) for f in fields(default) if f.name in left}
            built = replace(built, **{group.name: replace(default, **mine)})
        for unknown in left:
            near = difflib.get_close_matches(unknown, list(built.flat()), 1)
            raise OptionError(
                f"there is no option {unknown}" + (f": did you mean {near[0]}?" if near else "")
            )
        return built

    def flat(self) -> dict[str, Any]:
        """Give the options by their names, as JSON would: what `of` takes, lists for tuples."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for group in asdict(self).values()
            for name, value in group.items()
        }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value

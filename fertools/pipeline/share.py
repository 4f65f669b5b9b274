"""All parts of a build, and a share of them: what one of several machines does on its own.

    part     0 … 511 | 512 … 1023 | 1024 … 1909
    machine     a          b            c          --only-parts 0-511, 512-1023, 1024-1909

Part numbers depend on the archive and on which photos are wanted, so every machine that is given
the same command counts alike, and no machine has to know of another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fertools.errors import OptionError
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.plan import Boxes, Parts, write_plan


def parse_share(text: str) -> tuple[int, int]:
    """Read the first and the last part of a share.

    Example: "512-1023" -> (512, 1023), "7" -> (7, 7)

    Raises OptionError for anything else.
    """
    found = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text.strip(), re.ASCII)
    first, last = (int(end or found[1]) for end in found.groups()) if found else (1, 0)
    if first > last:
        raise OptionError(
            f"--only-parts {text}: give the first and the last part, counted from 0, such as 0-511"
        )
    return first, last


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """The parts of a build by number: their members, and where each is or will be."""

    path: Path
    members: Parts
    boxes: Boxes
    files: list[PartFiles]

    def write(self) -> None:
        """Write it down for workers, who are told a number."""
        write_plan(self.path, self.members, self.boxes)

    def share(self, first: int, last: int) -> range:
        """Give the parts from `first` to `last`; raise OptionError where there are none."""
        if first >= len(self.files):
            raise OptionError(
                f"--only-parts {first}-{last}: there are {len(self.files):,} parts, "
                f"0 to {len(self.files) - 1}"
            )
        return range(first, min(last + 1, len(self.files)))

    def done(self) -> int:
        """Count the parts that are there, whoever made them."""
        return sum(files.done for files in self.files)


@dataclass(frozen=True, slots=True)
class PartsReport:
    """What a share came to, and how far all shares are."""

    out: Path
    share: range
    done: int
    parts: int

    @property
    def complete(self) -> bool:
        """Whether every part is there, so that nothing but assembling is left."""
        return self.done == self.parts

    def text(self) -> str:
        """Say it in two lines."""
        first, last = self.share.start, self.share.stop - 1
        then = "then run" if not self.complete else "now run"
        return (
            f"parts {first} to {last} are done, {self.done:,} of all {self.parts:,} in {self.out}\n"
            f"{then} the same command without --only-parts: it assembles the dataset"
        )

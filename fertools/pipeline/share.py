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

import pyarrow as pa

from fertools.archive import printable
from fertools.errors import OptionError
from fertools.pipeline.parts import PartFiles, is_current
from fertools.pipeline.plan import Boxes, Parts, read_part, read_parts, write_plan


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
    basis: str
    files: list[PartFiles]

    def write(self) -> None:
        """Write the plan for the workers, which are sent a part's number."""
        names = [files.fingerprint for files in self.files]
        write_plan(self.path, self.members, self.boxes, names)

    def current(self, number: int) -> bool:
        """Return whether a part is done, of the photos as the plan that was written knows them."""
        try:
            members = [member for member, _ in read_part(self.path, number)]
        except (OSError, pa.ArrowException):
            return False
        return is_current(self.files[number], [None if m.packed else m.modified for m in members])

    def difference(self) -> str:
        """Name the first photo in which a plan that was written differs from this one, or ""."""
        try:
            old = {m.key: m for part in read_parts(self.path) for m in part}
        except (OSError, pa.ArrowException):
            return ""
        for member in (m for part in self.members for m in part):
            was = old.pop(member.key, None)
            shown = printable(member.key)
            if was is None:
                return f"; {shown} is new"
            if (was.size, was.packed) != (member.size, member.packed):
                return f"; {shown} is not the same photo"
        return f"; {printable(next(iter(old)))} is gone" if old else ""

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

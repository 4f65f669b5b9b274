"""All parts of a build, and a share of them: what one of several machines does on its own.

    part     0 … 511 | 512 … 1023 | 1024 … 1909
    machine     a          b            c          --only-parts 0-511, 512-1023, 1024-1909

Part numbers depend on the archive and on which photos are wanted, so every machine that is given
the same command counts alike, and no machine has to know of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fertools.data import Member
from fertools.errors import OptionError, OutputError, printable
from fertools.pipeline.parts import PartFiles, is_current
from fertools.pipeline.plan import (
    PLAN_FAULTS,
    Boxes,
    Parts,
    planned_names,
    read_part,
    read_times,
    write_plan,
)


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
    scanned: int

    @property
    def names(self) -> list[str]:
        """The parts' fingerprints."""
        return [files.fingerprint for files in self.files]

    def write(self) -> None:
        """Write the plan for the workers, which are sent a part's number."""
        write_plan(self.path, self.members, self.boxes, self.names, self.scanned)

    def current(self, number: int) -> bool:
        """Return whether a part is done, of the photos as the plan that was written knows them."""
        if not self.files[number].done:
            return False
        try:
            return is_current(self.files[number], read_times(self.path, number))
        except PLAN_FAULTS:
            return False

    def difference(self) -> str:
        """Name the first photo in which a plan that was written differs from this one, or ""."""
        names = planned_names(self.path)
        own = self.names
        try:
            old = _by_key(
                member
                for number in _others(names, own)
                for member, _ in read_part(self.path, number)
            )
        except PLAN_FAULTS:
            return ""
        for member in (m for number in _others(own, names) for m in self.members[number]):
            was = old.pop(member.key, None)
            shown = printable(member.key)
            if was is None:
                return f"; {shown} is new"
            if (was.size, was.packed) != (member.size, member.packed):
                return f"; {shown} is not the same photo"
        return f"; {printable(next(iter(old)))} is gone" if old else ""

    def check_written(self) -> None:
        """Refuse a plan that another process wrote for another archive. Raises OutputError."""
        if planned_names(self.path) != self.names:
            raise OutputError(
                f"the archive is not the one of {self.path}{self.difference()}: give the same one, "
                "or another OUT"
            )

    def share(self, first: int, last: int) -> range:
        """Give the parts from `first` to `last`; raise OptionError where there are none."""
        if first >= len(self.files):
            raise OptionError(
                f"--only-parts {first}-{last}: there are {len(self.files):,} parts, "
                f"0 to {len(self.files) - 1}"
            )
        return range(first, min(last + 1, len(self.files)))

    def done(self, *, accept_unreadable: bool) -> int:
        """Count the parts that are there, whichever process made them.

        With `accept_unreadable` those count as well of which some photos could not be read.
        """
        return sum(
            files.done or (accept_unreadable and files.partial.is_file()) for files in self.files
        )


def _others(names: Sequence[str], known: Sequence[str]) -> Iterator[int]:
    """Yield the numbers of the parts that the other plan does not have."""
    there = frozenset(known)
    return (number for number, name in enumerate(names) if name not in there)


def _by_key(members: Iterable[Member]) -> dict[str, Member]:
    return {member.key: member for member in members}


@dataclass(frozen=True, slots=True)
class PartsReport:
    """What a share came to, how far all shares are, and what the user should know."""

    out: Path
    share: range
    done: int
    parts: int
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every part is there, so that nothing but assembling is left."""
        return self.done == self.parts

    def text(self) -> str:
        """Return it in two lines, and a line for each warning."""
        first, last = self.share.start, self.share.stop - 1
        then = "then run" if not self.complete else "now run"
        lines = [
            f"parts {first} to {last} are done, {self.done:,} of all {self.parts:,} in {self.out}",
            f"{then} the same command without --only-parts: it assembles the dataset",
            *(f"warning: {printable(warning)}" for warning in self.warnings),
        ]
        return "\n".join(lines)

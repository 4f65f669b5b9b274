"""An archive, counted by names alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fertools.errors import printable
from fertools.report.table import named, table


@dataclass(frozen=True, slots=True)
class Census:
    """Who and what is in an archive, as far as names tell.

    members    entries of every kind
    photos     those that will be looked at; `bytes` is their size in all
    classes    photos by class, in the order of the labels; `english` names them
    subjects   people, and `photos_each` the fewest, the median and the most photos of one;
               `unknown_people` photos whose names carry no person
    sexes      photos by sex; `ages` by decade
    dropped    entries that will be no examples, by reason
    """

    members: int
    photos: int
    bytes: int
    classes: dict[str, int]
    english: dict[str, str]
    subjects: int
    photos_each: tuple[int, int, int]
    unknown_people: int
    sexes: dict[str, int]
    ages: dict[str, int]
    dropped: dict[str, int]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Say it for a person."""
        fewest, median, most = self.photos_each
        rows = [
            (named(name, self.english[name]), count, f"{100 * count / max(self.photos, 1):.1f} %")
            for name, count in self.classes.items()
        ]
        blocks = [
            f"{self.photos:,} photos of {self.members:,} entries, {self.bytes / 1e9:.2f} GB",
            table(("class", "photos", "share"), [*rows, ("all", self.photos, "")], foot=True),
        ]
        if self.subjects:
            each = f"{fewest} to {most} photos each, median {median}"
            blocks.append(f"{self.subjects:,} people, {each}")
            blocks.append(table(("sex", "photos"), list(self.sexes.items())))
            blocks.append(table(("age", "photos"), list(self.ages.items())))
        if self.unknown_people:
            blocks.append(
                f"{self.unknown_people:,} of {self.photos:,} photos carry no person in their "
                "names: a split takes each for a person of its own"
            )
        if self.dropped:
            blocks.append(table(("no example", "entries"), list(self.dropped.items())))
        return "\n\n".join(
            [*blocks, *(f"warning: {printable(warning)}" for warning in self.warnings)]
        )

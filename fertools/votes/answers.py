"""Hold what annotators, uploader and names say of photos, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.intervals import Floats, sum_by_person
from fertools.votes.agreement import majority
from fertools.votes.patterns import Patterns

#: Photos without a person are put into so many parts, by turns, and parts are drawn like people:
#: the intervals are those of single photos, and the draws stay few.
_PARTS: Final = 5000


@dataclass(frozen=True)
class Answers:
    """The votes for photos; -1 is none.

    counts    int, (photos, classes): votes of annotators
    uploader  int, (photos,): class of the uploader's word
    names     int, (photos,): class of the name
    people    int, (photos,): number of the person, from 0; see `number_people`
    known     how many of these are people, the first ones; the others are parts of the photos of
              which no person is known
    slots     int, (photos, slots): class of each annotator's vote; (photos, 0) if it is not known
              who gave which
    groups    of headings such as "sex": int, (photos,), index into the heading's names
    """

    counts: Ints
    uploader: Ints
    names: Ints
    people: Ints
    known: int
    slots: Ints
    groups: Mapping[str, tuple[list[str], Ints]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def classes(self) -> int:
        return int(self.counts.shape[1])

    @cached_property
    def patterns(self) -> Patterns:
        return Patterns.of(self.counts, self.uploader)

    @cached_property
    def majorities(self) -> Ints:
        """The class of the annotators' majority, int64, (photos,), or -1."""
        return majority(self.patterns.counts)[self.patterns.index]

    def sums(self, terms: Floats) -> Floats:
        """Add up terms of the patterns, (patterns, k), for each person: (people, k)."""
        return sum_by_person(self.people, (term[self.patterns.index] for term in terms.T))

    @property
    def unknown(self) -> int:
        """The number of photos of which no person is known."""
        return int((self.people >= self.known).sum())

    def people_with(self, photos: NDArray[np.bool_]) -> Ints:
        """Return the numbers of the people of these photos, each once."""
        return np.unique(self.people[photos])

    def by_group(self, heading: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield the name and the photos, bool, (photos,), of each group that has photos."""
        names, codes = self.groups[heading]
        for number, name in enumerate(names):
            photos = codes == number
            if photos.any():
                yield name, photos


def number_people(codes: NDArray[Any]) -> tuple[Ints, int]:
    """Number the people of photos from 0, in the order of their codes.

    codes   int, (photos,): any number for a person, -1 if unknown

    Returns the numbers, int64, (photos,), and how many people are known. Photos without a person
    follow in at most 5,000 parts.
    """
    known = codes >= 0
    people = np.zeros(len(codes), np.int64)
    found, people[known] = np.unique(codes[known], return_inverse=True)
    people[~known] = len(found) + np.arange(int((~known).sum())) % _PARTS
    return people, len(found)

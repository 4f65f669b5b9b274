"""Keep how many annotators chose each class, for sets that do not say who chose what: FER+.

neutral happiness surprise …  other     recorded
4       0         0        …  0         True        ten annotators of one photo
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.columns import Ints, Words
from fertools.labels.classes import ClassMap
from fertools.labels.votes import NO_CLASS, Agreement


@dataclass(frozen=True, slots=True)
class CountedVotes:
    """The votes of a set's annotators, a row a member.

    classes    the set's own, in the order of the columns
    counts     int16, (members, classes + 1): the last column counts answers that are no class
    recorded   bool, (members,): whether the set has votes for the member
    """

    classes: tuple[str, ...]
    counts: NDArray[np.int16]
    recorded: NDArray[np.bool_]

    @classmethod
    def of(
        cls, classes: Sequence[str], rows: Iterable[Mapping[str, int] | None], members: int
    ) -> CountedVotes:
        """Join the votes of the members: counts by class, "" for no class; None without votes."""
        counts = np.zeros((members, len(classes) + 1), np.int16)
        recorded = np.zeros(members, np.bool_)
        for number, votes in enumerate(rows):
            if votes:
                counts[number] = [votes.get(word, 0) for word in (*classes, "")]
                recorded[number] = counts[number].any()
        return cls(tuple(classes), counts, recorded)

    def votes(self, rows: Ints, classes: ClassMap) -> Ints:
        """Count the annotators who chose each class of the dataset, int64, (rows, classes).

        Votes for a class that the dataset does not have are not counted.
        """
        found = [classes.index_of.get(word) for word in self.classes]
        index = np.array([-1 if each is None else each for each in found], np.int64)
        is_class = (index[:, np.newaxis] == np.arange(len(classes.names))).astype(np.int64)
        counts: Ints = self.counts[rows, :-1].astype(np.int64) @ is_class
        return counts

    def uploader(self, rows: Ints, _: ClassMap) -> Ints:
        """Return -1 for each row: such sets have no uploader's word."""
        return np.full(len(rows), -1, np.int64)

    def words(self, _: str, start: int, stop: int) -> pa.Array:
        """Return null for each row: who said what is not known."""
        return pa.nulls(stop - start, pa.string())

    @property
    def emotions(self) -> tuple[str, ...]:
        """What annotators choose from, answers that are no class apart."""
        return self.classes

    def patterns(self) -> Ints:
        """Return a number for each row, int64, (members,): equal where the votes are equal."""
        numbers: Ints = np.unique(self.counts, axis=0, return_inverse=True)[1].reshape(-1)
        return numbers

    def spoken(self, row: int) -> list[str | None] | None:
        """Return the annotators' words, one each in the order of the classes; None without."""
        words = zip((*self.classes, NO_CLASS), self.counts[row].tolist(), strict=True)
        return [w for w, count in words for _ in range(count)] if self.recorded[row] else None

    def agreement(self, names: Words) -> dict[str, Agreement]:
        """Return the agreement of annotators with each class in the set's own labels."""
        found = {}
        everyone = self.counts.sum(axis=1)
        for number, word in enumerate(self.classes):
            code = names.words.index(word) if word in names.words else -2
            own = np.flatnonzero((names.codes == code) & self.recorded)
            agree, of_all = self.counts[own, number], everyone[own]
            if len(own):
                majority, unanimous = 2 * agree > of_all, agree == of_all
                found[word] = Agreement(len(own), int(majority.sum()), int(unanimous.sum()))
        return found

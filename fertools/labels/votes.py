"""Keep who said what of every photo, and decide a photo's emotion from the votes.

    said      uploader   A   B   C     int8: an index into VOTE_WORDS, -1 without a word
              3          5   5   7     the uploader says 불안; A and B 슬픔, C 알수없음

Three annotators, who were not present at the shooting, labelled each photo. A, B and C are slots of
a label record, not persons: no record says who filled them. The uploader intended an emotion and
put it into the file name; only the annotators' words are votes. So the majority is independent of
the name: a photo named 불안 that two of three annotators label 슬픔 becomes 슬픔.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fertools.columns import Ints, Words
from fertools.data import Drop, Reason
from fertools.label_rule import LabelRule
from fertools.labels.classes import ClassMap
from fertools.labels.filename import EMOTIONS, UNKNOWN, VOTE_WORDS
from fertools.options import LabelOptions

#: The columns of `VoteTable.said`, by their names in the ledger.
SLOTS: Final = ("uploader", "annot_a", "annot_b", "annot_c")

_NO_RECORD: Final = Drop(Reason.DISPUTED, "no label record tells what the annotators saw")

#: An answer that is no class, in sets that only count such answers.
NO_CLASS: Final = "no class"

#: In the place of a packed row: no record. It differs from -1, a record without this word.
_ABSENT: Final = bytes(4 * [0x80])


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of annotators with one emotion in file names; all numbers count photos.

    records     photos with this emotion in the name and a record
    majority    of these, photos for which two or three annotators chose this emotion
    unanimous   of these, photos for which all three chose it
    """

    records: int
    majority: int
    unanimous: int


@dataclass(frozen=True, slots=True)
class VoteTable:
    """The words of uploader and annotators, a row a member.

    said       int8, (members, 4): indices into VOTE_WORDS in the order of SLOTS, -1 without a word
    recorded   bool, (members,): whether the member has a label record
    """

    said: NDArray[np.int8]
    recorded: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Iterable[bytes | None], members: int) -> VoteTable:
        """Join the members' rows of four int8 each (`Annotations.said`); None without a record."""
        joined = b"".join(_ABSENT if row is None else row for row in rows)
        said = np.frombuffer(joined, np.int8).reshape(members, len(SLOTS))
        return cls(np.maximum(said, -1), said[:, 0] > np.int8(-128))

    @classmethod
    def empty(cls, members: int) -> VoteTable:
        """Return the table of an archive without label records, which takes no memory."""
        said = np.broadcast_to(np.int8(-1), (members, len(SLOTS)))
        return cls(said, np.broadcast_to(np.False_, members))

    @property
    def emotions(self) -> tuple[str, ...]:
        """What annotators choose from, 알수없음 apart."""
        return tuple(EMOTIONS)

    def patterns(self) -> Ints:
        """Return a number for each row, int64, (members,): equal where the same was said."""
        codes = self.recorded.astype(np.int64)
        for slot in self.said.T:
            codes = codes * (len(VOTE_WORDS) + 1) + slot + 1
        return codes

    def spoken(self, row: int) -> list[str | None] | None:
        """Return the words of the annotators; None without a record."""
        words = (*VOTE_WORDS, None)  # -1 is the index of None
        return [words[vote] for vote in self.said[row, 1:]] if self.recorded[row] else None

    def votes(self, rows: Ints, classes: ClassMap) -> Ints:
        """Count the annotators who chose each class, int64, (rows, classes).

        A row has a sum of 0 to 3: a vote for an emotion without a class in this dataset is not
        counted, nor is 알수없음.
        """
        chosen = _class_indices(classes)[self.said[rows, 1:]]
        is_class = chosen[:, :, np.newaxis] == np.arange(len(classes.names))
        counts: Ints = is_class.sum(axis=1, dtype=np.int64)
        return counts

    def uploader(self, rows: Ints, classes: ClassMap) -> Ints:
        """Return the class of the uploader's word, int64, (rows,); -1 where it has none."""
        chosen: Ints = _class_indices(classes)[self.said[rows, 0]]
        return chosen

    def agreement(self, names: Words) -> dict[str, Agreement]:
        """Return the agreement of annotators with each emotion in the members' names.

        The result has the archive's emotions in their order; emotions without any record are
        omitted.
        """
        agreements = {}
        for number, word in enumerate(EMOTIONS):
            if word not in names.words:
                continue
            own = np.flatnonzero((names.codes == names.words.index(word)) & self.recorded)
            agree = (self.said[own, 1:] == number).sum(axis=1)
            if len(own):
                majority, unanimous = int((agree > 1).sum()), int((agree > 2).sum())
                agreements[word] = Agreement(len(own), majority, unanimous)
        return agreements

    def words(self, slot: str, start: int, stop: int) -> pa.Array:
        """Return what one of SLOTS said of the members of a range; null without a word."""
        codes = self.said[start:stop, SLOTS.index(slot)]
        return pa.array(VOTE_WORDS, pa.string()).take(pa.array(codes, mask=codes < 0))


def _class_indices(classes: ClassMap) -> Ints:
    """Return the class of each of VOTE_WORDS and, as the last, of no word; -1 without a class."""
    found = [classes.index_of.get(word) for word in EMOTIONS]
    return np.array([*(-1 if index is None else index for index in found), -1, -1], np.int64)


@dataclass(frozen=True, slots=True)
class Likely:
    """The emotion of a photo's most probable class, and the probability of that class.

    The probability is 0 for an emotion that most annotators chose and no uploader.
    """

    emotion: str
    probability: float


def decide_emotion(
    options: LabelOptions,
    named: str | None,
    votes: Sequence[str | None] | None,
    likely: Likely | None = None,
) -> str | Drop | None:
    """Return the emotion of a photo from its name and its votes, or a Drop (DISPUTED).

    votes    the words of the annotators, None for a missing one; None without a record
    likely   what the photo shows most probably, for a rule that asks for a probability

    An emotion needs the votes, or the probability, of `options.rule`. On a tie of votes it must be
    the emotion in the name. If no emotion has enough, or without a record, the photo is DISPUTED;
    with `--disputed keep` it keeps the emotion in its name.

    >>> decide_emotion(LabelOptions(labels="majority"), "불안", ("슬픔", "슬픔", "불안"))
    '슬픔'
    """
    if options.rule.by_name:
        return named
    if votes is not None and (emotion := _chosen(options.rule, named, votes, likely)):
        return emotion
    if options.disputed == "keep":
        return named
    return _NO_RECORD if votes is None else Drop(Reason.DISPUTED, _describe(votes, likely))


def _chosen(
    rule: LabelRule, named: str | None, votes: Sequence[str | None], likely: Likely | None
) -> str | None:
    if likely is None:
        return _agreed_emotion(votes, named, rule.votes_of(len(votes)))
    return likely.emotion if likely.probability >= rule.probability else None


def _agreed_emotion(votes: Sequence[str | None], named: str | None, needed: int) -> str | None:
    counts = Counter(word for word in votes if word and word not in (UNKNOWN, NO_CLASS))
    most = max(counts.values(), default=0)
    if most < needed:
        return None
    leading = [word for word, count in counts.items() if count == most]
    if len(leading) == 1:
        return leading[0]
    return named if named in leading else None


def _describe(votes: Sequence[str | None], likely: Likely | None) -> str:
    """Return the votes, the most frequent first: "불안 1, 슬픔 1; most likely 불안, 0.612"."""
    counts = Counter(word or "no vote" for word in votes)
    order = sorted(counts, key=lambda word: (word not in EMOTIONS, -counts[word], word))
    said = ", ".join(f"{word} {counts[word]}" for word in order)
    if likely is None:
        return said
    if not likely.probability:
        return f"{said}; no photo is named {likely.emotion}"
    return f"{said}; most likely {likely.emotion}, {likely.probability:.3f}"

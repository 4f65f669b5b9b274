"""Compare a network with what the annotators said, with intervals over people.

A label is one opinion: that of the person who uploaded the photo, or of the majority. So a network
is also compared with every annotator, and the annotators with each other:

    votes of a photo   joy 2, neutral 1            the network says joy
    the majority       joy                         right; it counts under "most agree"
    a random one       joy with 2/3                agreement 2/3
    one more           joy: neutral, joy           the others tie: this one does not count
                       neutral: joy, joy           the network agrees with the two, and so the
                                                   annotator is compared with them too: no match

The ceiling is `best_classifier` of `votes.ceilings`: how often a classifier that always knew what
is shown would agree with a random annotator, by a Dawid-Skene model of the same photos' votes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.console import table
from fertools.inference.metrics import LEAST_PROBABILITY, number
from fertools.inference.predictions import Predictions
from fertools.intervals import Estimate, estimates, sum_by_person
from fertools.votes.agreement import majority, share
from fertools.votes.answers import Answers, number_people
from fertools.votes.ceilings import one_against_others_terms
from fertools.votes.survey import Survey

#: Votes a photo must have for its annotators to be compared with each other.
_ENOUGH: Final = 3

#: The figure, and the photos or votes that it is a mean over: two columns (photos,).
_Share = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class VoteFigures:
    """A network against annotators; a figure is None where no photo has what it is about.

    photos          that have votes
    majority        accuracy against the class of most annotators, at least two of them
    all_agree       the same of photos on which all agree, `all_agree_photos` of them
    most_agree      the same of the others with a majority, `most_agree_photos` of them
    random          how often a random annotator of the photo agrees
    cross_entropy   of the network's probabilities to the shares of the votes, in nats
    as_annotator    how often the network agrees with the majority of the others, in the place of
                    each annotator in turn; of photos with three votes or more
    annotators      how often the annotator in that place agrees with it
    ceiling         how often the best possible classifier agrees with a random annotator
    """

    photos: int
    majority: Estimate | None
    all_agree: Estimate | None
    all_agree_photos: int
    most_agree: Estimate | None
    most_agree_photos: int
    random: Estimate | None
    cross_entropy: Estimate | None
    as_annotator: Estimate | None
    annotators: Estimate | None
    ceiling: Estimate | None

    @classmethod
    def of(cls, predictions: Predictions, seed: int) -> VoteFigures | None:
        """Compute all figures; None where no photo has a vote.

        The votes of the predictions must be those of annotators alone, without the uploader's.
        """
        known = predictions.where(predictions.votes.sum(axis=1) > 0)
        if not len(known.labels):
            return None
        shares = dict(_shares(known))
        columns = (column for pair in shares.values() for column in pair)
        sums = sum_by_person(known.people, columns).reshape(-1, len(shares), 2)
        found = dict(zip(shares, map(_known, estimates(sums, share, seed)), strict=True))
        return cls(
            photos=len(known.labels),
            all_agree_photos=int(shares["all_agree"][1].sum()),
            most_agree_photos=int(shares["most_agree"][1].sum()),
            ceiling=_ceiling(known),
            **found,
        )

    def text(self) -> str:
        """Return a table."""
        rows = [
            ("their majority", self.all_agree_photos + self.most_agree_photos, self.majority),
            ("- where all agree", self.all_agree_photos, self.all_agree),
            ("- where most agree", self.most_agree_photos, self.most_agree),
            ("a random one of them", self.photos, self.random),
        ]
        cells = [(name, photos, number(figure)) for name, photos, figure in rows]
        lines = [
            table(("against the annotators", "photos", "accuracy"), cells),
            f"cross-entropy to their votes {number(self.cross_entropy)} nats",
        ]
        if self.as_annotator:
            lines.append(
                f"as one more annotator it agrees with the majority of the others in "
                f"{self.as_annotator},\nthe annotators themselves in {self.annotators}"
            )
        return "\n".join(lines)

    def last_line(self) -> str:
        """Return a line that compares the network with the ceiling; "" where that is unknown."""
        if not (self.random and self.ceiling):
            return ""
        return (
            f"agreement with a random annotator: {self.random.value:.2f} of a ceiling of "
            f"{self.ceiling.value:.2f}{_interval(self.ceiling)}, what the best possible\n"
            "classifier is expected to reach by the votes for these photos (Dawid-Skene)"
        )


def _shares(known: Predictions) -> Iterator[tuple[str, _Share]]:
    votes, predicted = known.votes, known.predicted
    total, most = votes.sum(axis=1), majority(votes)
    decided, right = most >= 0, most == predicted
    whole = decided & (votes.max(axis=1) == total)
    yield "majority", (right & decided, decided)
    yield "all_agree", (right & whole, whole)
    yield "most_agree", (right & decided & ~whole, decided & ~whole)
    yield "random", (votes[np.arange(len(votes)), predicted], total)
    logarithms = np.log(np.maximum(known.probabilities, LEAST_PROBABILITY))
    yield "cross_entropy", (-(votes / total[:, None] * logarithms).sum(axis=1), np.ones(len(votes)))
    yield "as_annotator", _as_annotator(votes, predicted)
    agree, others, _ = one_against_others_terms(votes).T
    yield "annotators", (agree, others)


def _as_annotator(votes: Ints, predicted: Ints) -> _Share:
    """Return, of the votes whose others have a majority, those where the network agrees with it."""
    agree, decided = np.zeros((2, len(votes)))
    enough = votes.sum(axis=1) >= _ENOUGH
    for word, own in enumerate(votes.T):
        others = votes.copy()
        others[:, word] -= own > 0
        most = majority(others)
        counted = own * (enough & (most >= 0))
        decided += counted
        agree += counted * (most == predicted)
    return agree, decided


def _ceiling(known: Predictions) -> Estimate | None:
    if not (known.votes.sum(axis=1) >= _ENOUGH).any():
        return None  # errors of annotators cannot be told from fewer
    codes = np.where(known.subjects == "", -1, known.people)
    slots = np.empty((len(codes), 0), np.int64)
    people = number_people(codes)
    answers = Answers(known.votes, known.uploaders, known.labels, *people, slots)
    return Survey.of(answers).ceilings["best_classifier"]


def _known(figure: Estimate) -> Estimate | None:
    return None if isnan(figure.value) else figure


def _interval(figure: Estimate) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" ({figure.low:.2f} to {figure.high:.2f})"

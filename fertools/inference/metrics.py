"""The truth about a network on one split, as numbers and as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.console import named, table
from fertools.dataset.manifest import ClassName
from fertools.inference.predictions import Bin, Predictions, calibration_error, reliability

#: The smallest probability whose logarithm is taken: that of float32's own resolution.
_LEAST: Final = 1e-7


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fared; None where a figure would be 0/0."""

    name: str
    english: str
    photos: int
    precision: float | None
    recall: float | None
    f1: float | None

    @property
    def figures(self) -> tuple[float | None, ...]:
        """Precision, recall and F1."""
        return self.precision, self.recall, self.f1


@dataclass(frozen=True, slots=True)
class Metrics:
    """Everything that is measured on one split.

    photos, people      how many photos, and how many people they carry
    unknown             photos that carry no person: for the intervals each counts as a person
    accuracy, macro_f1  with 95 % intervals that draw people (see interval)
    loss                mean -log of the true class's probability, in nats
    calibration_error   expected calibration error, 0 to 1 (see calibration)
    classes             figures of each class, in the order of the labels
    confusion           rows are the true classes, columns the answers, both in that order
    reliability         the bins behind the calibration error
    groups              by sex and by age
    """

    photos: int
    people: int
    unknown: int
    accuracy: Estimate
    macro_f1: Estimate
    loss: float
    calibration_error: float
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, answers: Predictions, classes: Sequence[ClassName], seed: int) -> Metrics:
        """Compute all figures; the seed decides which people the intervals draw."""
        by_person = answers.confusion_by_person
        bins = reliability(answers.confidence, answers.chosen == answers.labels)
        true = answers.probabilities[np.arange(len(answers.labels)), answers.labels]
        return cls(
            photos=len(answers.labels),
            people=len(by_person) - answers.unknown,
            unknown=answers.unknown,
            accuracy=estimate(by_person, accuracy, seed),
            macro_f1=estimate(by_person, macro_f1, seed),
            loss=float(-np.log(np.maximum(true, _LEAST)).mean(dtype=np.float64)),
            calibration_error=calibration_error(bins),
            classes=_by_class(answers, classes),
            confusion=tuple(tuple(row) for row in answers.confusion.tolist()),
            reliability=tuple(bins),
            groups=groups(answers, seed),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return the figures for a person to read: the headline, classes, groups."""
        head = (
            f"accuracy   {self.accuracy}   95 % intervals over {self.drawn}",
            f"macro-F1   {self.macro_f1}   {self.photos:,} photos",
            f"loss       {self.loss:.3f} nats; calibration error {self.calibration_error:.3f}",
        )
        rows = [
            (named(each.name, each.english), each.photos, *map(_shown, each.figures))
            for each in self.classes
        ]
        blocks = ["\n".join(head), table(("class", "photos", "precision", "recall", "F1"), rows)]
        if self.groups:
            blocks.append(self._groups())
        return "\n\n".join(blocks)

    @property
    def drawn(self) -> str:
        """What the intervals draw, such as "31 people and 4 photos without a person"."""
        return drawn(self.people, self.unknown)

    def _groups(self) -> str:
        rows = [
            (each.name, each.people, each.photos, *map(_shown, (each.accuracy, each.macro_f1)))
            for each in self.groups
        ]
        text = table(("group", "people", "photos", "accuracy", "macro-F1"), rows)
        if any(each.accuracy is None for each in self.groups):
            text += f"\n– fewer than {LEAST_PEOPLE} people: no figure"
        return text


def drawn(people: int, unknown: int) -> str:
    """Name what intervals draw, from the number of people and of photos that carry none."""
    if not people:
        return f"{unknown:,} photos"
    return f"{people:,} people" + f" and {unknown:,} photos without a person" * (unknown > 0)


def _by_class(answers: Predictions, classes: Sequence[ClassName]) -> tuple[ClassFigures, ...]:
    matrix = answers.confusion
    columns = (precision(matrix), recall(matrix), f1(matrix))
    return tuple(
        ClassFigures(
            entry.name,
            entry.english,
            int(matrix[row].sum()),
            *(None if isnan(column[row]) else float(column[row]) for column in columns),
        )
        for row, entry in enumerate(classes)
    )


def _shown(value: Estimate | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


Floats = NDArray[np.float64]
Matrices = NDArray[Any]


def accuracy(matrices: Matrices) -> Floats:
    """Share of the examples that were answered rightly."""
    return _over(_diagonal(matrices).sum(-1), matrices.sum((-2, -1)))


def recall(matrices: Matrices) -> Floats:
    """Of each class's examples, the share that was found."""
    return _over(_diagonal(matrices), matrices.sum(-1))


def precision(matrices: Matrices) -> Floats:
    """Of the answers that name a class, the share that was right."""
    return _over(_diagonal(matrices), matrices.sum(-2))


def f1(matrices: Matrices) -> Floats:
    """Of each class the harmonic mean of precision and recall; 0 where all answers were wrong."""
    return _over(2 * _diagonal(matrices), matrices.sum(-1) + matrices.sum(-2))


def macro_f1(matrices: Matrices) -> Floats:
    """Mean F1 over the classes that stand there or were answered, each counting the same."""
    each = f1(matrices)
    return _over(np.nansum(each, -1), (~np.isnan(each)).sum(-1))


def _diagonal(matrices: Matrices) -> Matrices:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _over(part: Matrices, whole: Matrices) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


#: Fewer people than this say more about themselves than about their group.
LEAST_PEOPLE: Final = 20

_SEXES: Final = {"남": "남 male", "여": "여 female"}


@dataclass(frozen=True, slots=True)
class Group:
    """One group; without figures where it has fewer than `LEAST_PEOPLE` people."""

    name: str
    people: int
    photos: int
    accuracy: Estimate | None = None
    macro_f1: Estimate | None = None


def groups(answers: Predictions, seed: int) -> tuple[Group, ...]:
    """Return the figures by sex and by age; photos of nobody known are in none of them."""
    known = np.array([bool(name) for name in answers.subjects])
    return tuple(
        _group(name, answers.where(rows & known), seed)
        for name, rows in _members(answers)
        if (rows & known).any()
    )


def _members(answers: Predictions) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    sexes, ages = np.array(answers.sexes), np.array(answers.ages)
    for sex, name in _SEXES.items():
        yield name, sexes == sex
    for age in sorted({*answers.ages} - {-1}):
        yield f"age {age}", ages == age


def _group(name: str, answers: Predictions, seed: int) -> Group:
    by_person = answers.confusion_by_person
    people, photos = len(by_person), len(answers.labels)
    if people < LEAST_PEOPLE:
        return Group(name, people, photos)
    figures = (estimate(by_person, statistic, seed) for statistic in (accuracy, macro_f1))
    return Group(name, people, photos, *figures)


#: Draws: the ends then move by about 0.03 of the interval's width from seed to seed.
DRAWS: Final = 2000

_AT_ONCE: Final = 1 << 22  # weights held at a time, 32 MB of float64

Statistic = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; low and high are None where one person alone was asked."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(by_person: NDArray[np.int64], statistic: Statistic, seed: int) -> Estimate:
    """Return a figure of all people together, with its interval.

    by_person   int64 (people, classes, classes): each person's confusion matrix
    statistic   takes matrices (..., classes, classes), gives (...): see figures
    seed        equal seeds, equal intervals
    """
    people, classes, _ = by_person.shape
    value = float(statistic(by_person.sum(0)))
    if people < 2:
        return Estimate(value)
    flat = by_person.reshape(people, -1).astype(np.float64)
    rng = np.random.default_rng(seed)
    drawn: list[NDArray[np.float64]] = []
    left = DRAWS
    while left:
        draws = min(left, max(1, _AT_ONCE // people))
        weights = rng.multinomial(people, np.full(people, 1 / people), size=draws)
        drawn.append(statistic((weights @ flat).reshape(draws, classes, classes)))
        left -= draws
    low, high = np.nanpercentile(np.concatenate(drawn), (2.5, 97.5))
    return Estimate(value, float(low), float(high))

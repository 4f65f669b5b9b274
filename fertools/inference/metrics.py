"""Metrics of a network on one split: figures of its confusion matrix, with intervals over people.

              predicted                     accuracy   diagonal over all
              0    1    2                   recall     diagonal over its row
    true 0 [ 41    2    0 ]                 precision  diagonal over its column
         1 [  3   38    1 ]                 F1         2 · diagonal over row + column
         2 [  0    5   40 ]                 macro-F1   the mean of the classes' F1

The functions of these names take one matrix or a stack, int or float (..., classes, classes). They
return float64 without the last two axes, or, with a figure for each class, without the last one.
What is 0/0 is NaN.

Intervals are over people: see `fertools.intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.console import name_pair, table
from fertools.dataset.manifest import ClassName
from fertools.inference.predictions import Bin, Predictions, calibration_error, reliability
from fertools.intervals import Estimate, Floats, estimate

Matrices = NDArray[Any]

#: The smallest probability whose logarithm is taken: that of float32's own resolution.
LEAST_PROBABILITY: Final = 1e-7

#: Fewer people than this say more about themselves than about their group.
LEAST_PEOPLE: Final = 20

_SEXES: Final = {"남": "남 male", "여": "여 female"}


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The figures of one class; None where a figure would be 0/0."""

    name: str
    english: str
    photos: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one sex or age; None where it has fewer than `LEAST_PEOPLE` people."""

    name: str
    people: int
    photos: int
    accuracy: Estimate | None = None
    macro_f1: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How right the probabilities are.

    loss    mean -log of the true class's probability, in nats
    error   expected calibration error, 0 to 1
    """

    loss: float
    error: float

    @classmethod
    def of(cls, predictions: Predictions) -> Calibration:
        labels = predictions.labels
        true = predictions.probabilities[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(true, LEAST_PROBABILITY)).mean(dtype=np.float64))
        return cls(loss, calibration_error(_bins(predictions)))


@dataclass(frozen=True, slots=True)
class Metrics:
    """Everything that is measured on one split.

    unknown             photos that carry no person: for the intervals each counts as a person
    loss                mean -log of the true class's probability, in nats
    calibration_error   expected calibration error, 0 to 1
    temperature         what the logits were divided by, None where it was not fitted
    unscaled            loss and error without it, None where it was not fitted
    classes             in the order of the labels
    confusion           rows are the true classes, columns the predicted ones, both in that order
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
    temperature: float | None = None
    unscaled: Calibration | None = None

    @classmethod
    def of(
        cls,
        predictions: Predictions,
        classes: Sequence[ClassName],
        seed: int,
        temperature: float | None = None,
    ) -> Metrics:
        """Compute all figures; the seed decides which people the intervals draw."""
        by_person = predictions.confusion_by_person
        confusion, calibration = by_person.sum(axis=0), Calibration.of(predictions)
        raw = predictions.unscaled(temperature) if temperature else None
        return cls(
            photos=len(predictions.labels),
            people=len(by_person) - predictions.unknown,
            unknown=predictions.unknown,
            accuracy=estimate(by_person, accuracy, seed),
            macro_f1=estimate(by_person, macro_f1, seed),
            loss=calibration.loss,
            calibration_error=calibration.error,
            classes=_by_class(confusion, classes),
            confusion=tuple(map(tuple, confusion.tolist())),
            reliability=tuple(_bins(predictions)),
            groups=_groups(predictions, seed),
            temperature=temperature,
            unscaled=Calibration.of(raw) if raw else None,
        )

    def text(self) -> str:
        """Return the headline and tables of the classes and groups."""
        people = people_text(self.people, self.unknown)
        head = (
            f"accuracy   {self.accuracy}   95 % intervals over {people}",
            f"macro-F1   {self.macro_f1}   {self.photos:,} photos",
            f"loss       {self.loss:.3f} nats; calibration error {self.calibration_error:.3f}",
            self._calibration_text(),
        )
        classes = [
            (name_pair(c.name, c.english), c.photos, *map(number, (c.precision, c.recall, c.f1)))
            for c in self.classes
        ]
        groups = [
            (g.name, g.people, g.photos, *map(number, (g.accuracy, g.macro_f1)))
            for g in self.groups
        ]
        blocks = ["\n".join(head), table(("class", "photos", "precision", "recall", "F1"), classes)]
        if groups:
            blocks.append(table(("group", "people", "photos", "accuracy", "macro-F1"), groups))
        if any(each.accuracy is None for each in self.groups):
            blocks[-1] += f"\n– fewer than {LEAST_PEOPLE} people: no figure"
        return "\n\n".join(blocks)

    def _calibration_text(self) -> str:
        if self.unscaled is None:
            return "           no temperature was fitted on validation"
        return (
            f"           with temperature {self.temperature:.2f}, fitted on validation; without it "
            f"{self.unscaled.loss:.3f} and {self.unscaled.error:.3f}"
        )


def _bins(predictions: Predictions) -> list[Bin]:
    return reliability(predictions.confidence, predictions.predicted == predictions.labels)


def people_text(people: int, unknown: int) -> str:
    """Name what intervals draw, such as "31 people and 4 photos without a person"."""
    if not people:
        return f"{unknown:,} photos"
    return f"{people:,} people" + f" and {unknown:,} photos without a person" * (unknown > 0)


def number(value: Estimate | float | None) -> str:
    """Return a figure for a table, "–" for None."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _by_class(matrix: Matrices, classes: Sequence[ClassName]) -> tuple[ClassFigures, ...]:
    figures = np.stack((precision(matrix), recall(matrix), f1(matrix)), axis=1).tolist()
    known = [[None if isnan(figure) else figure for figure in row] for row in figures]
    photos = matrix.sum(axis=1).tolist()
    return tuple(
        ClassFigures(entry.name, entry.english, count, *row)
        for entry, count, row in zip(classes, photos, known, strict=True)
    )


def _groups(predictions: Predictions, seed: int) -> tuple[Group, ...]:
    """Return the figures by sex and by age; photos without a person are in no group."""
    known = predictions.where(predictions.subjects != "")
    members = {name: known.sexes == sex for sex, name in _SEXES.items()}
    members |= {f"age {age}": known.ages == age for age in np.unique(known.ages) if age != -1}
    groups = {name: known.where(rows) for name, rows in members.items() if rows.any()}
    return tuple(_group(name, group, seed) for name, group in groups.items())


def _group(name: str, predictions: Predictions, seed: int) -> Group:
    by_person = predictions.confusion_by_person
    people, photos = len(by_person), len(predictions.labels)
    if people < LEAST_PEOPLE:
        return Group(name, people, photos)
    figures = (estimate(by_person, statistic, seed) for statistic in (accuracy, macro_f1))
    return Group(name, people, photos, *figures)


def accuracy(matrices: Matrices) -> Floats:
    """Return the share of the examples that were predicted rightly."""
    return _over(_diagonal(matrices).sum(-1), matrices.sum((-2, -1)))


def recall(matrices: Matrices) -> Floats:
    """Return, of each class's examples, the share that was predicted rightly."""
    return _over(_diagonal(matrices), matrices.sum(-1))


def precision(matrices: Matrices) -> Floats:
    """Return, of the predictions of each class, the share that was right."""
    return _over(_diagonal(matrices), matrices.sum(-2))


def f1(matrices: Matrices) -> Floats:
    """Return each class's harmonic mean of precision and recall; 0 if all predictions are wrong."""
    return _over(2 * _diagonal(matrices), matrices.sum(-1) + matrices.sum(-2))


def macro_f1(matrices: Matrices) -> Floats:
    """Return the mean F1 over the classes that have examples or predictions, each alike."""
    by_class = f1(matrices)
    return _over(np.nansum(by_class, -1), (~np.isnan(by_class)).sum(-1))


def _diagonal(matrices: Matrices) -> Matrices:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _over(part: Matrices, whole: Matrices) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

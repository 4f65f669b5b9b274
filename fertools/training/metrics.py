"""The truth about a network on one split, as numbers and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any, Final

import numpy as np

from fertools.report import table
from fertools.report.table import named
from fertools.shards import ClassName
from fertools.training.answers import Answers
from fertools.training.calibration import Bin, calibration_error, reliability
from fertools.training.figures import accuracy, f1, macro_f1, precision, recall
from fertools.training.groups import LEAST_PEOPLE, Group, groups
from fertools.training.interval import Estimate, estimate

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
    def of(cls, answers: Answers, classes: Sequence[ClassName], seed: int) -> Metrics:
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


def _by_class(answers: Answers, classes: Sequence[ClassName]) -> tuple[ClassFigures, ...]:
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

"""Figures by sex and by age, for groups that are large enough to have one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.training.answers import Answers
from fertools.training.figures import accuracy, macro_f1
from fertools.training.interval import Estimate, estimate

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


def groups(answers: Answers, seed: int) -> tuple[Group, ...]:
    """Return the figures by sex and by age; photos of nobody known are in none of them."""
    known = np.array([bool(name) for name in answers.subjects])
    return tuple(
        _group(name, answers.where(rows & known), seed)
        for name, rows in _members(answers)
        if (rows & known).any()
    )


def _members(answers: Answers) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    sexes, ages = np.array(answers.sexes), np.array(answers.ages)
    for sex, name in _SEXES.items():
        yield name, sexes == sex
    for age in sorted({*answers.ages} - {-1}):
        yield f"age {age}", ages == age


def _group(name: str, answers: Answers, seed: int) -> Group:
    by_person = answers.confusion_by_person
    people, photos = len(by_person), len(answers.labels)
    if people < LEAST_PEOPLE:
        return Group(name, people, photos)
    figures = (estimate(by_person, statistic, seed) for statistic in (accuracy, macro_f1))
    return Group(name, people, photos, *figures)

"""Archives as tables: the people of AI-Hub's shape, drawn from a seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CLASSES = 7
SEXES = 2
AGES = 6


class Table(NamedTuple):
    groups: Ints
    classes: Ints
    group_keys: list[str]
    attributes: Ints


def drawn(seed: int, people: int = 585, photos: int = 30_000) -> Table:
    """People with very unequal numbers of photos (lognormal) and mixtures of emotions."""
    rng = np.random.default_rng(seed)
    mixture = rng.dirichlet(np.full(CLASSES, 1.5), people)
    weight = mixture * rng.lognormal(0, 1, people)[:, None]
    cells = rng.choice(weight.size, photos, p=weight.ravel() / weight.sum())
    groups, classes = np.divmod(cells, CLASSES)
    sex = rng.integers(0, SEXES, people)
    age = rng.choice(AGES, people, p=[0.08, 0.35, 0.25, 0.15, 0.12, 0.05])
    return Table(
        groups.astype(np.int64),
        classes.astype(np.int64),
        [f"person {i}" for i in range(people)],
        np.stack([sex, age], axis=1)[groups],
    )

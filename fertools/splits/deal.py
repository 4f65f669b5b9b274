"""Groups of one photo: dealt like cards, so that every class comes out even to the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hands(lack: NDArray[np.float64], cards: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say how many photos of each class each split gets, int64, (classes, splits).

    lack   photos that each split lacks to its quota, (splits, classes); negative: has too many
    cards  photos to give away, (classes,)

    Every split gets what it lacks, rounded down, and what is left goes by the largest remainder
    (Hamilton). Remainders are carried from class to class: without that, seven classes of five
    photos at 80/10/10 would each round the same way and the test split would get none.
    """
    carry = np.zeros(len(lack))
    given = np.zeros(lack.T.shape, dtype=np.int64)
    for hand, row, n in zip(given, lack.T, cards.tolist(), strict=True):
        wanted = np.maximum(row, 0)
        # Rounded, because 0.29 x 100 is 28.999999999999996, which is nothing short of 29.
        wanted = np.round(wanted * (n / max(wanted.sum(), 1e-9)), 6)
        hand[:] = np.floor(wanted)
        remainder = wanted - hand
        urgent = np.where(remainder > 0, remainder + carry, -np.inf)
        hand[np.argsort(-urgent, kind="stable")[: n - hand.sum()]] += 1
        carry += wanted - hand
    return given


def interleave(hand: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lay out a hand so that every stretch of it is a fair sample; int64, (hand.sum(),).

    Example: [4, 2, 1] -> [0, 1, 0, 2, 0, 1, 0]
    """
    due = np.concatenate([(np.arange(n) + 0.5) / max(n, 1) for n in hand.tolist()])
    return np.repeat(np.arange(len(hand)), hand)[np.argsort(due, kind="stable")]


def deal(
    lack: NDArray[np.float64], counts: NDArray[np.int64], also: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Deal groups of one photo each, in the order given; gives the split of each, int64.

    lack    photos that each split lacks to its quota, (splits, classes)
    counts  (groups, classes), a single 1 in each row
    also    (groups, columns), ones where sex or age is that of the column

    Inside a class those who are alike in sex and age lie side by side, so that they too are
    spread over the splits in proportion.
    """
    laid = np.lexsort((*also.T, counts.argmax(axis=1)))  # stable: by hash among those alike
    side = np.empty(len(counts), dtype=np.int64)
    side[laid] = np.concatenate([interleave(hand) for hand in hands(lack, counts.sum(axis=0))])
    return side

"""Better places by trades, until no trade helps.

    X[s]   what split s holds beyond its quota, a number a class;  cost = sum of X[s]·X[s]
    v[g]   what group g weighs in each class (its load, see place.py)

    g goes from a to b               the cost changes by  2 v[g]·(X[b] - X[a]) + 2 v[g]·v[g]
    h comes from b to a instead      by both moves together less  4 v[g]·v[h]

So what all trades between two splits would do is one matrix product, and a group that only moves
is traded for nobody, whose load is 0.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from fertools.splits.place import Loads, Shares, Sides, excess

# Percentage points by which a class may miss its quota without a further trade.
ENOUGH = 0.02
# Never reached in any trial: 38 were the most.
TRADES = 500
# Trades are sought among so many groups of a split, the first in the order of hashes. Who has
# more groups than that finds a good trade among these, and 5,000 groups take 0.2 s, not 4.
SOUGHT = 512


class Trade(NamedTuple):
    """Group `give` goes from split `a` to `b`, `take` from `b` to `a`; the last row is nobody."""

    change: float
    a: int
    b: int
    give: int
    take: int


def refine(side: Sides, load: Loads, shares: Shares) -> Sides:
    """Make the best trade again and again until none lowers the cost; gives the new sides.

    side   the split of each group to begin with, int64, (groups,), an index into `shares`
    load   what each group weighs in each class, whole numbers, (groups, classes)
    """
    side, load = np.append(side, 0), np.vstack([load, np.zeros((1, load.shape[1]))])  # + nobody
    beyond = excess(side, load, shares)
    enough = ENOUGH / 100 * load.sum(axis=0).max(initial=0)
    for _ in range(TRADES):
        if np.abs(beyond).max(initial=0) <= enough:
            break
        trade = _best(side, load, beyond)
        if trade.change >= 0:
            break
        moved = load[trade.give] - load[trade.take]
        beyond[trade.a] -= moved
        beyond[trade.b] += moved
        side[[trade.give, trade.take]] = trade.b, trade.a
    return side[:-1]


def _best(side: Sides, load: Loads, beyond: Loads) -> Trade:
    nobody = len(side) - 1
    splits = range(len(beyond))
    sought = [np.append(np.flatnonzero(side[:-1] == s)[:SOUGHT], nobody) for s in splits]
    trades = []
    for a, b in combinations(splits, 2):
        ours, theirs = sought[a], sought[b]
        changes = _changes(load[ours], load[theirs], beyond[b] - beyond[a])
        give, take = divmod(int(changes.argmin()), len(theirs))
        trades.append(Trade(changes[give, take], a, b, ours[give], theirs[take]))
    return min(trades)


def _changes(give: Loads, take: Loads, gap: Loads) -> Loads:
    """Give what each trade would do to the cost, (give, take); `gap` is X[b] - X[a]."""
    leave = 2 * (give @ gap + np.square(give).sum(axis=1))
    enter = 2 * (np.square(take).sum(axis=1) - take @ gap)
    changes: Loads = leave[:, None] + enter - (4 * give) @ take.T
    return changes

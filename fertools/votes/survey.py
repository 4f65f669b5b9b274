"""Compute every figure about the votes for photos, with intervals over people.

Answers ──▶ shares    name and majority by group, pairs, slots, ceilings: one draw of people
        ──▶ κ, α      agreement beyond chance
        ──▶ model     Dawid-Skene, fitted again to each draw for the ceilings that depend on it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.intervals import (
    Estimate,
    Floats,
    draw_people,
    estimate,
    estimates,
    sum_by_person,
    with_intervals,
)
from fertools.votes import agreement, ceilings
from fertools.votes.answers import Answers
from fertools.votes.dawid_skene import DawidSkene, fit_patterns

_SEED: Final = 0

#: Draws of people for the figures of a model, which is fitted again to each.
_MODEL_DRAWS: Final = 200

#: EM stops earlier for a draw: what is left to move is far less than draws differ by.
_TOLERANCE: Final = 1e-5

#: What a share is of: (heading, name), and the photos or votes that count, (photos,) each: those
#: that agree, and all.
_Shares = dict[tuple[str, str], tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Share:
    """How often something holds, of the photos of one group or of the votes of one slot.

    heading   "class", "sex", "age", "place" or "slot"; "" for all photos
    number    of photos, or of votes
    people    number of people who are known
    """

    heading: str
    name: str
    number: int
    people: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Survey:
    """The figures about votes.

    unknown       number of photos of which no person is known
    named         how often the majority has the class of the name: of all photos, and by group
    pairs         share of the pairs of votes for a photo that agree
    kappa         Fleiss' κ of the photos with `kappa_votes` votes
    alpha         Krippendorff's α
    confusion     int, (C, C + 1): photos by name and majority; the last column has no majority
    slots         how often a slot's vote is that of the other votes' majority; may be empty
    slots_differ  whether the slots differ by more than chance
    model         Dawid-Skene
    ceilings      by the names of the functions in `fertools.votes.ceilings`
    """

    photos: int
    people: int
    unknown: int
    named: tuple[Share, ...]
    pairs: Estimate
    kappa: Estimate
    kappa_votes: int
    alpha: Estimate
    confusion: Ints
    slots: tuple[Share, ...]
    slots_differ: bool
    model: DawidSkene
    ceilings: dict[str, Estimate]

    @classmethod
    def of(cls, answers: Answers) -> Survey:
        """Compute all figures. Raises ValueError if no photo has a vote."""
        patterns = answers.patterns
        model = fit_patterns(patterns, patterns.photos)
        named, slots = dict(_named(answers)), dict(_slots(answers))
        others = named | slots | dict(_other_shares(answers))
        found = _estimates(answers, others)
        votes = agreement.usual_votes(answers.counts)
        kappa = answers.sums(agreement.fleiss_terms(patterns.counts, votes))
        alpha = answers.sums(agreement.alpha_terms(patterns.counts))
        return cls(
            photos=len(answers),
            people=answers.known,
            unknown=answers.unknown,
            named=tuple(_shares(answers, named, found)),
            pairs=found["", "pairs"],
            kappa=estimate(kappa, agreement.fleiss_kappa, _SEED),
            kappa_votes=votes,
            alpha=estimate(alpha, agreement.krippendorff_alpha, _SEED),
            confusion=agreement.confusion(answers.names, answers.majorities, answers.classes),
            slots=tuple(_shares(answers, slots, found)),
            slots_differ=_differ(answers, slots),
            model=model,
            ceilings={
                name: found["", name] for name in ("one_against_others", "ties", "name_from_votes")
            }
            | _model_ceilings(answers, model),
        )


def _named(answers: Answers) -> Iterator[tuple[tuple[str, str], tuple[Any, Any]]]:
    """Yield the photos whose name has a class, and those whose majority has it, by group."""
    named = answers.names >= 0
    agree = named & (answers.majorities == answers.names)
    yield ("", "all photos"), (agree, named)
    for heading in answers.groups:
        for name, photos in answers.by_group(heading):
            yield (heading, name), (agree & photos, named & photos)


def _slots(answers: Answers) -> Iterator[tuple[tuple[str, str], tuple[Any, Any]]]:
    """Yield the votes of each slot where the other votes have a majority, and those that agree."""
    for number, votes in enumerate(answers.slots.T):
        photos = np.flatnonzero(votes >= 0)
        others = answers.counts.copy()
        others[photos, votes[photos]] -= 1
        most = agreement.majority(others)
        decided = (votes >= 0) & (most >= 0)
        yield ("slot", "ABC"[number]), (decided & (most == votes), decided)


def _other_shares(answers: Answers) -> Iterator[tuple[tuple[str, str], tuple[Any, Any]]]:
    counts, index = answers.patterns.counts, answers.patterns.index
    same, pairs = agreement.pair_terms(counts)[index].T
    yield ("", "pairs"), (same, pairs)
    agree, decided, votes = ceilings.one_against_others_terms(counts)[index].T
    yield ("", "one_against_others"), (agree, decided)
    yield ("", "ties"), (votes - decided, votes)
    named = answers.names >= 0
    predictable = np.zeros(len(answers), np.bool_)
    if named.any():
        own = (answers.counts[named], answers.names[named], answers.people[named])
        predictable[named] = ceilings.predictable_names(*own)
    yield ("", "name_from_votes"), (predictable, named)


def _estimates(answers: Answers, shares: _Shares) -> dict[tuple[str, str], Estimate]:
    return dict(zip(shares, estimates(_sums(answers, shares), agreement.share, _SEED), strict=True))


def _sums(answers: Answers, shares: _Shares) -> Floats:
    """Return both numbers of each share for each person, float64, (people, shares, 2)."""
    columns = (column for pair in shares.values() for column in pair)
    sums = sum_by_person(answers.people, columns)
    return sums.reshape(len(sums), -1, 2)


def _shares(
    answers: Answers, shares: _Shares, found: dict[tuple[str, str], Estimate]
) -> Iterator[Share]:
    for key, (_, whole) in shares.items():
        people, own = answers.people_with(whole > 0), found[key]
        # The other people of a draw say nothing of this one's group.
        own = own if len(people) > 1 else Estimate(own.value)
        yield Share(*key, int(whole.sum()), int((people < answers.known).sum()), own)


def _differ(answers: Answers, slots: _Shares) -> bool:
    """Return whether two slots differ: an interval of a difference that does not include 0.

    All intervals together are right in 95 % of the cases (Bonferroni).
    """
    pairs = list(combinations(range(len(slots)), 2))
    if not pairs:
        return False
    one, other = np.array(pairs).T

    def differences(sums: Floats) -> Floats:
        shares = agreement.share(sums)
        return shares[..., one] - shares[..., other]

    level = 1 - 0.05 / len(pairs)
    found = estimates(_sums(answers, slots), differences, _SEED, level)
    return any(each.low is not None and not each.low <= 0 <= (each.high or 0) for each in found)


def _model_ceilings(answers: Answers, model: DawidSkene) -> dict[str, Estimate]:
    """Return the ceilings that depend on the model, which is fitted again to each draw."""
    patterns, people = answers.patterns, int(answers.people.max()) + 1

    def figures(model: DawidSkene, photos: Ints | Floats) -> tuple[float, float]:
        return ceilings.best_classifier(model), ceilings.next_annotator(model, patterns, photos)

    drawn = []
    for block in draw_people(people, _SEED, _MODEL_DRAWS if people > 1 else 0):
        for times in block:
            photos = np.bincount(patterns.index, times[answers.people], len(patterns.photos))
            drawn.append(figures(fit_patterns(patterns, photos, model, _TOLERANCE), photos))
    values = figures(model, patterns.photos)
    found = with_intervals(values, np.array(drawn).reshape(-1, len(values)))
    return dict(zip(("best_classifier", "next_annotator"), found, strict=True))

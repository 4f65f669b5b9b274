"""Estimate how good any classifier can be on labels on which annotators disagree.

one_against_others   how often an annotator agrees with the majority of the others: what a person
                     reaches. Left out one after the other; where the others tie, there is none.
name_from_votes      how often the class in a photo's name can be predicted from its votes alone
                     (Bayes accuracy over vote patterns): what a classifier reaches against names
                     that annotators cannot see in the photo.
best_classifier      how often a classifier that always knows what is shown, and says what is said
                     of it most often, agrees with a random annotator: Σ priors · max annotator.
next_annotator       how often the word of one more annotator can be predicted from the votes so
                     far: the mean of the largest posterior predictive probability. A photo contains
                     more than its votes, so a classifier may exceed it.

The plain mean of max(votes)/3 is none of these: of three votes two often agree by chance, so it
says too much (0.68 where the truth is 0.64 and errors are spread evenly over six classes).
The last two depend on a Dawid-Skene model, hence on all photos of a class being equally hard.
Without a model, the share of agreeing pairs P bounds the best classifier: P ≤ best ≤ √P, because
Σ p² ≤ max p ≤ √Σ p² for the probabilities p of the words for a photo.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints
from fertools.intervals import Floats
from fertools.votes.agreement import majority
from fertools.votes.dawid_skene import DawidSkene, fit_patterns
from fertools.votes.patterns import Counts, Patterns

#: Parts of the people: the names of a part are predicted from the others.
FOLDS: Final = 10

#: Photos that the model's guess counts for, beside those that are seen with the same votes.
_GUESS: Final = 50.0

_TOLERANCE: Final = 1e-5


def one_against_others_terms(counts: Counts) -> Floats:
    """Return the counts for leaving out each vote of a photo, float64, (photos, 3).

    Votes that agree with the majority of the others, votes for which there is one, and all votes.
    A photo with fewer than three votes has none: one other annotator is no majority.
    """
    terms = np.zeros((len(counts), 3))
    enough = counts.sum(axis=1) > 2
    for word, votes in enumerate((counts * enough[:, None]).T):
        others = counts.copy()
        others[:, word] -= votes > 0
        most = majority(others)
        terms += np.stack([votes * (most == word), votes * (most >= 0), votes], axis=1)
    return terms


def predictable_names(counts: Counts, names: Ints, people: Ints) -> NDArray[np.bool_]:
    """Return which photos' names are predicted rightly from their votes, bool, (photos,).

    counts   int, (photos, classes)
    names    int, (photos,): class of the name, at least 0
    people   int, (photos,): number of the person, at least 0

    The prediction is the most frequent name of other people's photos with the same votes.
    Where these are few, a Dawid-Skene model of the other people decides: names are its uploader.
    """
    votes, named = Patterns.of(counts), Patterns.of(counts, names)
    model = fit_patterns(named, named.photos)
    folds = people % FOLDS
    right = np.zeros(len(names), np.bool_)
    for fold in np.unique(folds):
        own = folds == fold
        others = np.bincount(named.index[~own], minlength=len(named.photos))
        if not (others @ named.counts).any():
            continue  # no votes of others: nothing to predict from
        guess = fit_patterns(named, others, model, _TOLERANCE).uploader_of(votes)
        seen = _table(votes.index[~own], names[~own], guess.shape)
        predicted = (seen + _GUESS * guess).argmax(axis=1)
        right[own] = predicted[votes.index[own]] == names[own]
    return right


def _table(rows: Ints, columns: Ints, shape: tuple[int, ...]) -> Ints:
    cells = np.bincount(np.ravel_multi_index((rows, columns), shape), minlength=math.prod(shape))
    return cells.reshape(shape)


def best_classifier(model: DawidSkene) -> float:
    """Return how often a classifier that knows what is shown agrees with a random annotator."""
    return float(model.priors @ model.annotator.max(axis=1))


def next_annotator(model: DawidSkene, patterns: Patterns, photos: Ints | Floats) -> float:
    """Return how often one more annotator's word can be predicted from the votes so far.

    photos   (patterns,): number of photos with each pattern
    """
    predictive = model.posterior_of(patterns) @ model.annotator
    return float(photos @ predictive.max(axis=1) / photos.sum())

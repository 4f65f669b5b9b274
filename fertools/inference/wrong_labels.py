"""Judge each label by a network that has not seen the person, and by the annotators' votes.

    posterior of class k  ∝  p(k | photo) · Π p(vote | label k)

    p(k | photo)      the network's, out of fold
    p(vote | label k) how often annotators say each class where the label is k: counted in the
                      dataset, because for some labels they mostly say another one

The quality of a label is its posterior probability, cleanlab's self-confidence (Northcutt et al.,
Confident Learning, 2021). Without votes it is the network's probability alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fertools.columns import Ints

Floats = NDArray[np.float64]

#: Votes added to each pair of label and vote, so that no pair is impossible.
_SMOOTHING: Final = 0.5

#: The least probability of a network: zero would overrule every vote.
_LEAST: Final = 1e-6


def posterior(probabilities: NDArray[np.float32], labels: Ints, votes: Ints) -> Floats:
    """Return the probability of each class given the photo and its votes, float64, (N, classes).

    probabilities   float32 (N, classes), by networks that have not learned from the photo
    labels          int64 (N,)
    votes           int64 (N, classes), how many annotators chose each class; 0 without any
    """
    said = np.eye(votes.shape[1])[labels].T @ votes + _SMOOTHING
    said /= said.sum(axis=1, keepdims=True)
    scores = np.log(np.maximum(probabilities, _LEAST), dtype=np.float64) + votes @ np.log(said).T
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def quality(labels: Ints, posterior: Floats) -> Floats:
    """Return the quality of each label, 0 to 1, float64, (N,)."""
    from cleanlab.rank import get_label_quality_scores

    found: Any = get_label_quality_scores(labels, posterior, method="self_confidence")
    return np.asarray(found, np.float64)


def count_wrong(labels: Ints, posterior: Floats) -> int:
    """Estimate how many labels are wrong, by confident learning."""
    from cleanlab.count import num_label_issues

    return int(num_label_issues(labels, posterior))

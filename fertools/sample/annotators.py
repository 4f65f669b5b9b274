"""Draw what annotators say of a photo, by confusion matrices that are known.

The uploader of a drawn archive always says what is shown. An annotator says it with probability p,
"cannot tell" in one of eight other cases, and otherwise one of a few emotions that look like it.
What `fertools labels` finds in the votes can be compared with `confusion`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: For what is shown: p, and the emotions that annotators choose instead, each equally often. The
#: archive publishes the majority of three, m = 3p² - 2p³: 기쁨 0.975, 중립 0.946, 당황 0.775, 불안
#: 0.378. The other three are assumed to lie between these.
VOTES: Final = {
    "기쁨": (0.906, ("중립", "당황")),
    "당황": (0.693, ("불안", "중립", "슬픔")),
    "분노": (0.78, ("상처", "불안", "중립")),
    "불안": (0.418, ("당황", "슬픔", "상처", "중립")),
    "상처": (0.52, ("슬픔", "중립", "분노")),
    "슬픔": (0.72, ("상처", "불안", "중립")),
    "중립": (0.860, ("슬픔", "상처")),
}

#: "Cannot tell", and its share of the votes that are not for what is shown.
UNKNOWN: Final = "알수없음"
UNKNOWN_SHARE: Final = 0.125


def draw_vote(rng: np.random.Generator, emotion: str) -> str:
    """Return what one annotator says of a photo that shows an emotion."""
    agreement, others = VOTES[emotion]
    if rng.random() < agreement:
        return emotion
    return UNKNOWN if rng.random() < UNKNOWN_SHARE else str(rng.choice(others))


def confusion() -> NDArray[np.float64]:
    """Return how often annotators who can tell say each emotion, float64, (7, 7).

    Rows are what is shown, columns what is said, both in the order of `VOTES`, which is that of the
    classes `aihub7`. Each row sums to 1.
    """
    emotions = [*VOTES]
    matrix = np.zeros((len(emotions), len(emotions)))
    for row, (emotion, (agreement, others)) in zip(matrix, VOTES.items(), strict=True):
        row[emotions.index(emotion)] = agreement
        row[[emotions.index(other) for other in others]] = (
            (1 - agreement) * (1 - UNKNOWN_SHARE) / len(others)
        )
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix

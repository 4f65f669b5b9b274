"""A network's predictions for a split, and whether it is right as often as it says.

A row for each example, with the person it shows; calibration as bins and as one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.dataset.shards import read_examples
from fertools.errors import DatasetError

#: Bins between 0 and 1: the number that published figures use.
BINS: Final = 15


#: The fields of an example that become columns, in the order of `Predictions`.
_COLUMNS: Final = ("label", "subject", "sex", "age", "key", "votes", "uploader")


class Network(Protocol):
    """The part of a keras.Model that is used here."""

    def predict_on_batch(self, images: NDArray[np.float32]) -> Any:
        """Take gray values 0 to 255, float32 (N, size, size, 1); return float32 (N, classes)."""


def predict_split(network: Network, out: Path, split: str, *, size: int, batch: int) -> Predictions:
    """Run a network on every example of a split, `batch` at a time.

    The examples are read by fertools' own reader, which checks every shard against the manifest;
    it raises DatasetError and OptionError.
    """
    examples = read_examples(out, split)
    outputs: list[NDArray[np.float32]] = []
    rows: list[tuple[Any, ...]] = []
    while several := list(islice(examples, batch)):
        outputs.append(probabilities(network, [example.image for example in several], size))
        rows += [tuple(getattr(each, name) for name in _COLUMNS) for each in several]
    if not rows:
        raise DatasetError(f"the split {split} is empty: give another one with --split")
    labels, *others, votes, uploaders = map(np.array, zip(*rows, strict=True))
    numbers = (each.astype(np.int64) for each in (votes, uploaders))
    return Predictions(np.concatenate(outputs), labels.astype(np.int64), *others, *numbers)


def probabilities(network: Network, images: Sequence[bytes], size: int) -> NDArray[np.float32]:
    """Run a network on encoded crops, at least one: float32 (N, classes)."""
    stack = np.stack([decode_crop(image, size) for image in images]).astype(np.float32)
    return np.asarray(network.predict_on_batch(stack), np.float32)


def decode_crop(image: bytes, size: int) -> NDArray[np.uint8]:
    """Decode a crop, PNG or JPEG: uint8 (size, size, 1), gray.

    Raises DatasetError where the bytes are no picture, or one of another size.
    """
    gray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DatasetError("an image in the dataset is damaged: put a whole copy back")
    if gray.shape != (size, size):
        shape = "×".join(map(str, gray.shape[::-1]))
        raise DatasetError(f"an image of {shape} pixels where {size}×{size} are expected")
    return np.asarray(gray, np.uint8)[..., np.newaxis]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Columns of one length, in the order of the examples on disk.

    probabilities   float32 (N, classes), each row adds up to one
    labels          int64 (N,), of the dataset
    subjects        str (N,), the people's pseudonyms, "" where the person is unknown
    sexes           str (N,), 남, 여 or ""
    ages            int64 (N,), the decade, -1 where it is unknown
    keys            str (N,), as in the shards
    votes           int64 (N, classes), (N, 0) in a dataset without votes
    uploaders       int64 (N,), the class of the uploader's word, -1 where it is unknown
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    sexes: NDArray[np.str_]
    ages: NDArray[np.int64]
    keys: NDArray[np.str_]
    votes: NDArray[np.int64]
    uploaders: NDArray[np.int64]

    def __post_init__(self) -> None:
        sums = self.probabilities.sum(1, dtype=np.float64)
        if not np.allclose(sums, 1, atol=1e-3):
            worst = sums[np.argmax(np.abs(sums - 1))]
            raise DatasetError(
                f"the network's probabilities add up to {worst:.4g}, not to 1: "
                "its weights are damaged, take others with --weights"
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each example: int64 (N,)."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of that class: float32 (N,)."""
        return np.asarray(self.probabilities.max(1), np.float32)

    @property
    def unknown(self) -> int:
        """How many examples carry no person."""
        return int((self.subjects == "").sum())

    @property
    def people(self) -> NDArray[np.int64]:
        """The number of each example's person, from 0: int64 (N,).

        A photo without a person counts as a person of its own.
        """
        subjects = [subject or f"\0{row}" for row, subject in enumerate(self.subjects)]
        return np.unique(subjects, return_inverse=True)[1]

    @property
    def confusion_by_person(self) -> NDArray[np.int64]:
        """The confusion matrix of each of `people`: int64 (people, classes, classes)."""
        people = self.people
        shape = people.max(initial=-1) + 1, *[self.probabilities.shape[1]] * 2
        matrices = np.zeros(shape, np.int64)
        np.add.at(matrices, (people, self.labels, self.predicted), 1)
        return matrices

    def unscaled(self, temperature: float) -> Predictions:
        """Return what the network would predict without a temperature."""
        powers = self.probabilities.astype(np.float64) ** temperature
        shares = powers / powers.sum(1, keepdims=True)
        return replace(self, probabilities=shares.astype(np.float32))

    def where(self, rows: NDArray[np.bool_]) -> Predictions:
        return Predictions(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions whose confidence lies above `low` and up to `high`; their means."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> list[Bin]:
    """Sort predictions by confidence into bins of equal width, and leave out the empty ones.

    confidence: float (N,), 0 to 1, of the predicted class; right: bool (N,).
    """
    numbers = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            int(here.sum()),
            float(confidence[here].mean(dtype=np.float64)),
            float(right[here].mean()),
        )
        for number in range(BINS)
        if (here := numbers == number).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error, 0 to 1: |accuracy - confidence|, by count.

    Guo et al., On Calibration of Modern Neural Networks, 2017, equation 3.
    """
    total = sum(each.count for each in bins)
    return sum(each.count / total * abs(each.accuracy - each.confidence) for each in bins)

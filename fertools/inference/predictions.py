"""A network's predictions for a split: a row for each example, with the person it shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fertools.dataset.example import Example
from fertools.dataset.shards import read_examples
from fertools.errors import DatasetError


class Network(Protocol):
    """What is asked of a keras.Model here."""

    def predict_on_batch(self, images: NDArray[np.float32]) -> Any:
        """Take gray values 0 to 255, float32 (N, size, size, 1); give float32 (N, classes)."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Columns of one length, in the order in which the examples lie on disk.

    probabilities   float32 (N, classes), each row adds up to one
    labels          int64 (N,), what the dataset says
    subjects        the people's pseudonyms, "" where nobody is known
    sexes           남, 여 or ""
    ages            the decade, -1 where it is not known
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    subjects: tuple[str, ...]
    sexes: tuple[str, ...]
    ages: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.labels):
            raise DatasetError("there is no example to evaluate on: give another split")
        sums = self.probabilities.sum(1, dtype=np.float64)
        if not np.allclose(sums, 1, atol=1e-3):
            worst = sums[np.argmax(np.abs(sums - 1))]
            raise DatasetError(
                f"the network's probabilities add up to {worst:.4g}, not to 1: "
                "its weights are damaged, take others with --weights"
            )

    @property
    def chosen(self) -> NDArray[np.int64]:
        """The class that each example was taken for: int64 (N,)."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of that class: float32 (N,)."""
        return np.asarray(self.probabilities.max(1), np.float32)

    @property
    def people(self) -> NDArray[np.int64]:
        """A number for each example's person, from 0; each photo without a person has its own."""
        names = [name or f"\0{row}" for row, name in enumerate(self.subjects)]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @property
    def unknown(self) -> int:
        """How many examples carry no person."""
        return self.subjects.count("")

    @property
    def confusion_by_person(self) -> NDArray[np.int64]:
        """Each person's confusion matrix: int64 (people, classes, classes)."""
        people, classes = self.people, self.probabilities.shape[1]
        count = int(people.max()) + 1
        cells = (people * classes + self.labels) * classes + self.chosen
        return np.bincount(cells, minlength=count * classes**2).reshape(count, classes, classes)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Everybody's confusion matrix: int64 (classes, classes)."""
        return np.asarray(self.confusion_by_person.sum(0), np.int64)

    def where(self, rows: NDArray[np.bool_]) -> Predictions:
        """Return the rows that are marked."""
        kept = np.flatnonzero(rows)
        return Predictions(
            self.probabilities[kept],
            self.labels[kept],
            tuple(self.subjects[row] for row in kept),
            tuple(self.sexes[row] for row in kept),
            tuple(self.ages[row] for row in kept),
        )


def predict_split(network: Network, out: Path, split: str, *, size: int, batch: int) -> Predictions:
    """Show a network every example of a split, `batch` at a time.

    The examples are read by fertools' own reader, which holds every shard against the manifest;
    it raises DatasetError and OptionError.
    """
    said: list[NDArray[np.float32]] = []
    seen: list[tuple[int, str, str, int]] = []
    for examples in _in_batches(read_examples(out, split), batch):
        said.append(probabilities(network, [example.image for example in examples], size))
        seen += [(each.label, each.subject, each.sex, each.age) for each in examples]
    if not seen:
        raise DatasetError(f"the split {split} is empty: give another one with --split")
    labels, subjects, sexes, ages = zip(*seen, strict=True)
    return Predictions(np.concatenate(said), np.array(labels, np.int64), subjects, sexes, ages)


def probabilities(network: Network, images: Sequence[bytes], size: int) -> NDArray[np.float32]:
    """Show a network some encoded crops, at least one: float32 (N, classes)."""
    stack = np.stack([_pixels(image, size) for image in images]).astype(np.float32)
    return np.asarray(network.predict_on_batch(stack), np.float32)


def _in_batches(examples: Iterator[Example], size: int) -> Iterator[list[Example]]:
    while batch := list(islice(examples, size)):
        yield batch


#: Bins between 0 and 1: the number that published figures use.
BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence lies above `low` and up to `high`; their means."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> list[Bin]:
    """Sort answers by confidence into bins of equal width, and leave out the empty ones.

    confidence: float (N,), 0 to 1, of the class that was answered; right: bool (N,).
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
    total = sum(found.count for found in bins)
    return sum(found.count / total * abs(found.accuracy - found.confidence) for found in bins)


def _pixels(image: bytes, size: int) -> NDArray[np.uint8]:
    """Decode a crop, PNG or JPEG: uint8 (size, size, 1), gray.

    Raises DatasetError where the bytes are no picture, or one of another size.
    """
    gray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DatasetError("an image in the dataset is damaged: put a whole copy back")
    if gray.shape != (size, size):
        found = "×".join(map(str, gray.shape[::-1]))
        raise DatasetError(f"an image of {found} pixels where {size}×{size} are meant")
    return np.asarray(gray, np.uint8)[..., np.newaxis]

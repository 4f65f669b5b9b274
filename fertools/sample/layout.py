"""Layout: which container holds what, as names; nothing is written here.

1.Training/[원천]EMOIMG_기쁨_TRAIN_01     photos; as a zip, its names are CP949 without a flag
1.Training/[원천]EMOIMG_기쁨_TRAIN_02     photos; as a zip, UTF-8 with the flag, and in pieces
1.Training/[라벨]EMOIMG_기쁨_TRAIN        img_emotion_training_data(기쁨).json
2.Validation/[원천]EMOIMG_기쁨_VALID      photos; CP949
2.Validation/[라벨]EMOIMG_기쁨_VALID      img_emotion_validation_data(기쁨).json
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fertools.sample.expression import EXPRESSIONS
from fertools.sample.schedule import Schedule
from fertools.sample.session import Shot

MOST_IN_ONE = 1000  # 16 megapixels are about 2.5 MB: far below the 4 GiB of a plain zip
PIECES = 3
CODINGS = ("cp949", "utf-8")


@dataclass(frozen=True, slots=True)
class Batch:
    """The photos of one container: a path relative to OUT without ".zip", and what goes in.

    `coding` is that of the names in a zip, `pieces` how many it is cut into.
    """

    path: str
    shots: tuple[Shot, ...]
    coding: str = "cp949"
    pieces: int = 1

    def __post_init__(self) -> None:
        """Refuse a container without photos."""
        if not self.shots:
            raise ValueError(f"no photos for {self.path}")


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One label JSON: the container it lies in, its name and coding, the photos it tells of."""

    path: str
    name: str
    coding: str
    shots: tuple[Shot, ...]


def batches(plan: Schedule) -> Iterator[Batch]:
    """Give all containers of photos; the last Training one of the first emotion is in pieces."""
    for emotion, shots in _by_emotion(plan.training):
        count = max(min(2, len(shots)), -(-len(shots) // MOST_IN_ONE))
        for i in range(count):
            last = i == count - 1 and emotion == plan.training[0].session.emotion
            yield Batch(
                f"1.Training/[원천]EMOIMG_{emotion}_TRAIN_{i + 1:02}",
                shots[len(shots) * i // count : len(shots) * (i + 1) // count],
                CODINGS[i % 2],
                PIECES if last else 1,
            )
    for emotion, shots in _by_emotion(plan.validation):
        yield Batch(f"2.Validation/[원천]EMOIMG_{emotion}_VALID", shots)


def label_files(plan: Schedule) -> Iterator[LabelFile]:
    """Give all label files: UTF-8 with BOM for Training, CP949 for Validation."""
    for emotion, shots in _by_emotion(plan.training):
        path = f"1.Training/[라벨]EMOIMG_{emotion}_TRAIN"
        yield LabelFile(path, f"img_emotion_training_data({emotion}).json", "utf-8-sig", shots)
    for emotion, shots in _by_emotion(plan.validation):
        path = f"2.Validation/[라벨]EMOIMG_{emotion}_VALID"
        yield LabelFile(path, f"img_emotion_validation_data({emotion}).json", "cp949", shots)


def _by_emotion(shots: tuple[Shot, ...]) -> Iterator[tuple[str, tuple[Shot, ...]]]:
    for emotion in EXPRESSIONS:
        if mine := tuple(shot for shot in shots if shot.session.emotion == emotion):
            yield emotion, mine

"""What an example holds: one table, from which both its bytes and features.json are made.

    image        bytes         the crop as PNG or JPEG, size × size, one channel (gray)
    label        int64         index into the manifest's classes
    key          text          the member, as a pseudonym unless plain names were asked for
    subject      text          the person, likewise; "" where nothing is known
    sex          text          남, 여 or ""
    age          int64         the decade, 10 to 60; -1 where nothing is known
    box          float32 × 4   x0 y0 x1 y1, pixels of the upright photo, half-open
    confidence   float32       the detector's, 0 to 1
    votes        int64 × n     how many of annotators and uploader said which of the n classes;
                               only in a dataset whose archive has label records

One more feature is one more row here and one more field of `Example`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any

from fertools.data import Box
from fertools.errors import DatasetError
from fertools.shards.example import Value, Values, decode_example, encode_example


class Kind(StrEnum):
    """What a feature's values mean."""

    IMAGE = "image"
    LABEL = "label"
    TEXT = "text"
    INT64 = "int64"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table: a name, a kind, and how many values where it is not a single one."""

    name: str
    kind: Kind
    length: int | None = None


FEATURES = (
    Feature("image", Kind.IMAGE),
    Feature("label", Kind.LABEL),
    Feature("key", Kind.TEXT),
    Feature("subject", Kind.TEXT),
    Feature("sex", Kind.TEXT),
    Feature("age", Kind.INT64),
    Feature("box", Kind.FLOAT32, 4),
    Feature("confidence", Kind.FLOAT32),
)


def features(votes: int) -> tuple[Feature, ...]:
    """Give the table of a dataset whose examples have votes for so many classes, 0 for none."""
    return (*FEATURES, Feature("votes", Kind.INT64, votes)) if votes else FEATURES


@dataclass(frozen=True, slots=True)
class Example:
    """One crop with its label and where it comes from; ValueError for values that mean nothing.

    The table at the head of this module says what each field holds.
    """

    image: bytes
    label: int
    key: str
    subject: str
    sex: str
    age: int
    box: Box
    confidence: float
    votes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.image:
            raise ValueError(f"{self.key}: an example without an image")
        if self.label < 0 or self.age < -1:
            raise ValueError(f"{self.key}: label {self.label}, age {self.age}")
        box = self.box
        if not (0 <= box.x0 < box.x1 < inf and 0 <= box.y0 < box.y1 < inf):
            raise ValueError(f"{self.key}: {box} is empty or leaves the photo")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"{self.key}: confidence {self.confidence}, where 0 to 1 is meant")
        if any(vote < 0 for vote in self.votes):
            raise ValueError(f"{self.key}: votes {self.votes}, where none can be negative")

    def to_bytes(self) -> bytes:
        """Give the tf.train.Example of this example; equal examples give equal bytes."""
        return encode_example(
            {
                feature.name: _to_wire(feature, getattr(self, feature.name))
                for feature in features(len(self.votes))
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Example:
        """Read an example back; box and confidence come as the float32 that was stored.

        Features that the table does not know are passed over, as tensorflow-datasets does.
        Raises DatasetError where the bytes are no example, or one without what is needed.
        """
        found = decode_example(data)
        try:
            table = features(len(found.get("votes", ())))
            values = {f.name: _from_wire(f, found.get(f.name)) for f in table}
            votes = tuple(values.get("votes", ()))
            return cls(**values | {"box": Box(*values["box"]), "votes": votes})
        except ValueError as fault:
            raise DatasetError(f"not an example of this format: {fault}") from fault


_STORED = {Kind.IMAGE: bytes, Kind.TEXT: bytes, Kind.FLOAT32: float}


def _to_wire(feature: Feature, value: Value | Box) -> Value:
    # float(): left a whole number, a confidence of 1 would be stored as an int64.
    if isinstance(value, Box):
        return [float(side) for side in (value.x0, value.y0, value.x1, value.y1)]
    if feature.kind is Kind.FLOAT32 and isinstance(value, int):
        return float(value)
    return value


def _from_wire(feature: Feature, values: Values | None) -> Any:
    if values is None:
        raise ValueError(f"it has no {feature.name!r}")
    stored, count = _STORED.get(feature.kind, int), feature.length or 1
    if len(values) != count or not isinstance(values[0], stored):
        kinds = [type(value).__name__ for value in values[:9]]
        raise ValueError(
            f"{feature.name!r} holds {kinds}, where {count} {stored.__name__} is meant"
        )
    value: Any = values[0]
    if feature.length:
        return values
    return value.decode() if feature.kind is Kind.TEXT else value

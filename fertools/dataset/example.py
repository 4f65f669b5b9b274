"""Define the features of an example, and convert examples to and from tf.train.Example bytes.

One table, `FEATURES`, determines both the bytes of an example and features.json:

    image        bytes         the crop as PNG or JPEG, size × size, one channel (gray)
    label        int64         index into the manifest's classes
    key          text          the member's key, as a pseudonym unless --keep-names was given
    subject      text          the subject, as a pseudonym like the key; "" if unknown
    sex          text          남, 여 or ""
    age          int64         the decade, 10 to 60; -1 if unknown
    box          float32 × 4   x0 y0 x1 y1, pixels of the upright photo, half-open
    confidence   float32       the detector's confidence, 0 to 1
    votes        int64 × n     for each of the n classes, how many annotators chose it
    uploader     int64         class of the uploader's word; -1 if it has none or is unknown

The last two are there only if the archive has label records. In format 1 `votes` counts the
uploader too, and `uploader` is absent. A new feature needs a row in the table and a field of
`Example`. The protobuf message of a record:

    Example ── 1 Features ── 1 entry ──┬─ 1 name                 every field is
                             1 entry   └─ 2 Feature ──┬─ 1 bytes    tag · size · body
                             …                        ├─ 2 floats   tag = number << 3 | 2
                                                      └─ 3 int64s   size = varint

Numbers are packed into one field, as 4 bytes each or as varints, as TensorFlow's own classes do
(tensorflow/core/example/*.proto; protobuf.dev, Encoding). Entries are sorted by name: a protobuf
map has no order, and the bytes of `SerializeToString()` differ from process to process. With the
sorted entries, equal features have equal bytes.

Tried and left: generated protobuf classes. They need TensorFlow (600 MB a worker) or a copy of its
descriptors; the message has only five kinds of field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any, Final

from fertools.data import Box
from fertools.errors import DatasetError

#: The value of a feature before encoding; text becomes UTF-8, a number becomes a list of one.
Value = bytes | str | int | float | Sequence[int] | Sequence[float]

#: The values of a feature after decoding: always a list.
Values = list[bytes] | list[int] | list[float]

#: Field numbers of a Feature message.
_BYTES, _FLOATS, _INT64S = 1, 2, 3


class Kind(StrEnum):
    """The type of a feature's values."""

    IMAGE = "image"
    LABEL = "label"
    TEXT = "text"
    INT64 = "int64"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table; `length` is the number of values, None for a single one."""

    name: str
    kind: Kind
    length: int | None = None


FEATURES: Final = (
    Feature("image", Kind.IMAGE),
    Feature("label", Kind.LABEL),
    Feature("key", Kind.TEXT),
    Feature("subject", Kind.TEXT),
    Feature("sex", Kind.TEXT),
    Feature("age", Kind.INT64),
    Feature("box", Kind.FLOAT32, 4),
    Feature("confidence", Kind.FLOAT32),
)


def features(votes: int, *, uploader: bool = True) -> tuple[Feature, ...]:
    """Return the features of a dataset; `votes` is the number of classes with votes, or 0.

    uploader   whether the uploader's class stands apart from the votes, as it does since format 2
    """
    if not votes:
        return FEATURES
    counts = (*FEATURES, Feature("votes", Kind.INT64, votes))
    return (*counts, Feature("uploader", Kind.INT64)) if uploader else counts


@dataclass(frozen=True, slots=True)
class Example:
    """One crop with its label and origin. The constructor raises ValueError for invalid values.

    The table in the module docstring describes the fields.
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
    uploader: int = -1

    def __post_init__(self) -> None:
        if not self.image:
            raise ValueError(f"{self.key}: the example has no image")
        if self.label < 0 or self.age < -1:
            raise ValueError(f"{self.key}: label {self.label}, age {self.age}")
        box = self.box
        if not (0 <= box.x0 < box.x1 < inf and 0 <= box.y0 < box.y1 < inf):
            raise ValueError(f"{self.key}: {box} is empty or outside the photo")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"{self.key}: confidence {self.confidence}, expected 0 to 1")
        if any(vote < 0 for vote in self.votes):
            raise ValueError(f"{self.key}: votes {self.votes} must not be negative")
        if self.uploader < -1:
            raise ValueError(f"{self.key}: uploader {self.uploader}, expected -1 or a class")

    def to_bytes(self) -> bytes:
        """Return the bytes of a tf.train.Example; equal examples have equal bytes."""
        return encode_example(
            {
                feature.name: _to_wire(feature, getattr(self, feature.name))
                for feature in features(len(self.votes))
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Example:
        """Parse the bytes of an example; box and confidence have the precision of float32.

        Ignores features that are not in FEATURES, as tensorflow-datasets does. Raises DatasetError
        if the bytes are not an example, or if a feature is missing or has the wrong type.
        """
        stored = decode_example(data)
        try:
            votes = len(stored.get("votes", ()))
            table = features(votes, uploader="uploader" in stored)
            values = {f.name: _from_wire(f, stored.get(f.name)) for f in table}
            counts = tuple(values.get("votes", ()))
            return cls(**values | {"box": Box(*values["box"]), "votes": counts})
        except ValueError as fault:
            raise DatasetError(f"not an example of this format: {fault}") from fault


#: The Python types of decoded values, by kind; int for all other kinds.
_STORED_TYPES: Final = {Kind.IMAGE: bytes, Kind.TEXT: bytes, Kind.FLOAT32: float}


def _to_wire(feature: Feature, value: Value | Box) -> Value:
    # float(): without it, a confidence of 1 would be stored as int64.
    if isinstance(value, Box):
        return [float(side) for side in (value.x0, value.y0, value.x1, value.y1)]
    if feature.kind is Kind.FLOAT32 and isinstance(value, int):
        return float(value)
    return value


def _from_wire(feature: Feature, values: Values | None) -> Any:
    if values is None:
        raise ValueError(f"it has no {feature.name!r}")
    expected, count = _STORED_TYPES.get(feature.kind, int), feature.length or 1
    if len(values) != count or not isinstance(values[0], expected):
        found = [type(value).__name__ for value in values[:9]]
        raise ValueError(f"{feature.name!r} holds {found}, expected {count} {expected.__name__}")
    if feature.length:
        return values
    value: Any = values[0]
    return value.decode() if feature.kind is Kind.TEXT else value


def encode_example(features: Mapping[str, Value]) -> bytes:
    """Return the bytes of a tf.train.Example; the order of the features does not matter.

    The bytes equal `SerializeToString(deterministic=True)`. A sequence of ints becomes int64, a
    sequence with a float becomes float32. An unpaired surrogate in a text, as in a damaged file
    name, is written as its escape sequence, because it is not valid UTF-8. Raises ValueError, with
    the feature's name, for an empty sequence, which has no type, and for numbers out of range.
    """
    entries = []
    for name in sorted(features):
        try:
            feature = _encode_field(2, _encode_feature(features[name]))
        except (ValueError, OverflowError) as fault:
            raise ValueError(f"feature {name!r}: {fault}") from fault
        entries.append(_encode_field(1, _encode_field(1, name.encode()) + feature))
    return _encode_field(1, b"".join(entries))


def decode_example(data: bytes) -> dict[str, Values]:
    """Parse the bytes of `encode_example` and return the values of each feature by name.

    Raises DatasetError if the bytes are not a whole message, and for valid messages that
    `encode_example` never writes: unknown fields, repeated names, unpacked numbers.
    """
    features: dict[str, Values] = {}
    try:
        (message,) = _parse_repeated(memoryview(data), exactly=1)
        for entry in _parse_repeated(message):
            name, values = _parse_entry(entry)
            if name in features:
                raise ValueError(f"feature {name!r} appears twice")
            features[name] = values
    except ValueError as fault:
        raise DatasetError(f"not an example that fertools wrote: {fault}") from fault
    return features


def _encode_feature(value: Value) -> bytes:
    if isinstance(value, str):
        value = value.encode("utf-8", "backslashreplace")
    if isinstance(value, bytes):
        return _encode_field(_BYTES, _encode_field(1, value))
    numbers = [value] if isinstance(value, int | float) else value
    if not numbers:
        raise ValueError("an empty sequence has no type")
    if all(isinstance(number, int) for number in numbers):
        packed = b"".join(_encode_int64(int(number)) for number in numbers)
        return _encode_field(_INT64S, _encode_field(1, packed))
    return _encode_field(_FLOATS, _encode_field(1, struct.pack(f"<{len(numbers)}f", *numbers)))


def _encode_field(number: int, body: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _encode_varint(len(body)) + body


def _encode_int64(value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} does not fit into 64 bits")
    return _encode_varint(value & 0xFFFFFFFFFFFFFFFF)


def _encode_varint(value: int) -> bytes:
    """Encode a number, 7 bits a byte, lowest bits first; the top bit is set if a byte follows."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _parse_entry(entry: memoryview) -> tuple[str, Values]:
    fields = list(_parse_fields(entry))
    if [number for number, _ in fields] != [1, 2]:
        raise ValueError("an entry is not a name and a list of values")
    (_, name), (_, feature) = fields
    kinds = list(_parse_fields(feature))
    if len(kinds) != 1:
        raise ValueError(f"{len(kinds)} lists of values, expected one")
    return bytes(name).decode(), _parse_values(*kinds[0])


def _parse_values(kind: int, body: memoryview) -> Values:
    if kind == _BYTES:
        return [bytes(value) for value in _parse_repeated(body)]
    (packed,) = _parse_repeated(body, exactly=1) if body else (body,)
    if kind == _INT64S:
        return list(_read_int64s(packed))
    if kind != _FLOATS or len(packed) % 4:
        raise ValueError(f"a list of kind {kind} in {len(packed)} bytes")
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def _parse_repeated(message: memoryview, exactly: int | None = None) -> list[memoryview]:
    """Return the bodies of a message's fields; ValueError unless all have field number 1."""
    fields = list(_parse_fields(message))
    if any(number != 1 for number, _ in fields) or len(fields) != (exactly or len(fields)):
        raise ValueError(f"unexpected fields, {[number for number, _ in fields][:9]}")
    return [body for _, body in fields]


def _parse_fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    at, end = 0, len(message)
    while at < end:
        tag, at = _read_varint(message, at)
        size, at = _read_varint(message, at)
        if tag & 7 != 2 or size > end - at:
            raise ValueError(f"a field with tag {tag} and {size} bytes, but {end - at} are left")
        yield tag >> 3, message[at : at + size]
        at += size


def _read_int64s(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _read_varint(packed, at)
        yield value - 2**64 if value >= 2**63 else value


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the varint at the offset `at`, and the offset of the next byte."""
    if at < len(message) and message[at] < 0x80:  # nearly all: a quarter off the time
        return message[at], at + 1
    value = 0
    for shift in range(0, 70, 7):  # ten bytes at most for 64 bits
        if at == len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 2**64:
            return value, at
    raise ValueError("a varint without an end")

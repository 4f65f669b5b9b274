"""The message that a record holds: tf.train.Example, written and read in a few lines.

    Example ── 1 Features ── 1 entry ──┬─ 1 name                 every field is
                             1 entry   └─ 2 Feature ──┬─ 1 bytes    tag · size · body
                             …                        ├─ 2 floats   tag = number << 3 | 2
                                                      └─ 3 int64s   size = varint

Numbers are packed into one field, 4 bytes each or varints, as TensorFlow's own classes do it
(tensorflow/core/example/*.proto; protobuf.dev, Encoding). Entries stand in the order of their
names: a protobuf map has no order of its own, and what `SerializeToString()` makes of one
differs from process to process. So the same features always give the same bytes.

Tried and left: the generated classes, which need TensorFlow (600 MB a worker) or a copy of its
descriptors, for a message of five kinds of field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from fertools.errors import DatasetError

Value = bytes | str | int | float | Sequence[int] | Sequence[float]
"""What a feature may be made of; text becomes UTF-8, a single number a list of one."""

Values = list[bytes] | list[int] | list[float]
"""What a feature is on disk: always a list."""

_BYTES, _FLOATS, _INT64S = 1, 2, 3


def encode_example(features: Mapping[str, Value]) -> bytes:
    """Make the bytes of a tf.train.Example, the same for the same features in any order.

    They equal `SerializeToString(deterministic=True)`. A sequence of whole numbers becomes
    int64, one with any float in it float32. What UTF-8 cannot say in a text (half a surrogate
    pair, out of a damaged file name) is written as its escape. Raises ValueError, with the
    feature's name, for an empty sequence, which has no type, and for numbers out of range.
    """
    entries = []
    for name in sorted(features):
        try:
            feature = _feature(features[name])
        except (ValueError, OverflowError) as fault:
            raise ValueError(f"feature {name!r}: {fault}") from fault
        entries.append(_field(1, _field(1, name.encode()) + _field(2, feature)))
    return _field(1, b"".join(entries))


def decode_example(data: bytes) -> dict[str, Values]:
    """Read back what `encode_example` wrote: the values of each feature by its name.

    Strict: what another writer may do and this one never does (unknown fields, a name twice,
    unpacked numbers) is damage too. Raises DatasetError for anything but a whole message.
    """
    features: dict[str, Values] = {}
    try:
        (message,) = _repeated(memoryview(data), exactly=1)
        for entry in _repeated(message):
            name, values = _entry(entry)
            if name in features:
                raise ValueError(f"feature {name!r} stands there twice")
            features[name] = values
    except ValueError as fault:
        raise DatasetError(f"not an example that fertools wrote: {fault}") from fault
    return features


def _feature(value: Value) -> bytes:
    if isinstance(value, str):
        value = value.encode("utf-8", "backslashreplace")
    if isinstance(value, bytes):
        return _field(_BYTES, _field(1, value))
    numbers = [value] if isinstance(value, int | float) else value
    if not numbers:
        raise ValueError("an empty sequence has no type")
    if all(isinstance(number, int) for number in numbers):
        return _field(_INT64S, _field(1, b"".join(_int64(int(number)) for number in numbers)))
    return _field(_FLOATS, _field(1, struct.pack(f"<{len(numbers)}f", *numbers)))


def _field(number: int, body: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(body)) + body


def _int64(value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} does not fit into 64 bits")
    return _varint(value & 0xFFFFFFFFFFFFFFFF)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _entry(entry: memoryview) -> tuple[str, Values]:
    fields = list(_fields(entry))
    if [number for number, _ in fields] != [1, 2]:
        raise ValueError("an entry is not a name and its values")
    (_, name), (_, feature) = fields
    kinds = list(_fields(feature))
    if len(kinds) != 1:
        raise ValueError(f"{len(kinds)} lists of values where one belongs")
    return bytes(name).decode(), _values(*kinds[0])


def _values(kind: int, body: memoryview) -> Values:
    if kind == _BYTES:
        return [bytes(value) for value in _repeated(body)]
    (packed,) = _repeated(body, exactly=1) if body else (body,)
    if kind == _INT64S:
        return list(_read_int64s(packed))
    if kind != _FLOATS or len(packed) % 4:
        raise ValueError(f"a list of kind {kind} in {len(packed)} bytes")
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def _repeated(message: memoryview, exactly: int | None = None) -> list[memoryview]:
    """Give the bodies of a message all of whose fields have number 1."""
    fields = list(_fields(message))
    if any(number != 1 for number, _ in fields) or len(fields) != (exactly or len(fields)):
        raise ValueError(f"unexpected fields, {[number for number, _ in fields][:9]}")
    return [body for _, body in fields]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        size, at = _read_varint(message, at)
        if tag & 7 != 2 or size > len(message) - at:
            left = len(message) - at
            raise ValueError(f"a field with tag {tag} and {size} bytes, where {left} are left")
        yield tag >> 3, message[at : at + size]
        at += size


def _read_int64s(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _read_varint(packed, at)
        yield value - 2**64 if value >= 2**63 else value


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Give the number at a place, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):  # 64 bits take ten bytes at most
        if at == len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 2**64:
            return value, at
    raise ValueError("a number that does not end")

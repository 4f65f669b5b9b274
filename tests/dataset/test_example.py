from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.dataset.example import Value, Values, decode_example, encode_example
from fertools.errors import DatasetError

FEATURES: Mapping[str, Value] = {
    "image": b"\x89PNG\x00" * 40,
    "성별": "여",
    "age": -1,
    "box": (1.5, 2.0, 300.25, 4.0),
    "votes": [0, 127, 128, 2**63 - 1, -(2**63)],
    "confidence": 0.5,
}
DECODED: dict[str, Values] = {
    "age": [-1],
    "box": [1.5, 2.0, 300.25, 4.0],
    "confidence": [0.5],
    "image": [b"\x89PNG\x00" * 40],
    "votes": [0, 127, 128, 2**63 - 1, -(2**63)],
    "성별": ["여".encode()],
}


def test_the_bytes_are_those_of_the_message() -> None:
    # Laid out by hand after the picture at the head of the module.
    assert encode_example({"b": 300, "a": "x"}) == (
        b"\x0a\x19"
        b"\x0a\x0a" + b"\x0a\x01a" + b"\x12\x05" + b"\x0a\x03" + b"\x0a\x01x"
        b"\x0a\x0b" + b"\x0a\x01b" + b"\x12\x06" + b"\x1a\x04" + b"\x0a\x02\xac\x02"
    )


def test_the_order_in_which_features_come_changes_nothing() -> None:
    backwards = {name: FEATURES[name] for name in reversed(list(FEATURES))}
    assert encode_example(backwards) == encode_example(FEATURES)


def test_what_is_encoded_is_decoded() -> None:
    assert decode_example(encode_example(FEATURES)) == DECODED
    assert decode_example(encode_example({})) == {}


@given(
    st.dictionaries(
        st.text(max_size=20).filter(lambda name: name.isprintable()),
        st.binary(max_size=200)
        | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
        | st.lists(st.floats(width=32, allow_nan=False), min_size=1),
        max_size=5,
    )
)
def test_any_features_come_back(features: dict[str, Value]) -> None:
    expected = {k: [v] if isinstance(v, bytes) else v for k, v in features.items()}
    assert decode_example(encode_example(features)) == expected


def test_one_float_makes_the_list_floats() -> None:
    assert decode_example(encode_example({"box": [1, 2.5]})) == {"box": [1.0, 2.5]}


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    assert decode_example(encode_example({"key": "a\udc80"})) == {"key": [rb"a\udc80"]}


@pytest.mark.parametrize("value", [[], 2**63, -(2**63) - 1, 1e39, [1.0, -1e39]])
def test_what_has_no_place_in_the_message_is_named(value: Value) -> None:
    with pytest.raises(ValueError, match="'ballot'"):
        encode_example({"ballot": value})


def test_every_cut_is_noticed() -> None:
    whole = encode_example(FEATURES)
    for size in range(len(whole)):
        with pytest.raises(DatasetError, match="not an example that fertools wrote"):
            decode_example(whole[:size])


def damaged(seed: int) -> bytes:
    whole = bytearray(encode_example(FEATURES))
    whole[seed % len(whole)] = seed // len(whole) % 256
    return bytes(whole)


@given(st.binary(max_size=60) | st.integers(0, 10**6).map(damaged))
def test_damage_raises_nothing_else(data: bytes) -> None:
    with suppress(DatasetError):
        decode_example(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "unexpected fields"),
        (b"\x12\x00", "unexpected fields"),
        (b"\x0a\x00\x0a\x00", "unexpected fields"),
        (b"\x0a\x04\x0a\x02\x0a\x00", "not a name and a list of values"),
        (b"\x0a\x06\x0a\x04\x0a\x00\x12\x00", "0 lists of values"),
        (b"\x0a\x08\x0a\x06\x0a\x00\x12\x02\x22\x00", "kind 4"),
        (b"\x0a\x0b\x0a\x09\x0a\x00\x12\x05\x12\x03\x0a\x01x", "kind 2 in 1 bytes"),
        (b"\x0a\x0b\x0a\x09\x0a\x00\x12\x05\x1a\x03\x08\x01x", "tag 8"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "bytes, but 0 are left"),
        (b"\x0a" + b"\x80" * 20, "a varint without an end"),
        (b"\x0a" + b"\x80" * 10 + b"\x00", "a varint without an end"),
        (b"\x0a" + b"\xff" * 9 + b"\x7f", "a varint without an end"),
        (b"\x0a\x0a\x0a\x08\x0a\x01\xff\x12\x03\x0a\x01x", "utf-8"),
    ],
)
def test_each_kind_of_damage_is_called_by_name(data: bytes, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        decode_example(data)


def test_a_name_that_stands_there_twice_is_damage() -> None:
    entry = encode_example({"a": 1})[2:]
    with pytest.raises(DatasetError, match="'a' appears twice"):
        decode_example(b"\x0a" + bytes((2 * len(entry),)) + entry * 2)

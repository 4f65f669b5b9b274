from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from fertools.data import Box
from fertools.dataset.example import FEATURES, Example, decode_example, encode_example, features
from fertools.errors import DatasetError
from tests.dataset.conftest import example


def test_an_example_comes_back_as_it_was() -> None:
    for number in range(8):
        assert Example.from_bytes(example(number).to_bytes()) == example(number)


def test_the_table_is_what_an_example_holds_and_what_is_written() -> None:
    names = [feature.name for feature in FEATURES]
    assert [*names, "votes", "uploader"] == [field.name for field in fields(Example)]
    assert list(decode_example(example(0).to_bytes())) == sorted(names)


def test_votes_are_there_where_the_dataset_has_them() -> None:
    voted = replace(example(0), votes=(3, 0, 1), uploader=2)
    assert Example.from_bytes(voted.to_bytes()) == voted
    assert [(f.name, f.length) for f in features(3)[-2:]] == [("votes", 3), ("uploader", None)]
    assert features(3, uploader=False) == features(3)[:-1]
    assert features(0) == FEATURES


def test_votes_of_format_1_come_without_an_uploader() -> None:
    stored = decode_example(replace(example(0), votes=(3, 0, 1), uploader=2).to_bytes())
    del stored["uploader"]
    plain = {n: v[0] if isinstance(v[0], bytes) else v for n, v in stored.items()}
    old = Example.from_bytes(encode_example(plain))
    assert (old.votes, old.uploader) == ((3, 0, 1), -1)


def test_whole_numbers_are_stored_as_the_floats_they_stand_for() -> None:
    stored = decode_example(replace(example(0), confidence=1, box=Box(1, 2, 3, 4)).to_bytes())
    assert repr(stored["confidence"]) == "[1.0]"
    assert repr(stored["box"]) == "[1.0, 2.0, 3.0, 4.0]"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"image": b""}, "has no image"),
        ({"label": -1}, "label -1"),
        ({"age": -2}, "age -2"),
        ({"box": Box(3, 0, 3, 9)}, "x0=3, y0=0, x1=3"),
        ({"box": Box(-1, 0, 3, 9)}, "outside the photo"),
        ({"box": Box(0, 0, float("inf"), 9)}, "outside the photo"),
        ({"box": Box(0, 0, 5, float("nan"))}, "outside the photo"),
        ({"confidence": 1.5}, r"confidence 1\.5"),
        ({"confidence": float("nan")}, "confidence nan"),
        ({"votes": (1, -1)}, r"votes \(1, -1\)"),
        ({"uploader": -2}, "uploader -2, expected -1 or a class"),
    ],
)
def test_values_that_mean_nothing_are_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        replace(example(0), **change)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("label", None, "it has no 'label'"),
        ("label", "기쁨", r"'label' holds \['bytes'\], expected 1 int"),
        ("image", 5, r"'image' holds \['int'\], expected 1 bytes"),
        ("box", [1.0, 2.0], r"'box' holds \['float', 'float'\], expected 4 float"),
        ("age", [1, 2], "'age' holds"),
        ("sex", b"\xff", "utf-8"),
        ("confidence", 7.0, r"confidence 7\.0"),
    ],
)
def test_a_message_that_is_no_such_example_is_damage(name: str, value: Any, what: str) -> None:
    found = {**decode_example(example(0).to_bytes())}
    plain = {n: v[0] if isinstance(v[0], bytes) else v for n, v in found.items()} | {name: value}
    data = encode_example({n: v for n, v in plain.items() if v is not None})
    with pytest.raises(DatasetError, match=what):
        Example.from_bytes(data)


def test_a_feature_of_a_later_version_is_passed_over() -> None:
    whole = example(0)
    found = decode_example(whole.to_bytes())
    plain = {n: v[0] if isinstance(v[0], bytes) else v for n, v in found.items()}
    assert Example.from_bytes(encode_example(plain | {"mood": [1, 2]})) == whole

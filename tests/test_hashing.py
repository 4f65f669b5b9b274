"""The order of every dataset ever built hangs on these values: they are written down once."""

from __future__ import annotations

from fertools.hashing import pseudonym, rank


def test_golden_ranks() -> None:
    assert rank(0, "a").hex() == "6f6f8998da95bdbbdb707082fbd409b2"
    assert pseudonym(b"0", "a", "subject") == "332f799b2d551185c851852ba76be740"


def test_seed_key_and_purpose_each_change_the_place() -> None:
    places = {rank(0, "a"), rank(1, "a"), rank(0, "b"), rank(0, "a", "shard"), rank(12, "x")}
    assert len(places | {rank(1, "2x")}) == 6


def test_a_name_that_is_no_text_has_a_place_too() -> None:
    assert len(rank(0, "\udc80.jpg")) == 16

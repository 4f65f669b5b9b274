"""Rows in batches: whatever the batches are, rows are found by their numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.columns import Columns, Words, to_array

SCHEMA = pa.schema([("n", pa.int64()), ("word", pa.dictionary(pa.int32(), pa.string()))])
WORDS = ("기쁨", "슬픔", None, "중립", "기쁨")


def columns(*sizes: int) -> Columns:
    """Number rows from 0, in batches of these sizes; each batch has a dictionary of its own."""
    batches, first = [], 0
    for size in sizes:
        rows = range(first, first + size)
        arrays = [pa.array(rows), to_array([WORDS[i % 5] for i in rows], SCHEMA.field("word").type)]
        batches.append(pa.record_batch(arrays, schema=SCHEMA))
        first += size
    return Columns(batches, SCHEMA)


SIZES = st.lists(st.integers(0, 5), max_size=5)


@given(SIZES, st.data())
def test_rows_are_taken_in_any_order_and_twice(sizes: list[int], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, max(0, sum(sizes) - 1)), max_size=9))
    rows = rows if sum(sizes) else []
    taken = columns(*sizes).take(np.array(rows, np.int64))
    assert taken.schema == SCHEMA
    assert taken["n"].to_pylist() == rows
    assert taken["word"].to_pylist() == [WORDS[row % 5] for row in rows]


@given(SIZES, st.integers(0, 26), st.integers(0, 26))
def test_a_run_is_one_batch_and_slices_are_the_same_rows(
    sizes: list[int], start: int, stop: int
) -> None:
    found, wanted = columns(*sizes), [*range(sum(sizes))][start:stop]
    assert found.rows(start, stop)["n"].to_pylist() == wanted
    assert [n for batch in found.slices(start, stop) for n in batch["n"].to_pylist()] == wanted
    assert len(found) == sum(sizes)


def test_words_have_one_number_over_all_batches() -> None:
    codes, words = columns(2, 0, 3, 4).codes("word")
    assert codes.tolist() == [0, 1, -1, 2, 0, 0, 1, -1, 2]
    assert words == ["기쁨", "슬픔", "중립"]


def test_a_null_among_numbers_becomes_what_is_asked_for() -> None:
    batch = pa.record_batch({"n": pa.array([3, None], pa.int16())})
    assert Columns([batch], batch.schema).numbers("n", fill=-1).tolist() == [3, -1]


def test_words_made_by_blocks_are_those_of_a_list() -> None:
    values = ["kim", None, "lee"] * 1000
    words = Words(np.array([0, -1, 1] * 1000, np.int32), ["kim", "lee"])
    assert list(words) == values
    assert [words[i] for i in (0, 2999, 1024, -1, 1)] == ["kim", "lee", None, "lee", None]
    assert words[5:8] == values[5:8]
    assert words[9:0:-4] == values[9:0:-4]
    assert list(words.take(np.array([2, 0, 1]))) == ["lee", "kim", None]
    with pytest.raises(IndexError):
        words[3000]

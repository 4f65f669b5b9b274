"""Label files, good, strange and broken: records and at most one line, never an exception."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.data import Box, Drop
from fertools.labels.records import LabelRecord, median_box, read_records
from tests.labels.label_json import BOX, EDGES, NAME, described, entry, label_file

RECORD = LabelRecord(NAME, "불안", ("불안", "슬픔", "알수없음"), (Box(*BOX),) * 3)


def read(data: bytes) -> tuple[list[LabelRecord], str]:
    """Return a file's records and its problem; at most one, and that behind them."""
    found = list(read_records(data))
    problem = ""
    if found and isinstance(found[-1], Drop):
        problem = found.pop().detail  # type: ignore[union-attr]
        assert problem
    records = [record for record in found if isinstance(record, LabelRecord)]
    assert len(records) == len(found)
    return records, problem


def only(*entries: Any) -> LabelRecord:
    (record,), problem = read(label_file(*entries))
    assert problem == ""
    return record


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("keys", [dict, described])
def test_every_encoding_and_both_key_styles_read_alike(encoding: str, keys: Any) -> None:
    assert read(label_file(keys(entry()), encoding=encoding)) == ([RECORD], "")


def test_a_name_comes_in_nfc_without_folders() -> None:
    assert only(entry(normalize("NFD", f"기쁨/{NAME}"))) == RECORD
    assert only(entry(f"C:\\사진\\{NAME}")) == RECORD


def test_votes_come_in_the_archives_words() -> None:
    assert only(entry(votes=["행복", normalize("NFD", "짜증"), " anger "])).votes == (
        "기쁨",
        "분노",
        "분노",
    )
    assert only(entry(votes=["놀람", 7, None], uploader="화남")) == LabelRecord(
        NAME, None, (None, None, None), RECORD.boxes
    )


def test_an_annotator_who_is_missing_neither_votes_nor_draws() -> None:
    lone = entry()
    del lone["annot_A"], lone["faceExp_uploader"]
    lone["annot_C"] = "?"
    assert only(lone) == LabelRecord(NAME, None, (None, "슬픔", None), (Box(*BOX),))


def test_an_annotator_who_cannot_tell_has_voted() -> None:
    unsure = normalize("NFD", " 알수없음 ")
    record = only(entry(votes=[unsure, None, "모름"], uploader=unsure))
    assert (record.uploader, record.votes) == ("알수없음", ("알수없음", None, None))


@pytest.mark.parametrize(
    "edges",
    [
        "NaN 0 10 10",
        "0 0 Infinity 10",
        "10 0 0 10",  # inverted
        "5 5 5 50",  # without area
        "-20 -20 -1 50",  # left of the photo
        "70000 0 80000 10",  # right of any photo
        "true 0 10 10",
        "null 0 10 10",
        "[] {} 10 10",
        '"0" "0" "10" "10"',
        "0 0 1e999 10",
        f"0 0 {'9' * 5000} 10",
    ],
    ids=lambda edges: edges[:20],
)
def test_a_box_that_is_none_is_left_out_and_the_votes_stay(edges: str) -> None:
    box = ", ".join(f'"{k}": {edge}' for k, edge in zip(EDGES, edges.split(), strict=True))
    text = json.dumps(entry(boxes=(BOX, "1234", BOX)))
    data = text.replace(json.dumps(dict(zip(EDGES, "1234", strict=True))), f"{{{box}}}")
    assert data != text
    assert read(data.encode()) == (
        [LabelRecord(NAME, "불안", ("불안", "슬픔", "알수없음"), (Box(*BOX),) * 2)],
        "",
    )


def test_what_lies_left_of_and_above_the_photo_is_cut_off() -> None:
    assert only(entry(boxes=[(-30, -4.5, 80, 90)] * 3)).boxes[0] == Box(0, 0, 80, 90)


@pytest.mark.parametrize("stranger", [[], {}, "x", 3, None, {"filename": ""}, {"filename": 5}])
def test_an_entry_that_names_no_photo_costs_nobody_else(stranger: object) -> None:
    records, problem = read(label_file(stranger, entry(), stranger))
    assert (records, problem) == ([RECORD], "2 of its entries name no photo")


def test_records_in_other_keys_are_told() -> None:
    records, problem = read(label_file(entry(), {"filename": "b.jpg", "label_A": "불안"}))
    assert [record.name for record in records] == [NAME, "b.jpg"]
    assert problem == "1 of its 2 records hold neither a vote nor a box"


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ('{"filename": ', "damaged or cut short"),
        ('{"filename" "x"}', "Expecting ':' delimiter"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"filename": "' + "x" * 70_000 + '"}', "longer than 65,536"),
        ("\0", "damaged or cut short"),
        ('{"filename": "' + "x" * 700_000 + '"}', "damaged or cut short"),
        ("]]", "not part of the list"),
    ],
    ids=["cut", "colon", "lists", "objects", "long", "nul", "longer", "behind"],
)
def test_what_is_whole_before_the_damage_counts(broken: str, text: str) -> None:
    whole = json.dumps(entry(), ensure_ascii=False)
    records, problem = read(f"[{whole}, {whole}, {broken}".encode())
    assert records == [RECORD, RECORD]
    assert text in problem
    assert len(problem) < 150


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(encoding: str) -> None:
    data = label_file(entry(), entry("b.jpg"), encoding=encoding)
    ends = [i + 1 for i in range(len(data)) if data[i : i + 3] in (b"\n }", b"\n }")]
    second, third = (end + 2 for end in ends)
    for cut in range(1, len(data)):
        records, problem = read(data[:cut])
        assert len(records) == (cut >= second) + (cut >= third), cut
        assert problem, cut


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
@pytest.mark.parametrize("byte", [0x80, 0xB0, 0xFF])
def test_a_byte_that_is_no_text_costs_its_record_alone(encoding: str, byte: int) -> None:
    data = label_file(entry(), *[entry("b_여.jpg")] * 9, encoding=encoding)
    at = data.index(b"1076") + 1
    records, problem = read(data[:at] + bytes([byte]) + data[at + 1 :])
    assert [record.name for record in records[1:]] == ["b_여.jpg"] * 9
    assert f"not {encoding.upper()}" in problem or encoding == "cp949"


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf", b"[]", b"[ ]"])
def test_an_empty_file_says_so(data: bytes) -> None:
    records, problem = read(data)
    assert not records
    assert problem in ("it is empty", "the file is cut short behind entry 0")


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xe0\0\x10JFIF", b"<html>", b"PK\3\4", b"[" * 9])
def test_what_is_no_label_file_says_so(data: bytes) -> None:
    records, problem = read(data)
    assert not records
    assert "entry 1 is damaged" in problem


def test_one_record_and_one_a_line_read_as_a_list_does() -> None:
    line = json.dumps(entry())
    assert read(line.encode()) == ([RECORD], "")
    assert read(f"{line}\n{line}\n".encode()) == ([RECORD, RECORD], "")
    assert read(f"[{line},]".encode()) == ([RECORD], "")


@pytest.mark.parametrize("pad", [(1 << 18) - 700, (1 << 18) - 1, 1 << 18, 3 << 18])
def test_records_across_the_windows_edge_are_whole(pad: int) -> None:
    whole = json.dumps(entry(), ensure_ascii=False).encode()
    data = b"[" + b" " * pad + b" , ".join([whole] * 2000) + b"]"
    assert read(data) == ([RECORD] * 2000, "")


def test_memory_stays_at_the_window() -> None:
    data = label_file(*[entry()] * 8_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_records(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 8_000
    assert peak < 4e6 < len(data)  # its whole tree would be 20 MB


@pytest.mark.slow
def test_two_hundred_megabytes_are_read_to_the_end() -> None:
    for filler in (b" ", b"\xff"):
        data = label_file(entry())[:-1] + b"," + filler * 200_000_000 + b"]"
        records, problem = read(data)
        assert records == [RECORD]
        assert (problem == "") == (filler == b" ")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ("filename", "annot_A", "annot_B", "faceBB_C", "boxes", "faceExp", "label", *EDGES)
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An entry of which some values, at any depth, are anything else."""
    body = draw(st.sampled_from([entry(), described(entry())]))
    body = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 5))):
        where = body
        while inner := [value for value in where.values() if isinstance(value, dict)]:
            if draw(st.booleans()):
                break
            where = draw(st.sampled_from(inner))
        where[draw(KEYS)] = draw(JSON)
    return body


@given(st.lists(mutated() | JSON, max_size=4), st.sampled_from(["utf-8", "utf-16", "cp949"]))
def test_whatever_an_entry_holds_the_next_one_is_read(entries: list[Any], encoding: str) -> None:
    data = json.dumps([*entries, entry()], ensure_ascii=encoding == "cp949")
    records, _ = read(data.encode(encoding, "surrogatepass" if encoding != "cp949" else "strict"))
    if encoding != "utf-16":
        assert records[-1] == RECORD


@given(st.binary(max_size=200), st.integers(0, 700), st.integers(0, 40))
def test_whatever_the_bytes_are_nothing_is_raised(noise: bytes, at: int, gone: int) -> None:
    data = label_file(entry(), entry())
    read(noise)
    read(data[:at] + noise + data[at + gone :])


@given(st.lists(st.tuples(*[st.floats(0, 500)] * 2, *[st.floats(501, 999)] * 2), max_size=3))
def test_the_median_box_lies_among_the_boxes(edges: list[tuple[float, ...]]) -> None:
    found = median_box([Box(*box) for box in edges])
    assert (found is None) == (not edges)
    if found:
        assert found.area > 0
        assert min(e[0] for e in edges) <= found.x0 <= max(e[0] for e in edges)


def test_one_annotator_far_off_does_not_move_the_median() -> None:
    assert median_box([Box(10, 20, 110, 120), Box(12, 18, 114, 122), Box(0, 0, 5000, 5000)]) == Box(
        10, 18, 114, 122
    )
    assert median_box([Box(10, 20, 110, 120), Box(20, 20, 120, 140)]) == Box(15, 20, 115, 130)


def test_the_real_archives_records_are_all_read(photos: Path) -> None:
    found = [read(file.read_bytes()) for file in sorted(photos.rglob("*.json"))]
    assert [(len(records), problem) for records, problem in found] == [(24, ""), (28, ""), (4, "")]
    for records, _ in found:
        assert all(len(record.boxes) == 3 and record.uploader for record in records)

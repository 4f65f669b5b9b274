"""The parts of a page: choice of rows, pairs, thumbnails, charts, embedding."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fertools.reporting.charts import Bar, bars, columns, lines, matrix
from fertools.reporting.columns import column
from fertools.reporting.embed import inert_json
from fertools.reporting.markup import node, table, to_html
from fertools.reporting.pairs import nearest_pairs
from fertools.reporting.rows import MAX_DROPPED, Choice, Scan, read_rows
from fertools.reporting.thumbnails import MEAN_BYTES, encode


def scan_of(outcomes: list[str]) -> Scan:
    count = len(outcomes)
    return Scan(
        [f"k{row}" for row in range(count)],
        np.array(outcomes, object),
        np.linspace(0.5, 1, count, dtype=np.float32),
        np.full(count, np.nan, np.float32),
        np.zeros((count, 3), np.int64),
    )


def test_a_row_is_chosen_by_its_key_alone() -> None:
    whole = scan_of(["kept"] * 500)
    some = Choice.of(whole, [], maximum=50)
    assert len(some.rows) == some.wall == some.examples == 50
    assert some.rows.tolist() == sorted(some.rows.tolist())
    more = Choice.of(whole, [], maximum=100)
    assert set(some.rows.tolist()) < set(more.rows.tolist())


def test_a_rare_reason_is_on_the_wall_beside_a_frequent_one() -> None:
    scan = scan_of(["no_face"] * 5000 + ["empty"] + ["kept"] * 5)
    choice = Choice.of(scan, [], maximum=100)
    assert choice.wall == MAX_DROPPED + 5
    assert 5000 in choice.rows


def test_rows_only_for_lists_follow_behind_the_wall() -> None:
    scan = scan_of(["kept"] * 100)
    choice = Choice.of(scan, [[3, 4], [4, 5]], maximum=10)
    on_wall = set(choice.rows[:10].tolist())
    assert set(choice.rows[10:].tolist()) == {3, 4, 5} - on_wall
    assert [choice.rows[choice.places()[row]] for row in (3, 5)] == [3, 5]


def test_rows_are_read_in_the_order_of_the_page(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": [f"k{i}" for i in range(100)]}), tmp_path / "ledger.parquet")
    rows = read_rows(tmp_path / "ledger.parquet", np.array([7, 99, 3, 50]))
    assert rows["key"].to_pylist() == ["k7", "k99", "k3", "k50"]


def test_nearest_pairs_are_of_different_people_and_one_for_two_of_them() -> None:
    rng = np.random.default_rng(0)
    faces = [
        cv2.GaussianBlur(rng.integers(0, 256, (64, 64), np.uint8), (9, 9), 3) for _ in range(6)
    ]
    again = cv2.convertScaleAbs(faces[0], alpha=0.9)
    pictures = np.stack([*faces, again, faces[1]])
    people = np.array([0, 1, 2, 3, 4, 5, 5, 1])  # person 5 has a copy of person 0's face
    best, *others = nearest_pairs(pictures, people, count=9)
    assert (best.first, best.second) == (0, 6)
    assert best.similarity > 0.9
    pairs = [frozenset((people[each.first], people[each.second])) for each in [best, *others]]
    assert all(len(pair) == 2 for pair in pairs)
    assert len(set(pairs)) == len(pairs)
    assert nearest_pairs(pictures[:1], people[:1], count=9) == []


@pytest.mark.parametrize("noise", [0, 5, 10])
def test_thumbnails_stay_small_whatever_the_photos(noise: int) -> None:
    rng = np.random.default_rng(1)
    flat = cv2.GaussianBlur(rng.integers(0, 256, (40, 64, 64), np.uint8), (15, 15), 5)
    grays = np.clip(flat + rng.normal(0, noise, flat.shape), 0, 255).astype(np.uint8)
    pictures = encode(list(grays))
    assert all(picture[:4] == b"RIFF" for picture in pictures)
    assert np.mean([len(picture) for picture in pictures]) <= MEAN_BYTES


def test_words_are_stored_once() -> None:
    assert column("sex", ["남", None, "여", "남", "남", "남"]) == {
        "name": "sex",
        "words": ["남", "여"],
        "codes": [0, -1, 1, 0, 0, 0],
    }
    assert column("key", ["b", "a"]) == {"name": "key", "values": ["b", "a"]}
    assert column("confidence", [0.123456, None])["values"] == [0.1235, None]
    assert column("votes", [[1, 0], None])["values"] == [[1, 0], None]


def test_json_in_a_script_cannot_end_it() -> None:
    tree = {"name": "</script><!-- & \u2028\u2029"}
    text = inert_json(tree)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == tree


def test_markup_escapes_texts_attributes_and_control_characters() -> None:
    html = to_html(node("p", "<b>\x1b[2J", title='"><script>'))
    assert html == '<p title="&quot;&gt;<script&gt;">&lt;b&gt;\\x1b[2J</p>'
    cells = to_html(table(("<i>", "n"), [("<u>", 1234), ("x", 0.25), ("y", None)]))
    assert "<i>" not in cells and "<u>" not in cells
    assert ">1,234<" in cells and ">0.25<" in cells and ">–<" in cells


def test_every_chart_has_a_title_a_description_and_its_numbers_as_a_table() -> None:
    charts = [
        bars("Bars", "About.", [Bar("joy", (1, 2), "x"), Bar("anger", (0, 0))], ["train", "test"]),
        columns("Columns", "About.", {"10": 4, "20": 0}, scale="age"),
        lines("Lines", "About.", {"train": [1.0, 2.0]}, ["1", "2"], scale="epoch", marked=1),
        matrix("Matrix", "About.", [[3, 0], [1, 2]], ["joy", "anger"]),
    ]
    for chart in charts:
        drawing = chart.find("svg")
        assert drawing is not None
        assert drawing.get("role") == "img"
        title, about = drawing.findall("title")[0], drawing.findall("desc")[0]
        assert drawing.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
        assert chart.find(".//table") is not None
        assert "viewBox" not in drawing.attrib  # its letters keep their size on a phone
    texts = ["".join(cell.itertext()) for cell in charts[0].iter("td")]
    assert texts == ["1", "2", "3", "x", "0", "0", "0", ""]
    widths = [rect.get("width") for rect in charts[0].iter("rect") if rect.get("class") != "rail"]
    assert widths == ["33.333%", "66.667%", "0.000%", "0.000%"]

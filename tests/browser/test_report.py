"""A report as somebody uses it who has nothing but a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fertools
from tests.browser.chromium import Opened
from tests.documented import ROOT
from tests.reporting.datasets import EVIL

pytestmark = pytest.mark.slow

Show = Callable[..., Opened]

AXE = ROOT / "build" / "browser" / "node_modules" / "axe-core" / "axe.min.js"

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1400, "height": 900}}


@pytest.fixture(scope="module")
def rows(dataset: Path) -> list[dict[str, Any]]:
    table: pa.Table = pq.read_table(dataset / "ledger.parquet")
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@pytest.fixture(scope="module")
def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["outcome"] == "kept"]


def test_figures_are_those_of_stats(show: Show, dataset: Path, page_file: Path) -> None:
    shown = show(page_file)
    figures = json.loads(shown.page.text_content("script#figures") or "")
    assert figures == json.loads(json.dumps(fertools.stats(dataset).to_dict()))
    rows = shown.page.eval_on_selector_all(
        "#chart-classes-and-splits tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
    )
    assert [row[:4] for row in rows] == [
        [f"{each['name']} {each['english']}", *map(str, each["photos"].values())]
        for each in figures["table"]
    ]


def test_every_filter_shows_exactly_what_matches(
    show: Show, page_file: Path, rows: list[dict[str, Any]], kept: list[dict[str, Any]]
) -> None:
    shown = show(page_file)
    columns = {"class": "label", "split": "split", "sex": "sex", "age": "age"}
    assert shown.matching == len(kept) == 60
    for name, column in columns.items():
        values = {str(row[column]) for row in kept}
        for value in values:
            shown.page.select_option(f"select[name={name}]", value)
            keys = [row["key"] for row in kept if str(row[column]) == value]
            assert shown.matching == len(keys)
            assert set(shown.tiles) == set(keys)
        shown.page.select_option(f"select[name={name}]", "")
    for outcome in {row["outcome"] for row in rows}:
        shown.page.select_option("select[name=outcome]", outcome)
        assert set(shown.tiles) == {row["key"] for row in rows if row["outcome"] == outcome}
    shown.page.select_option("select[name=outcome]", "")
    assert shown.matching == len(rows)


def test_filters_are_combined_ranged_and_reset(
    show: Show, page_file: Path, kept: list[dict[str, Any]]
) -> None:
    shown = show(page_file)
    shown.page.select_option("select[name=sex]", "남")
    shown.page.fill("[name=agreement-max]", "0.5")
    classes = [entry["name"] for entry in shown.page.evaluate(_CLASSES)]
    agreed = [
        row["votes"][classes.index(row["label"])] / sum(row["votes"])
        for row in kept
        if row["sex"] == "남" and any(row["votes"])
    ]
    assert shown.matching == sum(share <= 0.5 for share in agreed) > 0
    shown.page.fill("[name=confidence-min]", "0.95")  # all faces here have 0.9
    assert shown.matching == 0
    assert shown.tiles == []
    assert "Nothing matches" in shown.text("#wall")
    shown.page.click("#filter [type=reset]")
    assert shown.matching == len(kept)
    shown.page.select_option("select[name=network]", "wrong")
    wrong = shown.matching
    shown.page.select_option("select[name=network]", "right")
    assert wrong + shown.matching == sum(row["split"] == "test" for row in kept)


_CLASSES = 'JSON.parse(document.querySelector("#figures").textContent).classes'


def test_the_wall_is_sorted_by_size_and_by_confidence(
    show: Show, page_file: Path, rows: list[dict[str, Any]]
) -> None:
    shown = show(page_file)
    by_key = {row["key"]: row for row in rows}
    for sort, sign in (("size", 1), ("-size", -1), ("confidence", 1), ("-confidence", -1)):
        shown.page.select_option("select[name=sort]", sort)
        column = sort.strip("-")
        values = [
            max(row["x1"] - row["x0"], row["y1"] - row["y0"])
            if column == "size"
            else row["confidence"]
            for row in (by_key[key] for key in shown.tiles)
        ]
        assert values == sorted(values, reverse=sign < 0)


def test_others_can_stay_faded_in_their_places(show: Show, page_file: Path) -> None:
    shown = show(page_file)
    shown.page.check("[name=keep]")
    before = shown.tiles
    shown.page.select_option("select[name=split]", "test")
    assert shown.tiles == before
    faded = shown.page.locator("#wall .faded").count()
    assert faded == len(before) - shown.matching


def test_the_address_keeps_the_filter(show: Show, page_file: Path) -> None:
    shown = show(page_file)
    shown.page.select_option("select[name=class]", "당황")
    shown.page.select_option("select[name=sort]", "-size")
    shown.page.check("[name=keep]")
    tiles, hash_ = shown.tiles, shown.page.evaluate("location.hash")
    again = show(page_file, hash_)
    assert (again.matching, again.tiles) == (shown.matching, tiles)
    assert again.page.input_value("select[name=outcome]") == "kept"


def test_the_wall_is_walked_by_keyboard(show: Show, page_file: Path) -> None:
    shown = show(page_file, **DESK)
    page, tiles = shown.page, shown.tiles
    focused = "document.activeElement.dataset.key ?? document.activeElement.name"
    page.keyboard.press("/")
    assert page.evaluate(focused) == "class"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#wall [data-key]')"):
            break
    assert page.evaluate(focused) == tiles[0]
    columns = int(page.get_attribute("#wall", "aria-colcount") or 0)
    for key, place in (("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns)):
        page.keyboard.press(key)
        assert page.evaluate(focused) == tiles[place]
    page.keyboard.press("End")
    assert page.evaluate(focused) == shown.tiles[-1]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")  # there is nothing above
    assert page.evaluate(focused) == tiles[0]
    page.keyboard.press("Enter")
    assert page.locator("dialog[open]").count() == 1
    assert tiles[0] in shown.text("#details")
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate(focused) == tiles[0]
    assert page.locator('#wall [tabindex="0"]').count() == 1


def test_details_have_every_field_with_votes_and_predictions(
    show: Show, page_file: Path, kept: list[dict[str, Any]]
) -> None:
    shown = show(page_file)
    row = next(row for row in kept if row["split"] == "test" and any(row["votes"]))
    shown.page.fill("[name=text]", row["key"])
    shown.page.click("#wall [data-key]")
    text = shown.text("#details")
    for name in ("key", "subject", "sex", "age", "place", "stamp", "x0", "bytes", "index"):
        assert str(row[name]) in text, name
    votes = max(row["votes"])
    classes = [entry["name"] for entry in shown.page.evaluate(_CLASSES)]
    assert f"{classes[row['votes'].index(votes)]} {votes}" in text
    assert "network says" in text


def test_a_name_with_markup_is_shown_as_text(show: Show, page_file: Path) -> None:
    shown = show(page_file)
    shown.page.select_option("select[name=outcome]", "")
    shown.page.fill("[name=text]", "onerror")
    assert shown.matching == 2
    assert all(EVIL in key for key in shown.tiles)
    for number in range(2):
        shown.page.locator("#wall [data-key]").nth(number).click()
        assert EVIL in shown.text("#details")
        shown.page.keyboard.press("Escape")
    assert EVIL in shown.text("#drops")
    assert EVIL in (shown.page.text_content("#chart-place") or "")
    assert shown.page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("options", [DESK, {**DESK, "color_scheme": "dark"}, PHONE])
@pytest.mark.parametrize("file", ["page_file", "shared_file"])
def test_axe_finds_nothing_serious(
    show: Show, request: pytest.FixtureRequest, file: str, options: dict[str, Any]
) -> None:
    if not AXE.is_file():
        pytest.skip(f"{AXE} is not there: make test-browser")
    shown = show(request.getfixturevalue(file), **options)
    shown.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    shown.page.evaluate(AXE.read_text("utf-8"))
    assert violations(shown) == []
    shown.page.locator("#wall [data-key]").first.click()
    assert violations(shown) == []


def violations(shown: Opened) -> list[str]:
    """Return the violations that are serious or critical, with the first place of each."""
    found = shown.page.evaluate("axe.run({ preload: false }).then((result) => result.violations)")
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("file", ["page_file", "shared_file"])
def test_a_phone_needs_no_scrolling_to_the_side(
    show: Show, request: pytest.FixtureRequest, file: str
) -> None:
    shown = show(request.getfixturevalue(file), **PHONE)
    shown.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    shown.page.locator("#wall [data-key]").first.click()
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_dark_system_has_a_dark_page(show: Show, page_file: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    light, dark = (
        show(page_file, color_scheme=scheme).page.evaluate(colour) for scheme in ("light", "dark")
    )
    assert min(light) > 200 and max(dark) < 60


def test_print_has_tables_and_no_controls(show: Show, page_file: Path, tmp_path: Path) -> None:
    shown = show(page_file)
    shown.page.emulate_media(media="print")
    assert not shown.page.is_visible("#filter")
    assert shown.page.is_visible("#wall [data-key]")
    shown.page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    assert shown.page.locator("details:not([open])").count() == 0


def test_a_large_wall_stays_small_in_memory(show: Show, large_file: Path) -> None:
    shown = show(large_file, **DESK)
    assert shown.matching > 2500
    assert shown.scroll_the_wall() <= 300
    assert shown.page.locator("#wall img").count() > 50
    assert shown.heap_bytes() < 250e6
    shown.page.emulate_media(media="print")
    shown.page.wait_for_timeout(300)
    assert len(shown.tiles) <= 300
    shown.page.emulate_media(media="screen")
    shown.page.locator("#wall [data-key]").first.focus()
    shown.page.keyboard.press("End")
    assert shown.page.evaluate("document.activeElement.dataset.place") == str(shown.matching - 1)


def test_a_page_to_share_has_no_picture_and_can_be_filtered(
    show: Show, shared_file: Path, kept: list[dict[str, Any]]
) -> None:
    shown = show(shared_file)
    assert shown.page.locator("img, [data-list]").count() == 0
    assert shown.matching == len(kept)
    shown.page.select_option("select[name=split]", "test")
    assert shown.matching == sum(row["split"] == "test" for row in kept)
    shown.page.locator("#wall [data-key]").first.click()
    text = shown.text("#details")
    assert "confidence" in text
    assert not any(row["key"] in text or row["subject"] in text for row in kept)

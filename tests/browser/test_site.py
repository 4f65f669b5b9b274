"""The documentation's pages, opened as files: as wide as the screen, legible, and searched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_report import AXE, DESK, PHONE, Show, violations
from tests.documented import ROOT

pytestmark = pytest.mark.slow

#: Pages that axe examines: between them they have all that pages consist of.
EXAMINED = ("index", "quickstart.ko", "cluster")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


def pages(site: Path) -> list[Path]:
    found = [page for page in sorted(site.glob("*.html")) if page.stem != "404"]
    assert len(found) > 15
    return found


@pytest.mark.parametrize("options", [DESK, {**DESK, "color_scheme": "dark"}, PHONE])
def test_pages_are_legible(show: Show, site: Path, options: dict[str, Any]) -> None:
    """Nothing is wider than the screen or comes from the network; axe finds nothing serious."""
    axe = AXE.read_text("utf-8") if AXE.is_file() else ""
    shown = show(site / "index.html", ready="body", **options)
    for page in pages(site):
        shown.page.goto(page.as_uri())
        width = shown.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, page.name
        if axe and page.stem in EXAMINED:
            shown.page.evaluate(axe)
            assert violations(shown) == [], page.name


@pytest.mark.parametrize(("word", "page"), [("leakage", "splits.html"), ("학습", "quickstart.ko")])
def test_the_search_finds_words_of_both_languages(
    show: Show, site: Path, word: str, page: str
) -> None:
    shown = show(site / "index.html", ready="body", **DESK)
    field = shown.page.locator("input.md-search__input")
    field.click()
    field.fill(word)
    shown.page.keyboard.press("Shift")  # the theme searches when a key is released
    shown.page.wait_for_selector(f".md-search-result__link[href*='{page}']", state="attached")

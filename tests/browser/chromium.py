"""Open a page in the system's Chromium, offline, and fail on anything that goes wrong in it."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))

#: What a page of its own may be made of.
_INSIDE = ("file:", "blob:", "data:")


def missing() -> str:
    """Return why no browser test can run here, or ""."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: make test-browser"
    if not CHROMIUM.is_file():
        return f"there is no browser at {CHROMIUM}: make test-browser, or set CHROMIUM"
    return ""


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--enable-precise-memory-info", "--no-sandbox"]
        )
        yield started
        started.close()


class Opened:
    """A page that is open; `faults` are console errors, exceptions and requests so far."""

    def __init__(
        self, page: Page, file: Path, hash_: str = "", ready: str = "[data-ready]"
    ) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", lambda message: self._note(message.type == "error", message.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        page.on(
            "request", lambda request: self._note(not request.url.startswith(_INSIDE), request.url)
        )
        start = time.perf_counter()
        page.goto(file.resolve().as_uri() + hash_)
        page.wait_for_selector(ready)
        self.ready_seconds = time.perf_counter() - start

    def _note(self, wrong: bool, text: str) -> None:
        if wrong:
            self.faults.append(text)

    def text(self, selector: str) -> str:
        text: str = self.page.inner_text(selector)
        return text

    @property
    def matching(self) -> int:
        return int(self.text("#matching"))

    @property
    def tiles(self) -> list[str]:
        """The keys of the tiles in the document, in their order."""
        keys: list[str] = self.page.eval_on_selector_all(
            "#wall [data-key]", "tiles => tiles.map(tile => tile.dataset.key)"
        )
        return keys

    def first_paint(self) -> float:
        """Return the seconds from the start until the first text or drawing was visible."""
        milliseconds: float = self.page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
        )
        return milliseconds / 1000

    def filter_seconds(self) -> float:
        """Return the seconds from the choice of a class until its tiles are in the document."""
        milliseconds: float = self.page.evaluate(
            """() => {
              const choice = document.querySelector("select[name=class]");
              const start = performance.now();
              choice.selectedIndex = 1;
              choice.dispatchEvent(new Event("input", { bubbles: true }));
              return performance.now() - start;
            }"""
        )
        return milliseconds / 1000

    def scroll_the_wall(self) -> int:
        """Scroll through the whole wall, unfiltered; return the most tiles there were at once."""
        most: int = self.page.evaluate(
            """async () => {
              document.querySelector("#filter [type=reset]").click();
              const wall = document.querySelector("#wall");
              let most = 0;
              for (let top = 0; top < wall.scrollHeight; top += wall.clientHeight) {
                wall.scrollTop = top;
                for (let frame = 0; frame < 2; frame++) {
                  await new Promise((done) => requestAnimationFrame(done));
                }
                most = Math.max(most, document.querySelectorAll("[data-key]").length);
              }
              return most;
            }"""
        )
        return most

    def heap_bytes(self) -> float:
        """Return the size of the JavaScript heap, by the browser's own count."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize"))


@contextmanager
def opened(file: Path, **context: Any) -> Iterator[Opened]:
    """Open one page in a browser of its own."""
    with browser() as started:
        place = started.new_context(offline=True, **context)
        yield Opened(place.new_page(), file)

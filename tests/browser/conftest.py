"""Pages of a report, and the browser that opens them; skipped where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import fertools
from tests.benchmarks.bench_report import repeat
from tests.browser.chromium import Opened, browser, missing
from tests.reporting.datasets import write_dataset, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Examples on the wall of `large`: many times what is in the document at once.
LARGE = 3000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if why := missing():
        pytest.skip(why)
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="session")
def page_file(dataset: Path) -> Path:
    run, file = write_run(dataset, dataset.parent / "run"), dataset.parent / "report.html"
    fertools.report(dataset, file, run=run, source=dataset.parent / "archive", quiet=True)
    return file


@pytest.fixture(scope="session")
def shared_file(dataset: Path) -> Path:
    file = dataset.parent / "shared.html"
    fertools.report(dataset, file, photos=False, quiet=True)
    return file


@pytest.fixture(scope="session")
def large_file(dataset: Path) -> Path:
    repeat(dataset, dataset.parent / "large", LARGE)
    file = dataset.parent / "large.html"
    fertools.report(dataset.parent / "large", file, quiet=True)
    return file


@pytest.fixture
def show(chromium: Browser) -> Iterator[Callable[..., Opened]]:
    """Open pages without a network; afterwards nothing may have gone wrong in any of them."""
    contexts, pages = [], []

    def opened(file: Path, hash_: str = "", ready: str = "[data-ready]", **options: Any) -> Opened:
        contexts.append(chromium.new_context(offline=True, **options))
        pages.append(Opened(contexts[-1].new_page(), file, hash_, ready))
        return pages[-1]

    yield opened
    for context in contexts:
        context.close()
    assert [fault for page in pages for fault in page.faults] == []

"""The documentation is a site without dead links, and without anything from the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.documented import PAGES, ROOT

#: The sources of the site, beside the package, whose version it states.
SOURCES: Final = ("docs", "examples", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")

#: Links that lead nowhere, as one writes them in docs/reading.md.
DEAD: Final = {
    "nowhere.md": "'docs/nowhere.md' is not found",
    "format.md#nowhere": "'docs/format.md' does not contain an anchor '#nowhere'",
    "#nowhere": "there is no such anchor on this page",
    "../README.md#nowhere": "'README.md' does not contain an anchor '#nowhere'",
    "../examples/nowhere.py": "'examples/nowhere.py' is not found",
    "images/nowhere.png": "'docs/images/nowhere.png' is not found",
    "/format.md": "absolute link '/format.md'",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    for name in SOURCES:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a copy of the documentation, as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_site_loads_nothing_from_elsewhere(copy: Path) -> None:
    done = build(copy)
    assert done.returncode == 0, done.stderr
    pages = sorted((copy / "build" / "site").glob("*.html"))
    assert {page.stem for page in PAGES if page.parent != ROOT} < {page.stem for page in pages}
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.findall(r"<link (?!rel=\"canonical)[^>]*href=\"https?:", text), page
        assert not re.findall(r"\bsrc=\"(?:https?:)?//", text), page
        assert not re.findall(r"@import|url\(['\"]?https?:", text), page


def test_a_dead_link_fails_the_build(copy: Path) -> None:
    with (copy / "docs" / "reading.md").open("a") as page:
        page.writelines(f"\n[a link]({link})\n" for link in DEAD)
    done = build(copy)
    assert done.returncode != 0
    for link, message in DEAD.items():
        assert message in done.stderr, link
    assert f"Aborted with {len(DEAD)} warnings" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_links_are_markdown(page: Path) -> None:
    """MkDocs does not check the links of HTML, nor does it adjust them to the site."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.M | re.S)
    assert not re.findall(r"<(?:img|a)\b[^>]*>", text)

"""A hook of MkDocs: the site consists of README.md, docs and what they link to.

A page is known to MkDocs by its path in the repository, so that the links between files, which a
code host follows too, are checked as they stand. Only addresses are shorter: `docs/path.md` becomes
`path.html`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import fertools

ROOT: Final = Path(__file__).parents[2]

#: What the site consists of; files that are not Markdown are copied.
PATTERNS: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/*.md",
    "docs/images/*.png",
    "docs/site/*.css",
    "docs/site/*.js",
    "examples/*.py",
)


def on_config(config: MkDocsConfig) -> None:
    """State the version at the foot of each page."""
    config.copyright = f"fertools {fertools.__version__}, MIT licence"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs by those of the repository; keep those of the theme."""
    theme = [file for file in files if file.src_dir != config.docs_dir]
    names = [path.relative_to(ROOT).as_posix() for each in PATTERNS for path in ROOT.glob(each)]
    return Files([*theme, *(_file(name, config) for name in sorted(names))])


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Name the language of a Korean page and the dialog of the search for screen readers."""
    if page.file.src_uri.endswith(".ko.md"):
        output = output.replace('<html lang="en"', '<html lang="ko"', 1)
    return output.replace('role="dialog">', 'role="dialog" aria-label="Search">', 1)


def _file(name: str, config: MkDocsConfig) -> File:
    file = File(name, str(ROOT), config.site_dir, config.use_directory_urls)
    if file.is_documentation_page():
        file.dest_uri = file.dest_uri.removeprefix("docs/")
    return file

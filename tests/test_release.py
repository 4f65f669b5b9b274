"""What a release states about itself in several places is the same in all of them."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

import fertools
from tests.documented import ROOT

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_citation_is_of_the_last_release() -> None:
    """Its fields are those that version 1.2.0 of the Citation File Format knows."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version, day = re.findall(r"^## (\d+\.\d+\.\d+) - (\S+)$", changelog, re.MULTILINE)[0]
    assert (citation["version"], citation["date-released"]) == (version, day)
    assert fertools.__version__ == version and date.fromisoformat(day)
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert citation["title"] == PROJECT["project"]["name"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["keywords"] == PROJECT["project"]["keywords"]
    assert citation["authors"] == PROJECT["project"]["authors"] == [{"name": "fertools developers"}]
    assert set(citation) == {
        *("abstract", "authors", "cff-version", "date-released", "keywords", "license", "message"),
        *("title", "type", "version"),
    }


def test_the_wheel_has_all_files_of_the_package() -> None:
    package = ROOT / "fertools"
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["fertools"]
    packed = {file for pattern in patterns for file in package.glob(pattern)}
    there = {file for file in package.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    assert {file for file in there if file.suffix != ".py"} <= packed
    assert all((folder / "__init__.py").is_file() for folder in {file.parent for file in there})


def test_pythons_are_those_of_ci() -> None:
    stated = re.findall(r":: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.MULTILINE)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert workflow["jobs"]["versions"]["strategy"]["matrix"]["python"] == stated
    assert PROJECT["project"]["requires-python"] == f">={stated[0]}"


def test_the_quick_starts_name_the_wheel_of_the_last_release() -> None:
    for page in ("quickstart.md", "quickstart.ko.md"):
        names = re.findall(r"fertools-([\d.]+)-py3", Path(ROOT / "docs" / page).read_text("utf-8"))
        assert names == [fertools.__version__], page

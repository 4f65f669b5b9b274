"""What a build finds out for README.md and croissant.json."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from pathlib import Path

import pytest

import fertools
from fertools.dataset.manifest import Manifest
from tests.pipeline.test_labels import voted
from tests.pipeline.test_truth import build, ledger

__all__ = ["voted"]  # the fixture


def test_the_manifest_has_their_checksums(voted: Path, tmp_path: Path) -> None:
    build(voted, tmp_path / "out")
    cards = Manifest.read(tmp_path / "out").cards
    assert cards == {
        name: sha256((tmp_path / "out" / name).read_bytes()).hexdigest()
        for name in ("README.md", "croissant.json")
    }


def test_groups_are_those_of_the_ledgers_kept_photos(voted: Path, tmp_path: Path) -> None:
    manifest = build(voted, tmp_path / "out", labels="unanimous").manifest
    found: dict[str, dict[str, list[str]]] = {"sex": defaultdict(list), "age": defaultdict(list)}
    for row in ledger(tmp_path / "out").values():
        if row["split"]:
            for name, people in found.items():
                people[str(row[name])].append(row["subject"])
    assert manifest.groups == {
        name: {group: (len(own), len(set(own))) for group, own in sorted(people.items())}
        for name, people in found.items()
    }
    assert list(manifest.groups["sex"]) == sorted(manifest.groups["sex"])


def test_reliability_is_what_the_command_labels_measures(voted: Path, tmp_path: Path) -> None:
    manifest = build(voted, tmp_path / "out", labels="unanimous").manifest
    survey = fertools.measure_labels(tmp_path / "out").survey
    assert manifest.reliability["alpha"] == pytest.approx(survey.alpha.value, abs=1e-6)
    assert manifest.reliability["pairs"] == pytest.approx(survey.pairs.value, abs=1e-6)

"""What a build finds out for README.md and croissant.json."""

from __future__ import annotations

import json
from collections import defaultdict
from hashlib import sha256
from pathlib import Path

import pytest

import fertools
from fertools.dataset.manifest import Manifest
from fertools.dataset.sidecars import CHECKSUMS, readme, sha256sums
from fertools.dataset.typed_json import canonical_json
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


def make_older(out: Path) -> None:
    """Make a dataset what the version before croissant.json wrote."""
    tree = json.loads((out / "metadata.json").read_bytes())
    for name in ("cards", "groups", "reliability"):
        del tree[name]
    text = canonical_json(tree)
    manifest = Manifest.from_json(text)
    (out / "croissant.json").unlink()
    (out / "metadata.json").write_text(text, "utf-8")
    (out / "README.md").write_bytes(readme(manifest))
    digests = (sha256(d).hexdigest() for d in (text.encode(), (out / "splits.csv").read_bytes()))
    (out / CHECKSUMS).write_bytes(sha256sums(manifest, *digests))


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def test_an_older_dataset_stays_as_it_is_until_it_is_assembled_again(
    voted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    build(voted, out)
    newer = contents(out)
    make_older(out)
    older = contents(out)
    assert fertools.verify(out, voted, quiet=True).problems == ()
    build(voted, out)
    assert contents(out) == older
    (out / "metadata.json").unlink()
    build(voted, out)
    assert contents(out) == newer
    assert fertools.verify(out, voted, quiet=True).problems == ()

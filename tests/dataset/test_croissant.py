"""croissant.json describes the files that lie beside it; tests/readers reads it by mlcroissant."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.dataset.cards.croissant import croissant
from tests.dataset.test_datasheet import VOTED
from tests.fakes import BrightSpot, write_archive

#: What RAI 1.0 asks for and the manifest knows.
FILLED = {
    "dataCollection",
    "dataCollectionType",
    "dataCollectionMissingData",
    "dataPreprocessingProtocol",
    "dataAnnotationProtocol",
    "annotationsPerItem",
    "dataAnnotationAnalysis",
    "machineAnnotationTools",
    "dataUseCases",
    "dataBiases",
    "dataLimitations",
    "personalSensitiveInformation",
    "dataReleaseMaintenancePlan",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = write_archive(tmp_path_factory.mktemp("croissant") / "src")
    out = source.parent / "out"
    fertools.build_dataset(
        source, out, detector=BrightSpot(), size=16, shard_size="6KB", quiet=True, jobs=1
    )
    return out


def described(out: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((out / "croissant.json").read_bytes())
    return tree


def test_it_lists_the_files_with_their_checksums_and_sizes(out: Path) -> None:
    files = {each["contentUrl"]: each for each in described(out)["distribution"]}
    theirs = {path.name for path in out.iterdir() if path.is_file()}
    # These depend on its own bytes, or are of nobody else's business.
    own = {"README.md", "croissant.json", "metadata.json", "SHA256SUMS", "splits.csv"}
    assert files.keys() == theirs - own
    for name, each in files.items():
        data = (out / name).read_bytes()
        assert each["sha256"] == sha256(data).hexdigest(), name
        assert each.get("contentSize", f"{len(data)} B") == f"{len(data)} B", name


def test_it_holds_no_name_of_the_archive_and_no_path(out: Path) -> None:
    text = (out / "croissant.json").read_text("utf-8") + (out / "README.md").read_text("utf-8")
    rows = fertools.read_examples(out)
    for example in rows:
        assert example.key not in text
        assert example.subject not in text
    assert ".jpg" not in text
    assert str(out) not in text


def test_the_fields_of_responsible_ai_are_filled() -> None:
    tree = json.loads(croissant(VOTED))
    found = {name.removeprefix("rai:") for name in tree if name.startswith("rai:")}
    assert found == FILLED
    assert all(tree[f"rai:{name}"] for name in FILLED)
    assert "Left out: no_face 2." in tree["rai:dataCollectionMissingData"]
    assert any("α is 0.480" in line for line in tree["rai:dataAnnotationAnalysis"])

"""The croissant.json of an export describes its files and columns; tests/readers reads it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fertools.data import Split
from fertools.dataset.manifest import Manifest
from tests.exports.test_export import SMALL, exported


def described(dest: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((dest / "croissant.json").read_bytes())
    return tree


def test_it_lists_every_parquet_file_with_its_checksum(dataset: Path, tmp_path: Path) -> None:
    exported(dataset, tmp_path / "dest", **SMALL)
    files = {
        each["@id"]: each
        for each in described(tmp_path / "dest")["distribution"]
        if each["@type"] == "cr:FileObject"
    }
    there = {f"data/{path.name}": path for path in (tmp_path / "dest" / "data").iterdir()}
    assert files.keys() == there.keys()
    assert len(there) > len(Split)
    for name, path in there.items():
        assert files[name]["contentUrl"] == name
        assert files[name]["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert files[name]["contentSize"] == f"{path.stat().st_size} B"


def test_its_fields_are_the_columns_and_the_split(dataset: Path, tmp_path: Path) -> None:
    exported(dataset, tmp_path / "dest")
    splits, classes, examples = described(tmp_path / "dest")["recordSet"]
    names = [field["name"] for field in examples["field"]]
    columns = pq.read_schema(next((tmp_path / "dest" / "data").iterdir())).names
    assert names == [*columns, "split"]
    assert [row["splits/name"] for row in splits["data"]] == [*map(str, Split)]
    manifest = Manifest.read(dataset)
    assert [row["classes/name"] for row in classes["data"]] == [e.name for e in manifest.classes]


def test_other_formats_have_none(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "dest", to="folders")
    assert not (tmp_path / "dest" / "croissant.json").exists()

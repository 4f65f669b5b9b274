"""The croissant.json of an export describes its files and columns, and its records are read."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools
from fertools.data import Split
from fertools.dataset.example import Example
from fertools.dataset.manifest import Manifest
from tests.exports.test_export import SMALL, exported

#: Reads all records as one line of JSON each, and prints what the library says of the file.
_READ = """
import json, sys
import mlcroissant, numpy

dataset = mlcroissant.Dataset("croissant.json")
print(dataset.metadata.ctx.issues.report(), file=sys.stderr)
for name in ("splits", "classes", "examples"):
    for record in dataset.records(name):
        row = {key.partition("/")[2]: value for key, value in record.items()}
        row = {key: each.decode() if isinstance(each, bytes) else each for key, each in row.items()}
        if "image" in row:
            row["image"] = numpy.asarray(row["image"]).tolist()
        print(json.dumps([name, row]))
"""


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


@pytest.mark.slow
def test_the_reference_library_reads_every_record(dataset: Path, tmp_path: Path) -> None:
    """NeurIPS' checker reads the first of each RecordSet."""
    pytest.importorskip("mlcroissant")
    exported(dataset, tmp_path / "dest", **SMALL)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _READ],
        cwd=tmp_path / "dest",
        capture_output=True,
        text=True,
        check=True,
    )
    problems = [line for line in done.stderr.splitlines() if line.startswith("  -")]
    assert {line.partition('"')[2].partition('"')[0] for line in problems} == {
        "https://schema.org/datePublished"
    }
    assert "Could not match" not in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {row["key"]: row for name, row in rows if name == "examples"}
    manifest = Manifest.read(dataset)
    assert len(found) == manifest.counts.kept
    for split in Split:
        for example in fertools.read_examples(dataset, split):
            check(found[example.key], example, split)
    classes = [row for name, row in rows if name == "classes"]
    assert [row["name"] for row in classes] == [entry.name for entry in manifest.classes]


def check(row: dict[str, Any], example: Example, split: str) -> None:
    pixels = cv2.imdecode(np.frombuffer(example.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    assert np.array_equal(row["image"], pixels)
    assert (row["split"], row["label"]) == (split, example.label)
    assert (row["subject"], row["sex"], row["age"]) == (example.subject, example.sex, example.age)
    assert row.get("uploader", -1) == example.uploader
    assert tuple(row["votes"]) == example.votes
    assert row["box"] == [example.box.x0, example.box.y0, example.box.x1, example.box.y1]

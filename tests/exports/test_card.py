"""The card of an export is what Hugging Face's own code reads, and says what may not be done."""

from __future__ import annotations

from pathlib import Path

import pytest

from fertools.dataset.cards import facts
from fertools.dataset.manifest import Manifest
from fertools.exports.formats import FORMATS
from tests.exports.test_export import EVERY, exported


def card(out: Path, dest: Path, to: str = "parquet") -> str:
    exported(out, dest, **EVERY[to])
    return (dest / "README.md").read_text("utf-8")


def test_the_front_matter_counts_what_is_there(faces: Path, tmp_path: Path) -> None:
    text = card(faces, tmp_path / "dest")
    manifest = Manifest.read(faces)
    front, body = text.removeprefix("---\n").split("---\n", 1)
    assert "license: other\n" in front
    assert "task_categories:\n- image-classification\n" in front
    assert "language:\n- ko\n" in front
    assert "annotations_creators:\n- crowdsourced\n" in front
    assert "size_categories:\n- n<1K\n" in front
    for label, entry in enumerate(manifest.classes):
        assert f"""'{label}': "{entry.name}"\n""" in front
    for split, held in manifest.filled_splits.items():
        files = (tmp_path / "dest" / "data").glob(f"{split}-*")
        size = sum(file.stat().st_size for file in files)
        assert f"  - split: {split}\n    path: data/{split}-*\n" in front
        counts = f"- name: {split}\n    num_bytes: {size}\n    num_examples: {held.records}\n"
        assert counts in front
    assert body.startswith("\n# faces\n")


@pytest.mark.parametrize("to", FORMATS)
def test_every_card_says_that_it_may_not_be_uploaded(faces: Path, tmp_path: Path, to: str) -> None:
    text = card(faces, tmp_path / "dest", to)
    manifest = Manifest.read(faces)
    assert facts.is_aihub(manifest)
    for sentence in (facts.terms(manifest), facts.pseudonyms(manifest), facts.PERSONAL):
        assert sentence in text
    assert "Do not upload" in text
    assert str(tmp_path) not in text

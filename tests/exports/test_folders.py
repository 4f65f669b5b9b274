"""Folders hold every example under its class; classes.csv says what ImageFolder calls it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import fertools
from fertools.data import Split
from fertools.dataset.manifest import ClassName, Manifest
from fertools.exports.names import file_stem, folder_names
from tests.exports.conftest import contents
from tests.exports.test_export import EVERY, exported
from tests.fakes import BrightSpot, write_archive

FOLDERS = EVERY["folders"]


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def image_folder(root: Path) -> dict[str, int]:
    """Number the classes as torchvision.datasets.ImageFolder.find_classes does."""
    return {name: i for i, name in enumerate(sorted(e.name for e in root.iterdir() if e.is_dir()))}


def test_files_are_the_examples(dataset: Path, tmp_path: Path) -> None:
    exported(dataset, tmp_path / "dest", **FOLDERS)
    files = contents(tmp_path / "dest")
    manifest = Manifest.read(dataset)
    for split in Split:
        rows = table(tmp_path / "dest" / split / "metadata.csv")
        examples = [*fertools.read_examples(dataset, split)]
        assert len(rows) == len(examples) > 0
        for row, one in zip(rows, examples, strict=True):
            name = manifest.classes[one.label].name
            assert row["file_name"] == f"{name}/{one.key}.png"
            assert files.pop(f"{split}/{row['file_name']}") == one.image
            assert (int(row["label"]), row["class"]) == (one.label, name)
            assert [row[key] for key in ("key", "subject", "sex", "age")] == [
                one.key,
                one.subject,
                one.sex,
                str(one.age),
            ]
            assert float(row["x0"]) == one.box.x0
            votes = [int(row[f"votes_{label}"]) for label in range(len(manifest.classes))]
            assert tuple(votes) == one.votes
            assert int(row.get("uploader", -1)) == one.uploader
    assert not [name for name in files if name.endswith(".png")]


def test_classes_csv_has_the_numbers_of_imagefolder(tmp_path: Path) -> None:
    """The classes are in another order than their names, and one is missing in a split."""
    source = write_archive(tmp_path / "src", people=8, shots=1)
    fertools.build_dataset(
        source,
        tmp_path / "out",
        detector=BrightSpot(),
        size=16,
        rename={"기쁨": "하하"},
        quiet=True,
        jobs=1,
    )
    manifest = Manifest.read(tmp_path / "out")
    done = exported(tmp_path / "out", tmp_path / "dest", **FOLDERS)
    assert manifest.classes[0].name == "하하"
    rows = table(tmp_path / "dest" / "classes.csv")
    assert [row["label"] for row in rows] == [str(i) for i in range(len(manifest.classes))]
    for split in Split:
        numbers = image_folder(tmp_path / "dest" / split)
        assert {row["folder"]: int(row[split]) for row in rows if row[split]} == numbers
    assert numbers["하하"] != 0
    assert len(done.warnings) == 1
    assert "in train, validation, test these numbers are not the labels" in done.text()
    assert done.warnings[0] in contents(tmp_path / "dest")["README.md"].decode()


def test_the_same_order_needs_no_warning(faces: Path, tmp_path: Path) -> None:
    done = exported(faces, tmp_path / "dest", **FOLDERS)
    assert done.warnings == ()
    assert len(image_folder(tmp_path / "dest" / "train")) == 3


@pytest.mark.parametrize(
    ("classes", "folders"),
    [
        (["기쁨", "슬픔"], ["기쁨", "슬픔"]),
        (["joy/glee", "a:b"], ["joy_glee", "a_b"]),
        ([".hidden", "dot."], ["_hidden", "dot_"]),
        (["Joy", "joy"], ["0 Joy", "1 joy"]),
        (["a/b", "a_b", "c"], ["0 a_b", "1 a_b", "2 c"]),
        (["ㅋ" * 300], ["ㅋ" * 80]),
        (["😀" * 100], ["😀" * 60]),
        (["x\u202ey"], ["x_y"]),
        ([".."], ["__"]),
        (["."], ["_"]),
    ],
)
def test_a_class_is_a_folder_on_every_file_system(classes: list[str], folders: list[str]) -> None:
    assert folder_names([ClassName(name, name) for name in classes]) == folders


def test_plain_keys_are_digests_as_file_names(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src", people=6)
    fertools.build_dataset(
        source,
        tmp_path / "out",
        detector=BrightSpot(),
        size=16,
        keep_names=True,
        augment=1,
        quiet=True,
        jobs=1,
    )
    exported(tmp_path / "out", tmp_path / "dest", **FOLDERS)
    rows = table(tmp_path / "dest" / "train" / "metadata.csv")
    keys = [one.key for one in fertools.read_examples(tmp_path / "out", "train")]
    assert [row["key"] for row in rows] == keys
    assert any("/" in key and key.endswith("+1") for key in keys)
    stems = {Path(row["file_name"]).stem for row in rows}
    assert len(stems) == len(keys)
    assert all(len(stem) == 32 and stem.isalnum() for stem in stems)


def test_a_pseudonym_is_a_file_name_as_it_is() -> None:
    for key in ("0" * 32, "89abcdef" * 4 + "+12"):
        assert file_stem(key) == key
    for key in ("0" * 31, "0" * 32 + ".jpg", "0" * 32 + "\n", "A" * 32):
        assert file_stem(key) != key
        assert len(file_stem(key)) == 32


@pytest.mark.parametrize(
    ("built", "end", "head"),
    [
        ({"image_format": "raw"}, "png", b"\x89PNG\r\n"),
        ({"image_format": "jpeg"}, "jpg", b"\xff\xd8"),
    ],
)
@pytest.mark.parametrize("to", EVERY)
def test_images_are_copied_whatever_their_format(
    tmp_path: Path, built: dict[str, Any], end: str, head: bytes, to: str
) -> None:
    """raw is PNG without compression: every tool reads it."""
    source = write_archive(tmp_path / "src", people=6, shots=1)
    out, dest = tmp_path / "out", tmp_path / "dest"
    fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1, **built)
    exported(out, dest, **EVERY[to])
    images = [one.image for one in fertools.read_examples(out)]
    assert all(image.startswith(head) for image in images)
    data = b"".join(contents(dest).values())
    assert all(image in data for image in images)
    names = [one.key + f".{end}" for one in fertools.read_examples(out)]
    assert all(name.encode() in data for name in names)  # also in SHA256SUMS

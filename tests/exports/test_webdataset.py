"""Tar files hold every example in its order, and nothing of who wrote them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import fertools
from fertools.data import Split
from fertools.dataset.manifest import Manifest
from tests.exports.test_export import EVERY, exported


def test_entries_are_the_examples_in_their_order(dataset: Path, tmp_path: Path) -> None:
    exported(dataset, tmp_path / "dest", **EVERY["webdataset"])
    classes = Manifest.read(dataset).classes
    for split in Split:
        examples = iter(fertools.read_examples(dataset, split))
        for file in sorted((tmp_path / "dest").glob(f"{split}-*.tar")):
            with tarfile.open(file) as tar:
                infos = tar.getmembers()
                data = [tar.extractfile(info) for info in infos]
                texts = [part.read() for part in data if part]
            for place in range(0, len(infos), 3):
                one = next(examples)
                names = [info.name for info in infos[place : place + 3]]
                assert names == [f"{one.key}.{end}" for end in ("png", "cls", "json")]
                image, label, about = texts[place : place + 3]
                assert (image, label) == (one.image, str(one.label).encode())
                said = json.loads(about)
                assert said["class"] == classes[one.label].name
                assert tuple(said["votes"]) == one.votes
                assert (said["key"], said["subject"], said["sex"]) == (
                    one.key,
                    one.subject,
                    one.sex,
                )
                assert said["box"] == [one.box.x0, one.box.y0, one.box.x1, one.box.y1]
        assert next(examples, None) is None


def test_entries_say_nothing_about_the_machine(faces: Path, tmp_path: Path) -> None:
    exported(faces, tmp_path / "dest", **EVERY["webdataset"])
    for file in (tmp_path / "dest").glob("*.tar"):
        with tarfile.open(file) as tar:
            for info in tar.getmembers():
                assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
                assert info.mode == 0o644

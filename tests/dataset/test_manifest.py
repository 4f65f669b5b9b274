from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fertools.dataset.manifest import (
    ClassName,
    Counts,
    ImageSpec,
    LedgerFile,
    Manifest,
    ShardFile,
    SplitContents,
)
from fertools.errors import DatasetError, OptionError
from tests.dataset.conftest import manifest_of

SHARD = ShardFile("fer-train.tfrecord-00000-of-00001", 3, 300, "ab" * 32)
TRAIN = SplitContents(3, 2, {"슬픔": 2, "기쁨": 1}, (SHARD,))
MANIFEST = manifest_of({"train": TRAIN, "test": SplitContents(0, 0, {}, ())})


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text(MANIFEST.to_json(), encoding="utf-8")
    assert Manifest.read(tmp_path) == MANIFEST


def test_its_text_is_canonical() -> None:
    text = MANIFEST.to_json()
    tree = json.loads(text)
    assert text == json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert [entry["name"] for entry in tree["classes"]] == ["기쁨", "슬픔", "중립"]
    assert tree["splits"]["train"]["shards"][0] == {
        "file": "fer-train.tfrecord-00000-of-00001",
        "records": 3,
        "bytes": 300,
        "sha256": "ab" * 32,
        "index": "",
    }
    options = dict(reversed(MANIFEST.options.items()))
    assert replace(MANIFEST, options=options).to_json() == text


def test_an_incomplete_dataset_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / ".fertools").mkdir()
    with pytest.raises(DatasetError) as raised:
        Manifest.read(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} is not complete: run the same build-dataset command again"
    )
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match=r"\(metadata.json is missing\): give the"):
        Manifest.read(tmp_path / "other")  # T11: nothing shows that a build was ever here
    with pytest.raises(DatasetError, match="is not a folder: give the folder that build-dataset"):
        Manifest.read(tmp_path / "absent")


def damaged(**changes: Any) -> str:
    return json.dumps(json.loads(MANIFEST.to_json()) | changes, ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Expecting value"),
        (MANIFEST.to_json()[:-3], "delimiter"),
        ("[]", "its format is None"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": NaN}', "NaN is not a number"),
        ('{"format": ' + "1" * 5000 + "}", "integer string"),
        ('{"format": 1}', "does not hold exactly"),
        (
            damaged(format=3),
            r"format is 3, written by fertools 0\.1\.0; this fertools reads 1 and 2",
        ),
        (damaged(format="1"), "format is 1, written"),
        (damaged(extra=1), "does not hold exactly"),
        (damaged(source=5), "source is '5', expected str"),
        (damaged(libraries={"numpy": 2}), "libraries 'numpy' is '2'"),
        (damaged(classes={}), "classes is '{}'"),
        (damaged(counts={"members": -1, "kept": 0, "dropped": {}}), "members is '-1'"),
        (damaged(counts={"members": True, "kept": 0, "dropped": {}}), "members is 'True'"),
        (damaged(counts={"members": 9, "kept": 3, "dropped": {"no_face": 2}}), "9 members are not"),
        (damaged(image={"size": 8, "format": "gif"}), "'gif'"),
        (damaged(version="1.0"), r"version '1\.0'"),
        (damaged(cards={"../x": "0" * 64}), r"cards \['\.\./x'\], expected README\.md and"),
        (damaged(cards={"README.md": "0", "croissant.json": "0"}), "'0' is not a SHA-256"),
        (damaged(groups={"sex": {"": [3]}}), "groups do not hold a number of photos"),
        (damaged(reliability={"alpha": 0.5}), r"reliability \['alpha'\], expected"),
        (damaged(reliability={"alpha": "x", "pairs": 0.5}), "'alpha' is 'x', expected float"),
        (damaged(name="a/b"), "'a/b'"),
        (
            damaged(splits={"dev": {"records": 0, "subjects": 0, "classes": {}, "shards": []}}),
            "dev",
        ),
    ],
)
def test_a_damaged_manifest_says_what_is_wrong(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=what) as raised:
        Manifest.read(tmp_path)
    assert str(raised.value).startswith(f"{path} is not a manifest that can be used: ")
    assert str(raised.value).endswith("or build again into an empty folder")


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    whole = MANIFEST.to_json().encode()
    noticed = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0x80,)) + whole[at + 1 :])
        try:
            Manifest.read(tmp_path)
        except DatasetError:
            noticed += 1
    assert noticed == len(whole)  # the top bit makes any byte of UTF-8 a wrong one


@pytest.mark.parametrize(
    "file", ["", "../x", "/etc/passwd", "a/b", "a\\b", ".hidden", "c:x", "a\0", ".."]
)
def test_a_manifest_does_not_lead_out_of_its_folder(file: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(file))):
        replace(SHARD, file=file)
    with pytest.raises(ValueError, match="beside the manifest"):
        LedgerFile(file, 0, "0" * 64)


@pytest.mark.parametrize("change", [{"records": 0}, {"bytes": 47}, {"sha256": "AB" * 32}])
def test_shards_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=SHARD.file):
        replace(SHARD, **change)


def test_numbers_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="4 records, 3 in shards, 3 in classes"):
        replace(TRAIN, records=4)
    with pytest.raises(ValueError, match="3 records, 3 in shards, 2 in classes"):
        replace(TRAIN, classes={"슬픔": 2})
    with pytest.raises(
        ValueError, match="3 records of 4 kept members and augmented copies, 5 rows of 6 members"
    ):
        replace(MANIFEST, counts=Counts(6, 4, {"no_face": 2}))
    with pytest.raises(ValueError, match="5 rows"):
        replace(MANIFEST, counts=Counts(6, 3, {"no_face": 3}))
    with pytest.raises(ValueError, match=r"\['기쁨'\] are not among"):
        replace(MANIFEST, classes=MANIFEST.classes[1:])


def test_names_that_stand_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="class '기쁨' appears twice"):
        replace(MANIFEST, classes=(MANIFEST.classes[0],) * 2)
    twice = SplitContents(6, 2, {"슬픔": 6}, (SHARD, SHARD))
    with pytest.raises(ValueError, match="shard 'fer-train"):
        manifest_of({"train": twice})


@pytest.mark.parametrize("name", ["", " 기쁨", "기쁨\n", "기\n쁨", "기\u2028쁨"])
def test_class_names_that_a_line_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a class name"):
        ClassName(name, "joy")


def test_values_are_checked_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="size 0"):
        ImageSpec(0, "png")
    with pytest.raises(OptionError, match="'2fer'"):
        replace(MANIFEST, name="2fer")

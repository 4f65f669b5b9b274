"""Any example by its number is the one that `read_examples` reads, in any process."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import fertools
from fertools.dataset import random_access
from fertools.dataset.example import Example
from fertools.dataset.index import INDICES, index_name
from fertools.dataset.manifest import MANIFEST, Manifest
from fertools.dataset.random_access import ExampleSequence, open_dataset
from fertools.dataset.tfrecord import unframe
from fertools.errors import DatasetError, OptionError
from tests.dataset.conftest import example

FORMAT1 = Path(__file__).parent / "format1"
FIRST = "fer-train.tfrecord-00000-of-00002"


def assert_is(features: dict[str, Any], one: Example) -> None:
    """Hold what `[i]` returns against an example of `read_examples`."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(one.image, np.uint8), cv2.IMREAD_UNCHANGED))
    assert features["image"].dtype == np.uint8
    np.testing.assert_array_equal(features["image"], pixels.reshape(*pixels.shape[:2], 1))
    for name in ("label", "key", "subject", "sex", "age", "confidence"):
        assert features[name] == getattr(one, name), name
    assert features["box"].dtype == np.float32
    assert features["box"].tolist() == [one.box.x0, one.box.y0, one.box.x1, one.box.y1]
    assert tuple(features.get("votes", ())) == one.votes
    assert features.get("uploader", -1) == one.uploader


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_example_is_that_of_read_examples(dataset: Path, split: str) -> None:
    opened, read = open_dataset(dataset, split), list(fertools.read_examples(dataset, split))
    assert len(opened) == len(read)
    for number, one in enumerate(read):
        assert_is(opened[number], one)
        assert_is(opened[number - len(read)], one)
        assert opened.example(number) == one
        assert opened.record(number) == one.to_bytes()
    assert [features["key"] for features in opened] == [one.key for one in read]


def test_numbers_beyond_the_ends_are_index_errors(dataset: Path) -> None:
    opened = open_dataset(dataset, "train")
    assert opened[np.int64(-1)]["key"] == example(11).key  # type: ignore[index]
    for number in (12, -13, 10**30):
        with pytest.raises(IndexError, match=f"example {number} of 12 in train"):
            opened[number]
    with pytest.raises(IndexError, match="example 0 of 0 in test"):
        open_dataset(dataset, "test")[0]


def test_a_split_or_dataset_that_is_not_there_is_named(dataset: Path) -> None:
    with pytest.raises(OptionError, match=r"no split 'dev': take one of test, train, validation"):
        open_dataset(dataset, "dev")
    with pytest.raises(DatasetError, match="give the folder that build-dataset wrote"):
        open_dataset(dataset / "absent", "train")


def test_format_1_is_opened_without_an_index() -> None:
    assert not list(FORMAT1.glob(INDICES))
    for split in Manifest.read(FORMAT1).splits:
        opened, read = open_dataset(FORMAT1, split), list(fertools.read_examples(FORMAT1, split))
        assert len(opened) == len(read) > 0
        for number, one in enumerate(read):
            assert_is(opened[number], one)
        assert "votes" in opened[0]
        assert "uploader" not in opened[0]


def test_a_pickle_holds_the_path_alone(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dataset.parent)
    opened = open_dataset(dataset.name, "train")
    assert opened[3]["key"] == example(6).key
    data = pickle.dumps(opened)
    assert len(data) < 500
    monkeypatch.chdir("/")
    again = pickle.loads(data)
    assert repr(again) == repr(opened) == f"open_dataset({str(dataset)!r}, 'train')"
    assert_is(again[3], opened.example(3))


_OPENED: list[ExampleSequence] = []


def key_of(number: int) -> str:
    """Read a key in a forked worker, from the sequence that its parent has used."""
    key: str = _OPENED[0][number]["key"]
    return key


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_workers_read_what_the_parent_has_open(dataset: Path) -> None:
    opened = open_dataset(dataset, "train")
    keys = [features["key"] for features in opened]
    _OPENED[:] = [opened]
    try:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(key_of, [*range(12)] * 20, chunksize=1) == keys * 20
    finally:
        _OPENED.clear()


def test_threads_read_while_files_are_closed(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_access, "_OPEN_FILES", 1)
    opened = open_dataset(dataset, "train")
    keys, wrong = [opened.example(i).key for i in range(12)], []

    def read(step: int) -> None:
        for number in range(300):
            at = number * step % 12
            try:
                if opened.example(at).key != keys[at]:
                    wrong.append(str(at))
            except DatasetError as fault:
                wrong.append(str(fault))

    threads = [threading.Thread(target=read, args=(step,)) for step in (1, 5, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "9 9\n",
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace("0 ", "0 -", 1),
        lambda text: "not an index\n",
        lambda text: text * 1000,
    ],
)
def test_a_damaged_index_is_told_with_its_cure(dataset: Path, damage: Any) -> None:
    index = dataset / index_name(FIRST)
    index.write_text(damage(index.read_text("ascii")), "ascii")
    opened = open_dataset(dataset, "train")
    assert opened[6]["key"] == example(1).key, "the second shard"
    with pytest.raises(DatasetError) as raised:
        opened[0]
    assert str(raised.value) == (
        f"{index} is not the index of {FIRST}: remove it (it is made in memory then), "
        "or put a whole copy back"
    )
    index.unlink()
    assert opened[0]["key"] == example(0).key


def test_an_index_with_another_boundary_yields_no_record(dataset: Path) -> None:
    index = dataset / index_name(FIRST)
    (_, first), (_, second), *others = (line.split() for line in index.read_text().splitlines())
    lines = [("0", str(int(first) + 1)), (str(int(first) + 1), str(int(second) - 1)), *others]
    index.write_text("".join(f"{begin} {length}\n" for begin, length in lines))
    opened = open_dataset(dataset, "train")
    for number, why in ((0, "its length is"), (1, "checksum of its length")):
        with pytest.raises(DatasetError, match=f"{FIRST}.*record {number} is damaged: .*{why}"):
            opened[number]
    assert opened[2]["key"] == example(4).key


def test_a_flipped_byte_is_noticed_in_its_record_alone(dataset: Path) -> None:
    data = bytearray((dataset / FIRST).read_bytes())
    data[-9] ^= 1
    (dataset / FIRST).write_bytes(data)
    opened = open_dataset(dataset, "train")
    assert opened[0]["key"] == example(0).key
    with pytest.raises(DatasetError, match=r"record 5 is damaged: .*: put a whole copy back"):
        opened[5]


def test_a_shard_that_is_cut_or_gone_is_named(dataset: Path) -> None:
    whole = (dataset / FIRST).read_bytes()
    (dataset / FIRST).write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match=f"it has {len(whole) - 1} bytes, the manifest says"):
        open_dataset(dataset, "train")[0]
    (dataset / FIRST).unlink()
    with pytest.raises(DatasetError, match=f"{FIRST} is missing"):
        open_dataset(dataset, "train")[0]


def test_a_label_beyond_the_classes_is_refused(dataset: Path) -> None:
    tree = json.loads((dataset / MANIFEST).read_text("utf-8"))
    tree["classes"], tree["splits"] = tree["classes"][:2], {"train": tree["splits"]["train"]}
    counts = tree["splits"]["train"]["classes"]
    counts["기쁨"] += counts.pop("중립")
    tree["counts"] = {"members": 14, "kept": 12, "dropped": {"no_face": 2}}
    tree["ledger"]["rows"] = 14
    (dataset / MANIFEST).write_text(json.dumps(tree), "utf-8")
    labels = [example(n).label for n in range(0, 12, 2)]
    with pytest.raises(DatasetError, match=r"record \d has label 2 of 2: put a whole copy back"):
        open_dataset(dataset, "train")[labels.index(2)]


def test_tensorflow_datasets_names_the_same_features(dataset: Path) -> None:
    features = json.loads((dataset / "features.json").read_text("utf-8"))
    assert list(open_dataset(dataset, "train")[0]) == list(features["featuresDict"]["features"])
    shutil.rmtree(dataset)
    votes = json.loads((FORMAT1 / "features.json").read_text("utf-8"))
    assert list(open_dataset(FORMAT1, "test")[0]) == list(votes["featuresDict"]["features"])


def test_a_record_is_framed_as_its_index_says(dataset: Path) -> None:
    whole = (dataset / FIRST).read_bytes()
    lines = (dataset / index_name(FIRST)).read_text("ascii").splitlines()
    places = [tuple(map(int, line.split())) for line in lines]
    records = [unframe(whole[begin : begin + length]) for begin, length in places]
    assert records == [example(n).to_bytes() for n in range(0, 12, 2)]

"""The main job on real portraits, read back by everybody who shall read it."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import fertools

pytestmark = pytest.mark.slow


def published(out: Path) -> dict[str, str]:
    files = [path for path in out.iterdir() if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conftest import PHOTOS

    if not PHOTOS.is_dir():
        pytest.skip("the real photos are not beside this checkout")
    out = tmp_path_factory.mktemp("real") / "out"
    fertools.build_dataset(PHOTOS, out, jobs=1, quiet=True)
    return out


def test_all_portraits_are_kept_and_every_other_file_has_a_row(dataset: Path, photos: Path) -> None:
    rows = pq.read_table(dataset / "ledger.parquet").to_pylist()
    portraits = [row for row in rows if row["emotion"] in ("기쁨", "중립")]
    assert len(portraits) == 56
    assert {row["outcome"] for row in portraits} == {"kept"}
    assert {row["faces"] for row in portraits} == {1}
    outcomes = Counter(row["outcome"] for row in rows)
    assert outcomes == {
        "kept": 63,
        "no_face": 6,
        "not_a_photo": 4,
        "label_file": 3,
        "damaged": 1,
        "empty": 1,
        "no_label": 1,
    }
    loose = {p for p in photos.rglob("*") if p.is_file() and ".zip" not in p.name}
    assert len([row for row in rows if ".zip" not in row["container"]]) == len(loose)


def test_nobody_is_in_two_splits(dataset: Path) -> None:
    homes: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for example in fertools.read_examples(dataset, split):
            homes.setdefault(example.subject, set()).add(split)
    assert len(homes) == 35
    assert {len(splits) for splits in homes.values()} == {1}


def test_tensorflow_datasets_reads_it(dataset: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder_from_directory(dataset)
    train = builder.as_dataset(split="train", as_supervised=True)
    assert builder.info.features["label"].names[0] == "기쁨"
    images = [(image.numpy(), int(label)) for image, label in train]
    assert len(images) == builder.info.splits["train"].num_examples
    own = list(fertools.read_examples(dataset, "train"))
    assert Counter(label for _, label in images) == Counter(example.label for example in own)
    assert {(image.shape, image.dtype) for image, _ in images} == {((224, 224, 1), np.dtype("u1"))}


def test_two_workers_give_the_same_bytes_as_one(
    dataset: Path, photos: Path, tmp_path: Path
) -> None:
    fertools.build_dataset(photos, tmp_path / "two", jobs=2, quiet=True)
    assert published(tmp_path / "two") == published(dataset)


def test_the_default_crop_is_the_talks(dataset: Path, photos: Path) -> None:
    """The talk's own lines, with the box that the ledger tells."""
    import cv2

    rows = pq.read_table(dataset / "ledger.parquet").to_pylist()
    loose = [r for r in rows if r["outcome"] == "kept" and "중립" in r["container"]]
    assert len(loose) == 28
    for row in loose[:5]:
        data = np.frombuffer((photos / row["key"]).read_bytes(), np.uint8)
        photo = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        face = photo[row["y0"] : row["y1"], row["x0"] : row["x1"]]
        crop = cv2.resize(face, (224, 224), interpolation=cv2.INTER_CUBIC)
        want = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        examples = list(fertools.read_examples(dataset, row["split"]))
        found = [e for e in examples if (e.box.x0, e.box.y0) == (row["x0"], row["y0"])]
        images = [
            np.asarray(cv2.imdecode(np.frombuffer(e.image, np.uint8), cv2.IMREAD_UNCHANGED))
            for e in found
        ]
        assert any(np.array_equal(image, want) for image in images), row["key"]

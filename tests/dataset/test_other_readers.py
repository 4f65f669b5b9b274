"""What TensorFlow and tensorflow-datasets make of the files, without a line of fertools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fertools.dataset.example import decode_example, encode_example
from fertools.dataset.manifest import Manifest
from fertools.dataset.sidecars import features_json
from fertools.dataset.tfrecord import frame
from tests.dataset.conftest import CLASSES, example
from tests.dataset.test_example import DECODED, FEATURES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def tfds(tf: Any) -> Any:
    return pytest.importorskip("tensorflow_datasets")


def test_tensorflow_makes_the_same_bytes_and_reads_ours(tf: Any) -> None:
    def feature(values: Any) -> Any:
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {name: feature(values) for name, values in DECODED.items()}
    theirs = tf.train.Example(features=tf.train.Features(feature=features))

    ours = encode_example(FEATURES)
    assert ours == theirs.SerializeToString(deterministic=True)
    assert tf.train.Example.FromString(ours) == theirs
    assert decode_example(theirs.SerializeToString(deterministic=True)) == DECODED


def test_tensorflow_writes_the_same_file(tf: Any, tmp_path: Path) -> None:
    records = [b"", b"a", b"\0" * 1000]
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for data in records:
            writer.write(data)
    assert (tmp_path / "theirs").read_bytes() == b"".join(map(frame, records))


def test_plain_tf_data_reads_a_shard(tf: Any, dataset: Path) -> None:
    kinds = {
        "image": tf.io.FixedLenFeature((), tf.string),
        "label": tf.io.FixedLenFeature((), tf.int64),
        "age": tf.io.FixedLenFeature((), tf.int64),
        "sex": tf.io.FixedLenFeature((), tf.string),
        "box": tf.io.FixedLenFeature((4,), tf.float32),
        "confidence": tf.io.FixedLenFeature((), tf.float32),
    }
    shard = dataset / "fer-train.tfrecord-00001-of-00002"
    rows = [tf.io.parse_single_example(data, kinds) for data in tf.data.TFRecordDataset(str(shard))]

    assert len(rows) == 6
    for row, number in zip(rows, range(1, 12, 2), strict=True):
        one = example(number)
        assert row["image"].numpy() == one.image
        assert (row["label"], row["age"]) == (one.label, one.age)
        assert row["sex"].numpy().decode() == one.sex
        assert row["box"].numpy().tolist() == [one.box.x0, one.box.y0, one.box.x1, one.box.y1]
        assert row["confidence"] == one.confidence
        assert tf.io.decode_png(row["image"]).shape == (8, 8, 1)


def test_tensorflow_datasets_reads_the_folder(tfds: Any, dataset: Path) -> None:
    builder = tfds.builder_from_directory(str(dataset))

    assert builder.info.features["label"].names == [entry.name for entry in CLASSES]
    assert builder.info.features["image"].shape == (8, 8, 1)
    assert {name: info.num_examples for name, info in builder.info.splits.items()} == {
        "train": 12,
        "validation": 5,
    }
    assert Manifest.from_json(json.dumps(builder.info.metadata)) == Manifest.read(dataset)

    pairs = list(builder.as_dataset(split="validation", as_supervised=True))
    assert [int(label) for _, label in pairs] == [0, 1, 2, 0, 1]
    assert pairs[0][0].numpy()[0, 1, 0] == 3 + 12
    assert len(builder.as_dataset(split="train")) == 12
    assert {name: len(rows) for name, rows in builder.as_dataset().items()} == {
        "train": 12,
        "validation": 5,
    }
    whole = next(iter(builder.as_dataset(split="train")))
    assert whole["key"].numpy().decode() == example(0).key
    assert whole["box"].numpy().tolist() == [0.0, 2.0, 100.0, 120.0]


def test_tensorflow_datasets_finds_it_by_name(tfds: Any, dataset: Path) -> None:
    rows = tfds.load("fer", data_dir=str(dataset.parents[1]), split="train[:50%]+validation")
    assert len(list(rows)) == 6 + 5


def test_features_are_described_as_tensorflow_datasets_describes_them(
    tf: Any, tfds: Any, dataset: Path
) -> None:
    text = tfds.features.Text()
    theirs = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(8, 8, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(num_classes=3),
            "key": text,
            "subject": text,
            "sex": text,
            "age": tf.int64,
            "box": tfds.features.Tensor(shape=(4,), dtype=tf.float32),
            "confidence": tf.float32,
        }
    )
    ours = features_json(Manifest.read(dataset))
    assert ours["pythonClassName"] == theirs.to_json()["type"]
    assert ours["featuresDict"] == theirs.to_json()["content"]

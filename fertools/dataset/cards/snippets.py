"""Show how to read a dataset in five tools: lines that run in its folder as they stand."""

from __future__ import annotations

from fertools.dataset.manifest import Manifest


def reading(manifest: Manifest) -> str:
    """Return Markdown with a block of code for each tool.

    Blocks read the first split that has examples; a dataset without any has none.
    """
    if not (splits := manifest.filled_splits):
        return "It holds no examples."
    split = next(iter(splits))
    tools = {
        "fertools and PyTorch": _pytorch(split),
        "Grain": _grain(split),
        "tensorflow-datasets": _tfds(split),
        "tf.data alone": _tf_data(manifest, split),
        "Hugging Face datasets": _hugging_face(manifest, split),
    }
    blocks = [f"### {tool}\n\n```python\n{code}```" for tool, code in tools.items()]
    return "\n\n".join(["Each of these runs in this folder.", *blocks])


def _pytorch(split: str) -> str:
    return f"""\
import fertools
from torch.utils.data import DataLoader

examples = fertools.open_dataset(".", "{split}")  # len(examples), examples[0]
for batch in DataLoader(examples, batch_size=64, shuffle=True):
    images, labels = batch["image"], batch["label"]
"""


def _grain(split: str) -> str:
    return f"""\
import fertools
import grain

examples = grain.MapDataset.source(fertools.open_dataset(".", "{split}"))
for batch in examples.shuffle(seed=0).batch(64):
    images, labels = batch["image"], batch["label"]
"""


def _tfds(split: str) -> str:
    return f"""\
import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(".")
for image, label in builder.as_dataset(split="{split}", as_supervised=True).batch(64):
    name = builder.info.features["label"].int2str(int(label[0]))
"""


def _tf_data(manifest: Manifest, split: str) -> str:
    size = manifest.image.size
    return f"""\
import tensorflow as tf

features = {{
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}}


def decode(record):
    example = tf.io.parse_single_example(record, features)
    image = tf.io.decode_{manifest.image.format}(example["image"], channels=1)
    return tf.ensure_shape(image, ({size}, {size}, 1)), example["label"]


shards = tf.data.Dataset.list_files("{manifest.name}-{split}.tfrecord-*", shuffle=False)
for images, labels in tf.data.TFRecordDataset(shards).map(decode).batch(64):
    pass
"""


def _hugging_face(manifest: Manifest, split: str) -> str:
    folder = f"../{manifest.name}-parquet"
    return f"""\
import datasets
import fertools

fertools.export_dataset(".", "{folder}")  # also: --to webdataset, --to folders
for example in datasets.load_dataset("{folder}", split="{split}"):
    image, label = example["image"], example["label"]
"""

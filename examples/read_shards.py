"""Read a dataset with plain tf.data, without fertools; to be copied into other projects.

python read_shards.py faces train
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "subject": tf.io.FixedLenFeature([], tf.string),
}


def load(dataset: Path, split: str) -> Any:
    """Return a tf.data.Dataset of (image, label): uint8 (size, size, 1) gray, and int64."""
    manifest = json.loads((dataset / "metadata.json").read_text("utf-8"))
    if split not in manifest["splits"]:
        sys.exit(f"{dataset} has no split {split}: take one of {', '.join(manifest['splits'])}")
    shards = [str(dataset / shard["file"]) for shard in manifest["splits"][split]["shards"]]

    def parse(record: Any) -> tuple[Any, Any]:
        example = tf.io.parse_single_example(record, FEATURES)
        return tf.io.decode_image(example["image"], channels=1), example["label"]

    return tf.data.TFRecordDataset(shards).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("give the dataset's folder and a split: python read_shards.py faces train")
    dataset, split = Path(sys.argv[1]), sys.argv[2]
    names = (dataset / "label.labels.txt").read_text("utf-8").split("\n")
    count = dict.fromkeys(names[:-1], 0)
    images = load(dataset, split)
    for _, label in images:
        count[names[int(label)]] += 1
    image, _ = next(iter(images))
    print(f"{sum(count.values())} images of {tuple(image.shape)}")
    for name, number in count.items():
        print(f"{number:6d}  {name}")


if __name__ == "__main__":
    main()

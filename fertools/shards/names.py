"""What the files of a dataset are called.

OUT/
  fer-train.tfrecord-00000-of-00064    a shard: number 0 of 64
  ledger.parquet                       every member's fate
  dataset_info.json  features.json  label.labels.txt    what tensorflow-datasets reads
  metadata.json                        the manifest, written last
"""

from __future__ import annotations

import re

from fertools.data import Split
from fertools.errors import OptionError

SPLITS = "splits.csv"
MANIFEST = "metadata.json"
"""The manifest has the name under which tensorflow-datasets lets a dataset carry its own data."""

HOME = ".fertools"
"""The folder beside the shards in which a build keeps its own files."""

SECRET = "secret"
"""The file in HOME that pseudonyms are keyed with; it never leaves that folder."""

TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
"""How tensorflow-datasets itself writes the rule that `shard_name` follows."""


def check_dataset_name(name: str) -> str:
    """Give a dataset's name back, or raise OptionError where it cannot be one.

    tensorflow-datasets asks for a letter, then letters, digits and _. Only ASCII ones are taken
    here: the name becomes a file name on every machine that the shards travel to.
    """
    if not re.fullmatch(r"[a-zA-Z]\w*", name, re.ASCII):
        raise OptionError(
            f"a dataset cannot be called {name!r}: take a letter, then letters, digits and _"
        )
    return name


def shard_name(dataset: str, split: Split, shard: int, shards: int) -> str:
    """Name shard number `shard`, counted from 0, of `shards`; ValueError for one outside.

    Example: ("fer", Split.TRAIN, 0, 64) -> "fer-train.tfrecord-00000-of-00064"
    """
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} of {shards}")
    digits = max(5, len(str(shards)))
    return f"{check_dataset_name(dataset)}-{split}.tfrecord-{shard:0{digits}}-of-{shards:0{digits}}"

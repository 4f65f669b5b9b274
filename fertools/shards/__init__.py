"""How it lies on disk: records, examples, shards, the manifest, and what others read of it.

frame, RecordWriter, read_records     TFRecord files, of parts and of shards
Example                               one crop with its label, as a tf.train.Example
plan_shards                           which record goes where
Manifest, info_files                  what was written, for us and for tensorflow-datasets
whole_file, write_whole, remove_whole  files that are whole or absent
read_examples                         all of it backwards
"""

from fertools.shards.example import decode_example, encode_example
from fertools.shards.files import (
    WholeFile,
    is_leftover,
    remove_whole,
    sha256_of,
    whole_file,
    write_whole,
)
from fertools.shards.manifest import (
    FORMAT,
    ClassName,
    Counts,
    Images,
    LedgerFile,
    Manifest,
    Proof,
    ShardFile,
    SplitContents,
    canonical_json,
)
from fertools.shards.names import HOME, MANIFEST, SECRET, check_dataset_name, shard_name
from fertools.shards.plan import plan_shards
from fertools.shards.reader import read_examples
from fertools.shards.schema import FEATURES, Example, Feature, Kind, features
from fertools.shards.tfds import dataset_info, features_json, info_files
from fertools.shards.tfrecord import (
    FRAMING,
    Place,
    RecordWriter,
    Writable,
    frame,
    read_record,
    read_records,
)

__all__ = [
    "FEATURES",
    "FORMAT",
    "FRAMING",
    "HOME",
    "MANIFEST",
    "SECRET",
    "ClassName",
    "Counts",
    "Example",
    "Feature",
    "Images",
    "Kind",
    "LedgerFile",
    "Manifest",
    "Place",
    "Proof",
    "RecordWriter",
    "ShardFile",
    "SplitContents",
    "WholeFile",
    "Writable",
    "canonical_json",
    "check_dataset_name",
    "dataset_info",
    "decode_example",
    "encode_example",
    "features",
    "features_json",
    "frame",
    "info_files",
    "is_leftover",
    "plan_shards",
    "read_examples",
    "read_record",
    "read_records",
    "remove_whole",
    "sha256_of",
    "shard_name",
    "whole_file",
    "write_whole",
]

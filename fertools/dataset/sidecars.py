"""Make the files beside the shards from a manifest.

With three of the files tensorflow-datasets reads a folder without any code:

    dataset_info.json    name, version, splits with their shard lengths
    features.json        the features of an example
    label.labels.txt     class names, one a line; without this file the names are 0, 1, …

    tfds.builder_from_directory(OUT).as_dataset(split="train", as_supervised=True)

The JSON follows the protobuf messages of tensorflow-datasets (dataset_info.proto, feature.proto):
int64 values are strings, and an unknown key is an error. Versions 4.6 and later read it.
`BBoxFeature` would describe the box better, but versions up to 4.9.0 fail on its JSON.

A split without records is omitted. If it was listed, with no shard or with an empty one,
`as_dataset()` of the whole dataset failed in 4.9.10 ("Instruction [] corresponds to no data!").

SHA256SUMS contains the checksums of all published files, including the manifest:

    $ cd faces && sha256sum --check SHA256SUMS

A manifest cannot contain its own checksum, and much of it (options, versions) is stored nowhere
else: without SHA256SUMS a flipped bit there is not found. SHA256SUMS itself follows from the
manifest and the ledger, so that `verify` can check that it is unchanged.

README.md and croissant.json are made elsewhere (cards): the manifest has their
checksums. Only the README.md of older datasets, whose manifests have none, is made again here.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, Final

from fertools.data import Split
from fertools.dataset.example import Feature, Kind
from fertools.dataset.index import index_name
from fertools.dataset.manifest import (
    MANIFEST,
    README,
    SHARD_TEMPLATE,
    SPLITS_CSV,
    WORK_DIR,
    Manifest,
    SplitContents,
)
from fertools.dataset.tfrecord import FRAMING_BYTES

Json = dict[str, Any]

CHECKSUMS: Final = "SHA256SUMS"

_PACKAGE: Final = "tensorflow_datasets.core.features"

_PSEUDONYMS: Final = (
    "Keys and subjects in the shards are pseudonyms: 32 hex digits, keyed with a secret that\n"
    f"stays in `{WORK_DIR}`. "
    "Who has the same archive can compute it, unless `--salt-file` was given."
)
#: Files that other commands write into the folder.
_DERIVED: Final = (
    "| `labels.parquet`, `suspects.csv` | if made: what `fertools labels` and `suspects` found, "
    "**plain file names** | no |\n"
)
_PLAIN_NAMES: Final = (
    "Keys and subjects in the shards are plain file names and subject ids, because\n"
    "`--keep-names` was given: **do not give these shards away**."
)


def tfds_files(manifest: Manifest) -> dict[str, bytes]:
    """Return the bytes of the files for tensorflow-datasets, by file name."""
    return {
        "dataset_info.json": _as_bytes(dataset_info(manifest)),
        "features.json": _as_bytes(features_json(manifest)),
        "label.labels.txt": "".join(f"{entry.name}\n" for entry in manifest.classes).encode(),
    }


def file_checksums(manifest: Manifest, manifest_sha: str, splits_sha: str) -> dict[str, str]:
    """Return the SHA-256 of each published file except SHA256SUMS, by file name.

    manifest_sha  SHA-256 of the manifest's bytes
    splits_sha    SHA-256 of splits.csv, whose bytes follow from the ledger
    """
    shards = [shard for split in manifest.splits.values() for shard in split.shards]
    files = {shard.file: shard.sha256 for shard in shards}
    files |= {index_name(shard.file): shard.index for shard in shards if shard.index}
    files[manifest.ledger.file] = manifest.ledger.sha256
    return files | sidecar_checksums(manifest) | {MANIFEST: manifest_sha, SPLITS_CSV: splits_sha}


def sidecar_checksums(manifest: Manifest) -> dict[str, str]:
    """Return the SHA-256 of the files that are made from the manifest alone, by file name.

    The manifest of revision 1 does not hold that of README.md, which is therefore made again.
    """
    files = tfds_files(manifest) | ({README: readme(manifest)} if manifest.revision == 1 else {})
    return {name: sha256(data).hexdigest() for name, data in files.items()} | manifest.cards


def sha256sums(manifest: Manifest, manifest_sha: str, splits_sha: str) -> bytes:
    """Return the bytes of SHA256SUMS: a line for each file, sorted by name, as sha256sum writes."""
    files = file_checksums(manifest, manifest_sha, splits_sha)
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()


def dataset_info(manifest: Manifest) -> Json:
    """Return the contents of dataset_info.json."""
    return {
        "name": manifest.name,
        "version": manifest.version,
        "fileFormat": "tfrecord",
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}},
        "splits": [_split(split, contents) for split, contents in manifest.filled_splits.items()],
    }


def features_json(manifest: Manifest) -> Json:
    """Return the contents of features.json: the features in the format of tfds."""
    return {
        "pythonClassName": f"{_PACKAGE}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {feature.name: _feature(feature, manifest) for feature in manifest.features}
        },
    }


def _split(split: Split, contents: SplitContents) -> Json:
    data = sum(shard.bytes - FRAMING_BYTES * shard.records for shard in contents.shards)
    return {
        "name": str(split),
        "shardLengths": [str(shard.records) for shard in contents.shards],
        "numBytes": str(data),
        "filepathTemplate": SHARD_TEMPLATE,
    }


def _feature(feature: Feature, manifest: Manifest) -> Json:
    match feature.kind:
        case Kind.IMAGE:
            side = str(manifest.image.size)
            image = {
                "shape": {"dimensions": [side, side, "1"]},
                "dtype": "uint8",
                "encodingFormat": manifest.image.format,
            }
            name, body = "image_feature.Image", {"image": image}
        case Kind.LABEL:
            name = "class_label_feature.ClassLabel"
            body = {"classLabel": {"numClasses": str(len(manifest.classes))}}
        case Kind.TEXT:
            name, body = "text_feature.Text", {"text": {}}
        case Kind.INT64 | Kind.FLOAT32:
            shape = {"dimensions": [str(feature.length)]} if feature.length else {}
            tensor = {"shape": shape, "dtype": str(feature.kind), "encoding": "none"}
            name, body = "tensor_feature.Tensor", {"tensor": tensor}
    return {"pythonClassName": f"{_PACKAGE}.{name}", **body}


def _as_bytes(tree: Json) -> bytes:
    return (json.dumps(tree, indent=1) + "\n").encode()


def readme(manifest: Manifest) -> bytes:
    """Return the bytes of README.md as datasets of revision 1 have it."""
    plain = bool(manifest.options.get("keep_names"))
    return f"""# {manifest.name}

{manifest.counts.kept} face crops, built with fertools {manifest.fertools}. They are photos of
faces, hence personal data; AI-Hub's terms forbid passing its photos on, and crops are photos.
{f"{chr(10)}Labels: {manifest.rule}.{chr(10)}" if manifest.rule else ""}\

| file | what it is | may it leave this machine? |
|---|---|---|
| `*.tfrecord-*` | the crops, with labels and provenance | where the terms of the photos allow it |
| `{MANIFEST}`, `*.json`, `label.labels.txt` | options, counts, formats | with the shards |
| `SHA256SUMS` | checksums of all files | with the shards |
| `{manifest.ledger.file}`, `splits.csv` | **plain file names and subject ids** | no |
| `{WORK_DIR}/` | finished faces, plain names, the secret of the pseudonyms | no |
{_DERIVED if manifest.format > 1 else ""}
{_PLAIN_NAMES if plain else _PSEUDONYMS}
""".encode()

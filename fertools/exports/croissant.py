"""Describe the parquet files of an export for machines: croissant.json, with its records.

    splits ◀──split── examples ──label──▶ classes

Each is a RecordSet. `mlcroissant.Dataset("DEST/croissant.json").records("examples")` yields the
examples: the image as a Pillow image, the others as numbers, lists and UTF-8 bytes.

The facts are those of the dataset's own croissant.json (dataset/cards). The split of an example is
in the name of its file only. mlcroissant applies the pattern for it once more to its
result, which therefore matches as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fertools.data import Split
from fertools.dataset.cards import facts
from fertools.dataset.cards.croissant import PARQUET, as_bytes, description, file_object
from fertools.dataset.example import Feature, Kind
from fertools.dataset.manifest import Manifest
from fertools.exports.destination import Sums

Json = dict[str, Any]

_FILES: Final = "parquet-files"
_SPLIT: Final = r"^(?:data/)?(train|validation|test)(?:-.*)?$"

#: Croissant's words for the splits.
_SPLITS: Final = {
    Split.TRAIN: "cr:TrainingSplit",
    Split.VALIDATION: "cr:ValidationSplit",
    Split.TEST: "cr:TestSplit",
}

_TYPES: Final = {
    Kind.IMAGE: ["sc:ImageObject"],
    Kind.LABEL: ["sc:Integer", "cr:Label"],
    Kind.TEXT: ["sc:Text"],
    Kind.INT64: ["sc:Integer"],
    Kind.FLOAT32: ["sc:Float"],
}


def croissant(manifest: Manifest, sums: Sums, sizes: Mapping[str, int]) -> bytes:
    """Return the bytes of croissant.json.

    sums    SHA-256 of the parquet files, by name
    sizes   in bytes, by name
    """
    distribution = [
        file_object(name, sha, PARQUET, "Examples, a row each", sizes[name])
        for name, sha in sorted(sums.items())
    ]
    file_set = {
        "@type": "cr:FileSet",
        "@id": _FILES,
        "name": _FILES,
        "includes": "data/*.parquet",
        "encodingFormat": PARQUET,
    }
    records = [_split_records(manifest), _class_records(manifest), _example_records(manifest)]
    return as_bytes(
        description(manifest) | {"distribution": [*distribution, file_set], "recordSet": records}
    )


def _split_records(manifest: Manifest) -> Json:
    fields = [_field("splits/name", ["sc:Text"]), _field("splits/url", ["sc:URL", "cr:Split"])]
    rows = [
        {"splits/name": str(split), "splits/url": _SPLITS[split]}
        for split in manifest.filled_splits
    ]
    return _record_set("splits", "name", fields) | {"dataType": "cr:Split", "data": rows}


def _class_records(manifest: Manifest) -> Json:
    fields = [
        _field("classes/label", ["sc:Integer"]),
        _field("classes/name", ["sc:Text"]),
        _field("classes/english", ["sc:Text"]),
    ]
    rows = [
        {"classes/label": label, "classes/name": entry.name, "classes/english": entry.english}
        for label, entry in enumerate(manifest.classes)
    ]
    return _record_set("classes", "label", fields) | {"dataType": "sc:Enumeration", "data": rows}


def _example_records(manifest: Manifest) -> Json:
    return _record_set("examples", "key", list(_example_fields(manifest)))


def _example_fields(manifest: Manifest) -> Iterator[Json]:
    about = dict(facts.features(manifest))
    for feature in manifest.features:
        yield _column(feature, about[feature.name])
    path = {"fileProperty": "fullpath"}
    yield _field(
        "examples/split",
        ["sc:Text", "cr:Split"],
        description="train, validation or test",
        source=_source(path, transform={"regex": _SPLIT}),
        references={"field": {"@id": "splits/name"}},
    )


def _column(feature: Feature, text: str) -> Json:
    """Return the field of a column; of the struct `image` it takes the member `bytes`."""
    column = {"column": feature.name}
    more: Json = {}
    if feature.kind is Kind.LABEL:
        more["references"] = {"field": {"@id": "classes/label"}}
    if feature.length:
        more |= {"isArray": True, "arrayShape": str(feature.length)}
    transform = {"transform": {"jsonPath": "bytes"}} if feature.kind is Kind.IMAGE else {}
    return _field(
        f"examples/{feature.name}",
        _TYPES[feature.kind],
        description=text,
        source=_source(column, **transform),
        **more,
    )


def _source(extract: Json, **more: Any) -> Json:
    return {"fileSet": {"@id": _FILES}, "extract": extract, **more}


def _field(identity: str, types: list[str], **more: Any) -> Json:
    name = identity.partition("/")[2]
    return {"@type": "cr:Field", "@id": identity, "name": name, "dataType": types, **more}


def _record_set(name: str, key: str, fields: list[Json]) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/{key}"},
        "field": fields,
    }

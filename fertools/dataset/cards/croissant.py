"""Write OUT/croissant.json: the dataset for machines, in MLCommons' Croissant 1.1.

JSON-LD that `mlcroissant validate --jsonld croissant.json` and search engines for datasets read. It
lists the files with their checksums, and fills the vocabulary for responsible AI (RAI 1.0) from the
manifest; nothing in it is personal, and it has no date: datePublished is left to whoever publishes
a dataset. Shards are described without a RecordSet, because no reader of Croissant knows TFRecord.

Specifications: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and
https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

from fertools.dataset.cards import facts
from fertools.dataset.cards.steps import detector, steps
from fertools.dataset.index import index_name
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.sidecars import tfds_files

Json = dict[str, Any]

#: Who knows Croissant warns about a context that lacks a key of this one (`make_context` there).
CONTEXT: Final[Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_TFRECORD: Final = "application/x-tfrecord"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
PARQUET: Final = "application/x-parquet"


def croissant(manifest: Manifest) -> bytes:
    """Return the bytes of croissant.json; equal manifests have equal bytes."""
    return as_bytes(description(manifest) | {"distribution": list(_files(manifest))})


def as_bytes(tree: Json) -> bytes:
    """Return a description of a dataset as JSON."""
    return (json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def description(manifest: Manifest) -> Json:
    """Return what holds for the dataset in any form: everything but files and records."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": manifest.name,
        "description": facts.summary(manifest),
        "version": manifest.version,
        "license": facts.terms(manifest),
        "citeAs": facts.citation(manifest),
        "keywords": ["facial expression", "emotion recognition", "face crops"],
        **_responsible_ai(manifest),
    }


def file_object(name: str, sha: str, kind: str, text: str, size: int | None = None) -> Json:
    """Return the description of a file that lies beside croissant.json."""
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": text,
        "contentUrl": name,
        **({"contentSize": f"{size} B"} if size is not None else {}),
        "encodingFormat": kind,
        "sha256": sha,
    }


def _files(manifest: Manifest) -> Iterator[Json]:
    """Yield the files, those apart whose checksums depend on this one."""
    for split, contents in manifest.filled_splits.items():
        for shard in contents.shards:
            yield from _shard_files(split, shard)
    for name, data in tfds_files(manifest).items():
        kind = _JSON if name.endswith(".json") else _TEXT
        text = "The class names, in the order of the labels" if kind == _TEXT else "Format of tfds"
        yield file_object(name, sha256(data).hexdigest(), kind, text, len(data))
    ledger = manifest.ledger
    text = "The outcome of each photo. Plain file names: it stays with who built the dataset"
    yield file_object(ledger.file, ledger.sha256, PARQUET, text)


def _shard_files(split: str, shard: ShardFile) -> Iterator[Json]:
    text = f"{shard.records} examples of {split}: tf.train.Example records"
    yield file_object(shard.file, shard.sha256, _TFRECORD, text, shard.bytes)
    if shard.index:
        text = f"Offset and length of each record of {shard.file}"
        yield file_object(index_name(shard.file), shard.index, _TEXT, text)


def _responsible_ai(manifest: Manifest) -> Json:
    """Return the fields of RAI 1.0 that the manifest can fill, without empty ones."""
    fields: Json = {
        "dataCollection": facts.source(manifest),
        "dataCollectionType": "Secondary Data analysis",
        "dataCollectionMissingData": _missing(manifest),
        "dataPreprocessingProtocol": [f"{step}: {how}" for step, how in steps(manifest)],
        "dataAnnotationProtocol": f"Label: {manifest.rule}." if manifest.rule else "",
        "annotationsPerItem": facts.annotation(manifest),
        "dataAnnotationAnalysis": [*_agreement(manifest), *facts.label_noise(manifest)],
        "machineAnnotationTools": detector(manifest),
        "dataUseCases": [facts.PURPOSE, *facts.MISUSES],
        "dataBiases": list(facts.biases(manifest)),
        "dataLimitations": [*facts.limitations(manifest), *facts.split_proof(manifest)],
        "personalSensitiveInformation": [facts.PERSONAL, facts.pseudonyms(manifest)],
        "dataReleaseMaintenancePlan": f"{facts.terms(manifest)} {facts.MAINTENANCE}",
    }
    return {f"rai:{name}": value for name, value in fields.items() if value}


def _missing(manifest: Manifest) -> str:
    counts = manifest.counts
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in counts.reasons)
    left_out = f" Left out: {reasons}." if reasons else ""
    return f"Of {counts.members:,} entries of the archive {counts.kept:,} are kept.{left_out}"


def _agreement(manifest: Manifest) -> Iterator[str]:
    for name, records, most, every in facts.agreement(manifest):
        yield (
            f"{name}: of {records:,} photos of this name with a record a majority of the "
            f"annotators confirms {most}, all of them {every}."
        )

"""Write the README.md of an export, with the front matter that Hugging Face reads.

What is known about the dataset is said as in its own README.md (dataset/cards). The front matter is
YAML; every text in it is a JSON string, which YAML reads as the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from fertools.dataset.cards import facts
from fertools.dataset.cards.datasheet import sections
from fertools.dataset.cards.markdown import escape, table
from fertools.dataset.example import Feature, Kind
from fertools.dataset.manifest import CROISSANT, README, Manifest
from fertools.exports.croissant import croissant
from fertools.exports.destination import CHECKSUMS, EXPORT, Sums
from fertools.exports.folders import CLASSES, classes_csv, numbering
from fertools.exports.formats import FORMATS
from fertools.exports.parquet import DTYPES
from fertools.options import DatasetFormat

#: Hugging Face's words for the number of examples, each with the first number that is too many.
_SIZES: Final = {
    "n<1K": 10**3,
    "1K<n<10K": 10**4,
    "10K<n<100K": 10**5,
    "100K<n<1M": 10**6,
    "1M<n<10M": 10**7,
}


def card_files(
    manifest: Manifest, to: DatasetFormat, sums: Sums, sizes: Mapping[str, int]
) -> dict[str, bytes]:
    """Return the files that describe an export, by name.

    sums    SHA-256 of the files of examples, by name
    sizes   in bytes, by name
    """
    front = "".join(f"{line}\n" for line in front_matter(manifest, sizes))
    card = {README: f"{front if to == 'parquet' else ''}{_body(manifest, to)}\n".encode()}
    if to == "parquet":
        card[CROISSANT] = croissant(manifest, sums, sizes)
    return card | ({CLASSES: classes_csv(manifest)} if to == "folders" else {})


def front_matter(manifest: Manifest, sizes: Mapping[str, int]) -> Iterator[str]:
    """Yield the lines of Hugging Face's front matter for parquet files."""
    yield "---"
    yield f"pretty_name: {_text(manifest.name)}"
    yield "license: other"
    yield "task_categories:\n- image-classification"
    if facts.is_aihub(manifest):
        yield "language:\n- ko"
    yield f"annotations_creators:\n- {'crowdsourced' if manifest.votes else 'other'}"
    yield f"size_categories:\n- {_size_category(manifest)}"
    yield "configs:\n- config_name: default\n  data_files:"
    for split in manifest.filled_splits:
        yield f"  - split: {split}\n    path: data/{split}-*"
    yield "dataset_info:\n  features:"
    for feature in manifest.features:
        yield from (f"  {line}" for line in _feature(feature, manifest))
    yield "  splits:"
    for split, contents in manifest.filled_splits.items():
        own = sum(size for name, size in sizes.items() if name.startswith(f"data/{split}-"))
        yield f"  - name: {split}\n    num_bytes: {own}\n    num_examples: {contents.records}"
    yield f"  download_size: {sum(sizes.values())}\n  dataset_size: {sum(sizes.values())}"
    yield "---\n"


def _feature(feature: Feature, manifest: Manifest) -> Iterator[str]:
    yield f"- name: {feature.name}"
    if feature.kind is Kind.IMAGE:
        yield "  dtype: image"
    elif feature.kind is Kind.LABEL:
        yield "  dtype:\n      class_label:\n        names:"
        for label, entry in enumerate(manifest.classes):
            yield f"          '{label}': {_text(entry.name)}"
    else:
        yield f"  {'sequence' if feature.length else 'dtype'}: {DTYPES[feature.kind]}"


def _size_category(manifest: Manifest) -> str:
    own = (word for word, limit in _SIZES.items() if manifest.examples < limit)
    return next(own, "10M<n<100M")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _body(manifest: Manifest, to: DatasetFormat) -> str:
    split = next(iter(manifest.filled_splits), "train")
    opened = FORMATS[to].opened.format(dest="PATH/TO/THIS/FOLDER", split=split)
    files = FORMATS[to].files | {
        EXPORT: "of which dataset this is an export, and how it was made",
        CHECKSUMS: "of all files; without it the export is not complete",
    }
    number_line = numbering(manifest) if to == "folders" else ""
    blocks = [
        f"# {escape(manifest.name)}",
        f"{escape(facts.summary(manifest))} {facts.people_apart(manifest)}",
        f"**{facts.terms(manifest)}** Do not upload this folder to where others can read it.",
        f"{facts.PERSONAL} {escape(facts.pseudonyms(manifest))}",
        f"```python\n{opened}\n```",
        table(("file", "content"), ((f"`{n}`", text) for n, text in files.items()), escaped=True),
        f"{number_line}." if number_line else "",
        sections(manifest),
    ]
    return "\n\n".join(filter(None, blocks))

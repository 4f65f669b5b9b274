"""Write parquet files that Hugging Face `datasets` reads as images and classes.

    data/train-00000-of-00003.parquet
        image    struct<bytes, path>      the file as it is in the shard, and KEY.png or KEY.jpg
        label    int64                    a ClassLabel with the names of the classes
        key, subject, sex                 string
        age      int64;  box  list<float>;  confidence  float
        votes    list<int64>;  uploader  int64      only if the dataset has votes

The schema's metadata `huggingface` says which column is an image or a class. Lists are called
"Sequence" there: datasets 5 reads this as well as "List", versions before 4 read nothing else.
Row groups have 100 rows, and pages an index: what viewers of images ask for, which read a page of
examples and not a file (huggingface/dataset-viewer 833 and 1127).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fertools.dataset.example import Example, Feature, Kind
from fertools.dataset.manifest import Manifest
from fertools.exports.destination import Sums
from fertools.exports.names import file_stem, suffix
from fertools.exports.plan import Unit
from fertools.exports.table import value
from fertools.files import whole_file

#: Rows of a row group.
_ROWS: Final = 100

_ARROW: Final = {
    Kind.IMAGE: pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    Kind.LABEL: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.INT64: pa.int64(),
    Kind.FLOAT32: pa.float32(),
}

#: Hugging Face's words for the types.
DTYPES: Final = {Kind.TEXT: "string", Kind.INT64: "int64", Kind.FLOAT32: "float32"}


def write(home: Path, unit: Unit, examples: Iterable[Example], manifest: Manifest) -> Sums:
    """Write the parquet file of a unit below `home`."""
    name = f"data/{unit.name}.parquet"
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    form = schema(manifest)
    with whole_file(home / name) as file, _writer(file, form) as writer:
        for rows in _batches(examples):
            writer.write_batch(_record_batch(rows, manifest, form))
    return {name: file.sha256}


def schema(manifest: Manifest) -> pa.Schema:
    """Return the schema, with what Hugging Face `datasets` wants to know in its metadata."""
    table = manifest.features
    about = {"info": {"features": {each.name: _huggingface(each, manifest) for each in table}}}
    text = json.dumps(about, ensure_ascii=False)
    return pa.schema([(each.name, _arrow(each)) for each in table], {"huggingface": text})


def _arrow(feature: Feature) -> pa.DataType:
    one = _ARROW[feature.kind]
    return pa.list_(one) if feature.length else one


def _huggingface(feature: Feature, manifest: Manifest) -> dict[str, Any]:
    if feature.kind is Kind.IMAGE:
        return {"_type": "Image"}
    if feature.kind is Kind.LABEL:
        return {"names": [entry.name for entry in manifest.classes], "_type": "ClassLabel"}
    one = {"dtype": DTYPES[feature.kind], "_type": "Value"}
    return {"feature": one, "_type": "Sequence"} if feature.length else one


def _writer(file: Any, form: pa.Schema) -> Any:
    names = [name for name in form.names if name != "image"]
    return pq.ParquetWriter(
        file,
        form,
        compression="none",  # the images are compressed, and are nearly all of it
        use_dictionary=["subject", "sex"],
        write_statistics=names,
        write_page_index=True,
    )


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    rest = iter(examples)
    while rows := list(islice(rest, _ROWS)):
        yield rows


def _record_batch(rows: list[Example], manifest: Manifest, form: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array([_cell(row, feature, manifest) for row in rows], _arrow(feature))
        for feature in manifest.features
    ]
    return pa.record_batch(arrays, schema=form)


def _cell(row: Example, feature: Feature, manifest: Manifest) -> Any:
    if feature.kind is Kind.IMAGE:
        path = f"{file_stem(row.key)}.{suffix(manifest.image.format)}"
        return {"bytes": row.image, "path": path}
    return value(row, feature)

"""Write predictions.parquet: a row for each example of a split, in the order on disk.

    shard           int32           the number of the shard within the split, from 0
    index           int32           the example's number in the shard, from 0
    key             string          as in the shard
    label           int32           of the dataset
    predicted       int32           the most probable class
    probabilities   list<float32>   of each class, in the order of the labels

shard and index are those of the ledger, so that a row finds its member.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fertools.dataset.manifest import ShardFile
from fertools.inference.predictions import Predictions

PREDICTIONS: Final = "predictions.parquet"

SCHEMA: Final = pa.schema(
    [
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("key", pa.string()),
        ("label", pa.int32()),
        ("predicted", pa.int32()),
        ("probabilities", pa.list_(pa.float32())),
    ]
)


def predictions_parquet(predictions: Predictions, shards: Sequence[ShardFile]) -> bytes:
    """Return the bytes of predictions.parquet; `shards` are those of the split, in their order."""
    records = [shard.records for shard in shards]
    columns = {
        "shard": np.repeat(np.arange(len(records)), records),
        "index": np.concatenate([np.arange(count) for count in records]),
        "key": predictions.keys.tolist(),
        "label": predictions.labels,
        "predicted": predictions.predicted,
        "probabilities": list(predictions.probabilities),
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, SCHEMA), sink)
    return bytes(sink.getvalue())

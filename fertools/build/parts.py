"""A part: a few hundred members looked at, their crops and their rows, whole or absent.

    parts/<fingerprint>.crops   TFRecord: one record an encoded crop, of the kept ones only
    parts/<fingerprint>.rows    Parquet: one row a member, in the plan's order; written last

It is the unit of work, of resuming, of retrying and of distribution. It knows nothing of labels,
seeds and splits, so that another choice of those costs no second look at the photos.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fertools.archive import Reader
from fertools.build.plan import read_part
from fertools.data import Crop, Member, Reason, Unusable
from fertools.faces import Detector, FaceRecipe, cut, load_detector
from fertools.shards import Place, RecordWriter, whole_file, write_whole

#: The word in the ledger of a member that became an example.
KEPT: Final = "kept"

ROWS: Final = pa.schema(
    [
        ("outcome", pa.string()),
        ("detail", pa.string()),
        ("x0", pa.int32()),
        ("y0", pa.int32()),
        ("x1", pa.int32()),
        ("y1", pa.int32()),
        ("confidence", pa.float32()),
        ("faces", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("landmarks", pa.list_(pa.float32())),
        ("iou", pa.float32()),
        ("digest", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("hash", pa.binary(32)),
        ("thumbnail", pa.binary(4096)),
    ]
)


@dataclass(frozen=True, slots=True)
class PartFiles:
    """Where a part lies; it is done when its rows are there."""

    folder: Path
    fingerprint: str

    @property
    def crops(self) -> Path:
        """The encoded crops."""
        return self.folder / f"{self.fingerprint}.crops"

    @property
    def rows(self) -> Path:
        """The members' fates."""
        return self.folder / f"{self.fingerprint}.rows"

    @property
    def done(self) -> bool:
        """Whether both files are there."""
        return self.rows.is_file() and self.crops.is_file()


@dataclass(frozen=True, slots=True)
class PartTask:
    """What a worker is sent: small, and the same on every machine that sees the storage."""

    source: Path
    plan: Path
    number: int
    files: PartFiles
    recipe: FaceRecipe
    detector: Detector | None = None

    def __call__(self) -> Counter[str]:
        """Make the part, and give how many members met which outcome."""
        detector = self.detector or loaded(self.recipe)
        crops = io.BytesIO()
        writer = RecordWriter(crops)
        rows = []
        with Reader(self.source) as reader:
            for member in read_part(self.plan, self.number):
                rows.append(_look(reader, member, self.recipe, detector, writer))
        write_whole(self.files.crops, crops.getvalue())
        with whole_file(self.files.rows) as file:
            pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), file)
        return Counter(str(row["outcome"]) for row in rows)


@lru_cache(maxsize=1)
def loaded(recipe: FaceRecipe) -> Detector:
    """Load a recipe's detector once in this process: that takes as long as ten photos."""
    return load_detector(recipe)


def read_rows(parts: Sequence[PartFiles]) -> pa.Table:
    """Read the rows of all parts, in their order, with the part's number in a column `part`."""
    # The thumbnails of half a million photos are 2 GB: who needs some reads those.
    names = [name for name in ROWS.names if name != "thumbnail"]
    tables = [pq.read_table(files.rows, columns=names) for files in parts]
    table = pa.concat_tables([ROWS.empty_table().select(names), *tables])
    numbers = np.repeat(np.arange(len(parts)), [rows.num_rows for rows in tables])
    return table.append_column("part", pa.array(numbers, pa.int32()))


def _look(
    reader: Reader, member: Member, recipe: FaceRecipe, detector: Detector, writer: RecordWriter
) -> dict[str, Any]:
    """Look at one member, and give its row: a photo that cannot be used is a row as well."""
    row: dict[str, Any] = dict.fromkeys(ROWS.names)
    try:
        data = reader.read(member)
        row["digest"] = sha256(data).hexdigest()
        crop = cut(data, recipe, detector)
    except Unusable as verdict:
        return row | {"outcome": str(verdict.drop.reason), "detail": verdict.drop.detail}
    except MemoryError:
        return row | {"outcome": str(Reason.TOO_LARGE), "detail": "more memory than there is"}
    return row | _kept(crop, writer.write(crop.image))


def _kept(crop: Crop, place: Place) -> dict[str, Any]:
    found = crop.fingerprint
    return {
        "outcome": KEPT,
        "detail": "",
        **{side: int(getattr(crop.box, side)) for side in ("x0", "y0", "x1", "y1")},
        "confidence": crop.confidence,
        "faces": crop.faces,
        "width": crop.width,
        "height": crop.height,
        "landmarks": crop.landmarks or None,
        "iou": crop.iou,
        "offset": place.offset,
        "length": place.length,
        "hash": found and found.hash,
        "thumbnail": found and found.thumbnail,
    }

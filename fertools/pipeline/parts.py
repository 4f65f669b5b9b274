"""A part: a few hundred members looked at, their crops and their rows, whole or absent.

    parts/<fingerprint>.crops   TFRecord: one record an encoded crop, of the kept ones only
    parts/<fingerprint>.rows    Parquet: one row a member, in the plan's order; written last
    parts/<fingerprint>.diary   only while it is made: the photo being looked at

It is the unit of work, of resuming, of retrying and of distribution. It knows nothing of labels,
seeds and splits, so that another choice of those costs no second look at the photos.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fertools.archive import Reader
from fertools.columns import Columns
from fertools.data import Box, Crop, Member, Reason, Unusable
from fertools.errors import DatasetError, FertoolsError
from fertools.faces import Detector, FaceRecipe, cut, load_detector
from fertools.pipeline.diary import Diary
from fertools.pipeline.engine import is_apart
from fertools.pipeline.plan import read_part
from fertools.pipeline.rows import pack_rows
from fertools.pipeline.watch import watched
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
    def diary(self) -> Path:
        """What its maker is looking at."""
        return self.folder / f"{self.fingerprint}.diary"

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
    photo_seconds: float = 60

    def __call__(self) -> Counter[str]:
        """Make the part, and give how many members met which outcome."""
        if self.files.done:  # by a worker whose answer was lost when another one died
            return Counter(pq.read_table(self.files.rows)["outcome"].to_pylist())
        crops = io.BytesIO()
        rows = self._look_at_all(RecordWriter(crops))
        _refuse_fiasco(rows)
        write_whole(self.files.crops, crops.getvalue())
        with whole_file(self.files.rows) as file:
            table = pa.Table.from_pylist(rows, schema=ROWS)
            pq.write_table(table, file, write_page_checksum=True)
        Diary(self.files.diary).end()
        return Counter(str(row["outcome"]) for row in rows)

    def suspect(self) -> int | None:
        """Give the number of the member that a worker was looking at when it died."""
        return Diary(self.files.diary).suspect()

    def try_one(self, number: int) -> None:
        """Look at one member of the part, and keep nothing of it."""
        member, box = next(islice(read_part(self.plan, self.number), number, None))
        with Reader(self.source) as reader:
            self._look(reader, member, box, RecordWriter(io.BytesIO()))

    def _look_at_all(self, writer: RecordWriter) -> list[dict[str, Any]]:
        diary = Diary(self.files.diary)
        known = diary.verdicts()
        rows = []
        try:
            with Reader(self.source) as reader:
                for number, (member, box) in enumerate(read_part(self.plan, self.number)):
                    if is_apart() and number not in known:
                        diary.look(number)
                    rows.append(self._look(reader, member, box, writer, known.get(number)))
        finally:
            diary.close()
        return rows

    def _look(
        self,
        reader: Reader,
        member: Member,
        box: Box | None,
        writer: RecordWriter,
        known: Reason | None = None,
    ) -> dict[str, Any]:
        """Look at one member, and give its row: a photo that cannot be used is a row as well."""
        row: dict[str, Any] = dict.fromkeys(ROWS.names)
        try:
            data = reader.read(member)
            row["digest"] = sha256(data).hexdigest()
            if known:
                raise Unusable(known, _DEATHS[known])
            crop = self._cut(data, box)
        except Unusable as verdict:
            return row | {"outcome": str(verdict.drop.reason), "detail": verdict.drop.detail}
        return row | _kept(crop, writer.write(crop.image))

    def _cut(self, data: bytes, box: Box | None) -> Crop:
        detector = self.detector or loaded(self.recipe)
        try:
            with watched(self.photo_seconds):
                return cut(data, self.recipe, detector, box)
        except (Unusable, FertoolsError):
            raise
        except MemoryError:
            raise Unusable(Reason.TOO_LARGE, "it takes more memory than there is") from None
        except Exception as fault:
            what = " ".join(f"{type(fault).__name__}: {fault}".split())
            raise Unusable(Reason.CRASHED, what[:200]) from fault


#: What a person is told of a photo that nobody survives.
_DEATHS: Final = {
    Reason.CRASHED: "the process that looked at it died, twice",
    Reason.TIMED_OUT: "it took longer than a photo may, twice",
}


@lru_cache(maxsize=1)
def loaded(recipe: FaceRecipe) -> Detector:
    """Load a recipe's detector once in this process: that takes as long as ten photos."""
    return load_detector(recipe)


def read_rows(parts: Sequence[PartFiles]) -> Columns:
    """Read the rows of all parts, in their order, with the part's number in a column `part`.

    Raises DatasetError for a part that is damaged.
    """
    # The thumbnails of half a million photos are 2 GB: who needs some reads those.
    names = [name for name in ROWS.names if name != "thumbnail"]
    tables = (_rows(files.rows, names) for files in parts)
    return pack_rows(tables, pa.schema([ROWS.field(name) for name in names]))


def _rows(path: Path, names: list[str]) -> pa.Table:
    try:
        table = pq.read_table(path, columns=names, page_checksum_verification=True)
        if not table.schema.equals(pa.schema([ROWS.field(name) for name in names])):
            raise pa.ArrowInvalid("its columns are not a part's")
    except (pa.ArrowException, OSError) as fault:
        raise DatasetError(
            f"{path} is damaged ({' '.join(str(fault).split())[:120]}): "
            "remove it, and the same command makes it again"
        ) from fault
    return table


def _refuse_fiasco(rows: Sequence[Mapping[str, Any]]) -> None:
    """Stop before a detector's own fault makes a row of every photo. Raises FertoolsError."""
    if len(rows) > 1 and all(row["outcome"] == Reason.CRASHED for row in rows):
        raise FertoolsError(
            f"every photo of a part fails ({rows[0]['detail']}): "
            "that is not the photos but what looks at them; the same command goes on"
        )


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

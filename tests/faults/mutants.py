"""Files with some bytes changed, and what may come of reading them: an answer or a named refusal.

    python -m tests.faults.mutants 10000 [SEED]

reads that many mutants of every kind of file and names those that brought anything else about. The
tests do three hundred.
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Box, Drop, Member, Reason, Unusable
from fertools.dataset.example import Example
from fertools.dataset.index import index_bytes, index_name, record_ends
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.tfrecord import frame, read_records
from fertools.errors import DatasetError, SourceError
from fertools.faces.extract import extract_face
from fertools.labels.records import read_records as read_label_records
from fertools.options import FaceOptions
from fertools.pipeline.instalments.seen import SeenContainer, SeenStore
from fertools.pipeline.parts import (
    ROWS,
    PartFiles,
    PartWriter,
    pack_rows,
    read_table,
    read_thumbnails,
)
from fertools.workers.inflight import InFlightLog
from tests.archive.rawzip import Item, write_zip
from tests.fakes import BrightSpot, members_of, photo, photo_name
from tests.labels.label_json import entry, label_file

RECIPE = FaceOptions(size=16, max_pixels=1_000_000)

#: Numbers that readers trip over: ends of ranges, signs, lengths.
SPICE = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xd9", b"PK")


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change a few places: bits, numbers, a piece lost, doubled or moved, an end cut off."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at, length = dice.randrange(len(out) + 1), dice.randrange(1, 40)
        match dice.randrange(6):
            case 0 if at < len(out):
                out[at] ^= 1 << dice.randrange(8)
            case 1:
                spice = dice.choice(SPICE)
                out[at : at + len(spice)] = spice
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length]
            case 4 if dice.random() < 0.2:
                del out[at:]
            case _:
                out[at:at] = dice.randbytes(dice.randrange(4))
    return bytes(out)


def read_photo(data: bytes, _: Path) -> None:
    """Look at a photo."""
    extract_face(data, RECIPE, BrightSpot())


def read_zip(data: bytes, home: Path) -> None:
    """List a zip and read all that it lists."""
    (home / "a.zip").write_bytes(data)
    read_archive(home)


def read_tar(data: bytes, home: Path) -> None:
    """List a tar and read all that it lists."""
    (home / "a.tar").write_bytes(data)
    read_archive(home)


def read_archive(home: Path) -> None:
    """Read all photos of an archive that can be read."""
    with Reader(home) as reader:
        for member in scan(home).members:
            try:
                reader.read(member)
            except Unusable:
                continue


def read_seen(data: bytes, home: Path) -> None:
    """Read what was seen of a zip: a damaged file is named, never an error."""
    store = SeenStore(home / "seen")
    store.folder.mkdir(exist_ok=True)
    store.file_of(b"a.zip").write_bytes(data)
    store.digest_of(b"a.zip")
    store.read()


def read_shard(data: bytes, home: Path) -> None:
    """Read every example of a shard."""
    (home / "shard").write_bytes(data)
    for record in read_records(home / "shard"):
        Example.from_bytes(record)


def read_index(data: bytes, home: Path) -> None:
    """Read the index of a shard of three records."""
    shard = frame(example()) * 3
    name = "faces-train.tfrecord-00000-of-00001"
    (home / name).write_bytes(shard)
    (home / index_name(name)).write_bytes(data)
    ends = record_ends(home, ShardFile(name, 3, len(shard), "0" * 64))
    if (ends[0], ends[-1], len(ends)) != (0, len(shard), 4):
        raise AssertionError(f"an index of {[*ends]}")


def read_example(data: bytes, _: Path) -> None:
    """Read a record's bytes behind a checksum that is right."""
    Example.from_bytes(data)


def read_manifest(data: bytes, home: Path) -> None:
    """Read a manifest."""
    (home / "metadata.json").write_bytes(data)
    Manifest.read(home)


def read_labels(data: bytes, _: Path) -> None:
    """Read a label file to its end: whatever it holds, what is wrong with it is one line."""
    for found in read_label_records(data):
        if isinstance(found, Drop) and "\n" in found.detail:
            raise AssertionError(f"more than a line: {found.detail}")


def read_part(data: bytes, home: Path) -> None:
    """Read a part's rows."""
    files = PartFiles(home, "part")
    files.whole.write_bytes(data)
    pack_rows([read_table(files)])
    read_thumbnails(files)


def read_diary(data: bytes, home: Path) -> None:
    """Read a diary."""
    (home / "diary").write_bytes(data)
    InFlightLog(home / "diary").last_started()
    InFlightLog(home / "diary").fatal_items()


def picture(ending: str) -> bytes:
    """Draw a photo in another format."""
    pixels = np.full((64, 80, 3), 40, np.uint8)
    pixels[16:40, 20:44] = 250
    return cv2.imencode(ending, pixels)[1].tobytes()


def example() -> bytes:
    """Give a record's data."""
    return Example(photo(), 3, "key", "person", "여", 30, Box(1.5, 2, 30, 40), 0.5).to_bytes()


def rows() -> bytes:
    """Give a part's rows."""
    row = dict.fromkeys(ROWS.names) | {"outcome": "kept", "x0": 3, "digest": "0" * 64}
    sink = io.BytesIO()
    writer = PartWriter(sink, 9)
    for number in range(9):
        writer.add(number, dict(row), b"a crop", bytes(64 * 64))
    writer.finish()
    return sink.getvalue()


def diary() -> bytes:
    """Return an in-flight log's lines."""
    with tempfile.TemporaryDirectory() as folder:
        log = InFlightLog(Path(folder) / "diary")
        for number in range(3):
            log.start(number)
        log.resolve(1, Reason.CRASHED)
        log.start(3)
        log.close()
        return log.path.read_bytes()


def archive() -> bytes:
    """Give a zip of three photos, stored and deflated."""
    names = [photo_name(i, "슬픔", 1).encode("cp949") for i in range(3)]
    return write_zip(*(Item(name, photo(), method=8 * (i % 2)) for i, name in enumerate(names)))


def tar(form: int) -> bytes:
    """Give a tar of two photos with long names and a zip in two volumes."""
    file = io.BytesIO()
    zipped = archive()
    files = {f"d/{photo_name(i, '슬픔', 1)}": photo() for i in range(2)}
    files |= {"a.zip.part0": zipped[:900], "a.zip.part900": zipped[900:]}
    with tarfile.open(fileobj=file, mode="w", format=form) as packed:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return file.getvalue()


def seen() -> bytes:
    """Give what is stored of a zip with a label file."""
    with tempfile.TemporaryDirectory() as folder:
        store = SeenStore(Path(folder))
        found = members_of([Member(f"a.zip/{i}.jpg", "a.zip", b"a.zip", i, 0) for i in range(5)])
        store.write(SeenContainer("a.zip", b"a.zip", found, {"a.zip/1.json": b"[]"}))
        return store.file_of(b"a.zip").read_bytes()


def labels(encoding: str = "utf-8") -> bytes:
    """Give a label file of nine photos."""
    names = [photo_name(i, "불안", i) for i in range(9)]
    return label_file(*(entry(name) for name in names), encoding=encoding)


#: What is read, its sound bytes, and what a reader may answer to any others.
Target = tuple[Callable[[bytes, Path], None], Callable[[], bytes], tuple[type[Exception], ...]]
TARGETS: dict[str, Target] = {
    "jpeg": (read_photo, photo, (Unusable,)),
    "png": (read_photo, lambda: picture(".png"), (Unusable,)),
    "webp": (read_photo, lambda: picture(".webp"), (Unusable,)),
    "bmp": (read_photo, lambda: picture(".bmp"), (Unusable,)),
    "zip": (read_zip, archive, (SourceError,)),
    "tar": (read_tar, lambda: tar(tarfile.GNU_FORMAT), (SourceError,)),
    "pax tar": (read_tar, lambda: tar(tarfile.PAX_FORMAT), (SourceError,)),
    "seen": (read_seen, seen, ()),
    "shard": (read_shard, lambda: frame(example()) * 3, (DatasetError,)),
    "index": (read_index, lambda: index_bytes([len(frame(example()))] * 3), (DatasetError,)),
    "example": (read_example, example, (DatasetError,)),
    "labels": (read_labels, labels, ()),
    "labels in CP949": (read_labels, lambda: labels("cp949"), ()),
    "part": (read_part, rows, (DatasetError,)),
    "diary": (read_diary, diary, ()),
}


def strange(name: str, home: Path, number: int, seed: int) -> Iterator[str]:
    """Read mutants of one kind, and yield what came of those that were neither read nor refused."""
    read, sound, refusals = TARGETS[name]
    data = sound()
    read(data, home)  # or nothing would be learned from the mutants
    for k in range(number):
        mutant = mutate(data, random.Random(f"{seed} {name} {k}"))
        try:
            read(mutant, home)
        except refusals as refusal:
            if "\n" in str(refusal):
                yield f"{name} {k}: more than a line: {refusal}"
        except Exception as fault:
            yield f"{name} {k}: {type(fault).__name__}: {fault}"


if __name__ == "__main__":
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    for kind in TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            found = list(strange(kind, Path(folder), int(sys.argv[1]), int([*sys.argv, "0"][2])))
        print(f"{kind}: {len(found)} strange of {sys.argv[1]}", *found[:10], sep="\n  ", flush=True)

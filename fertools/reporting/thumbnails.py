"""Make small pictures of a dataset's crops, and of dropped photos.

    shard ──the records of the chosen rows──▶ crop ──decode──▶ ──64 × 64──▶ gray ──WebP──▶ bytes

Each picture is a file of its own, 15 % larger than as a part of a mosaic of 100: but then a page
decodes only the pictures in view, where a wall in the order of confidence would decode a mosaic for
each of them (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pyarrow as pa
from joblib import cpu_count
from numpy.typing import NDArray

from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import ReadFault, Unusable
from fertools.dataset.example import decode_example
from fertools.dataset.manifest import Manifest
from fertools.dataset.shards import check_shard
from fertools.dataset.tfrecord import read_record, record_locations
from fertools.errors import DatasetError

#: Pixels of a thumbnail's side.
SIDE: Final = 64

#: Bytes of a thumbnail on average, at most: 20,000 of them are 15 MB of base64.
MEAN_BYTES: Final = 570

#: WebP qualities that are tried, and the pictures that they are tried on.
_QUALITIES: Final = (60, 45, 30, 15)
_TRIED: Final = 400

#: Crops in memory at a time.
_AT_ONCE: Final = 256

Grays = NDArray[np.uint8]


def read_grays(out: Path, manifest: Manifest, rows: pa.Table) -> Iterator[tuple[int, Grays]]:
    """Yield the number and the thumbnail, uint8 (SIDE, SIDE), of each row that is an example.

    Raises DatasetError for a shard that is missing, damaged or not the manifest's.
    """
    crops = _crops(out, manifest, rows)
    with ThreadPoolExecutor(cpu_count()) as pool:
        while several := list(islice(crops, _AT_ONCE)):
            numbers, images = zip(*several, strict=True)
            yield from zip(numbers, pool.map(shrink, images), strict=True)


def _crops(out: Path, manifest: Manifest, rows: pa.Table) -> Iterator[tuple[int, bytes]]:
    """Yield the row's number and the encoded crop of each example, shard by shard."""
    wanted: dict[tuple[str, int], list[tuple[int, int]]] = {}
    places = (rows[name].to_pylist() for name in ("split", "shard", "index"))
    for number, (split, shard, index) in enumerate(zip(*places, strict=True)):
        if split is not None:
            wanted.setdefault((split, shard), []).append((index, number))
    for (split, shard), indices in sorted(wanted.items()):
        file = manifest.splits[split].shards[shard]
        check_shard(out / file.file, file)
        yield from _of_shard(out / file.file, sorted(indices))


def _of_shard(path: Path, indices: Sequence[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    offsets = [location.offset for location in record_locations(path)]
    with path.open("rb") as file:
        for index, number in indices:
            if index >= len(offsets):
                raise DatasetError(f"{path} has no record {index}: put a whole copy back")
            (image,) = decode_example(read_record(file, offsets[index]))["image"]
            yield number, bytes(image)  # type: ignore[arg-type]


def read_dropped(source: Path, rows: Mapping[str, int]) -> Iterator[tuple[int, Grays]]:
    """Yield the row and the thumbnail of dropped photos in an archive that can be decoded.

    rows   by the photo's key

    A photo is scaled as a whole, not cut. Raises SourceError if `source` is no archive.
    """
    members = scan(source).members
    with Reader(source) as reader:
        for number, key in enumerate(members.keys):
            if key in rows:
                with suppress(Unusable, ReadFault, cv2.error):
                    data = np.frombuffer(reader.read(members[number]), np.uint8)
                    gray = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_4)
                    if gray is not None:
                        yield rows[key], _fit(gray)


def _fit(gray: NDArray[Any]) -> Grays:
    """Scale a whole picture into a thumbnail, with gray bars beside it."""
    height, width = gray.shape
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    top, left = ((SIDE - length) // 2 for length in small.shape)
    square = np.full((SIDE, SIDE), 128, np.uint8)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def shrink(image: bytes) -> Grays:
    """Decode a picture and scale it to a gray thumbnail, cut to the square in its middle.

    Raises DatasetError if the bytes are no picture.
    """
    gray = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:
        raise DatasetError("a crop in the dataset is damaged: put a whole copy back")
    side = min(gray.shape)
    top, left = ((length - side) // 2 for length in gray.shape)
    square = gray[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=method), np.uint8)


def encode(grays: Sequence[Grays]) -> list[bytes]:
    """Encode thumbnails as WebP, with the best quality whose mean is within `MEAN_BYTES`."""
    tried = grays[:: max(1, len(grays) // _TRIED)]
    quality = next((q for q in _QUALITIES if _mean(tried, q) <= MEAN_BYTES), _QUALITIES[-1])
    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(lambda gray: _webp(gray, quality), grays))


def _mean(grays: Iterable[Grays], quality: int) -> float:
    sizes = [len(_webp(gray, quality)) for gray in grays]
    return sum(sizes) / max(len(sizes), 1)


def _webp(gray: Grays, quality: int) -> bytes:
    return bytes(cv2.imencode(".webp", gray, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])

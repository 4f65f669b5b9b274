"""Write folders, zips, zip volumes and label files; equal input has equal bytes.

`zipfile` cannot write zips like those of AI-Hub, which have CP949 names without the UTF-8 flag: it
sets the flag for every name that is not ASCII. Only this part of the zip format is needed:

    local header │ name │ bytes        for each member
    central header │ name              for each member, with the offset of its local header
    end record                         number, size and offset of the central headers

The fields are in PKWARE's APPNOTE 4.3.7, 4.3.12 and 4.3.16. No compression, no zip64.

A label file has a record for each photo, with the votes and the boxes of three annotators.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final, Self
from zlib import crc32

import numpy as np

from fertools.data import Box
from fertools.sample.annotators import draw_vote
from fertools.sample.people import rng_for
from fertools.sample.schedule import Shot

UTF8_FLAG: Final = 0x0800
VERSION: Final = 20
MIDNIGHT, DATE = 0, (2021 - 1980) << 9 | 3 << 5 | 1  # 1 March 2021 in MS-DOS format


class Folder:
    """A container that is a folder; its members are files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the files are complete."""


class StoredZip:
    """A container that is a zip, with names in `encoding`, "utf-8" or "cp949".

    Only "utf-8" sets the UTF-8 flag, general-purpose bit 11. `add` raises UnicodeEncodeError for a
    name that the encoding lacks; above 4 GiB struct.error is raised.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self._central_headers: list[bytes] = []

    def add(self, name: str, content: bytes) -> None:
        raw_name = name.encode(self.encoding)
        flag = UTF8_FLAG if self.encoding == "utf-8" else 0
        size, stamp = len(content), (MIDNIGHT, DATE)
        common = struct.pack(
            "<HHHHHIIIHH", VERSION, flag, 0, *stamp, crc32(content), size, size, len(raw_name), 0
        )
        offset = self._file.tell()
        tail = struct.pack("<HHHII", 0, 0, 0, 0, offset)
        made_by = struct.pack("<H", VERSION)
        self._central_headers.append(b"PK\x01\x02" + made_by + common + tail + raw_name)
        self._file.write(b"PK\x03\x04" + common + raw_name + content)

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        offset, central_headers = self._file.tell(), b"".join(self._central_headers)
        count = len(self._central_headers)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(central_headers), offset, 0)
        self._file.write(central_headers + b"PK\x05\x06" + end)
        self._file.close()


def split_zip(path: Path, volumes: int) -> list[Path]:
    """Split a zip into volumes `NAME.zip.part<byte offset>`, as AI-Hub serves large ones."""
    size = path.stat().st_size
    volume_size = -(-size // volumes)
    paths = []
    with path.open("rb") as whole:
        for offset in range(0, size, volume_size):
            volume = path.with_name(f"{path.name}.part{offset}")
            volume.write_bytes(whole.read(volume_size))
            paths.append(volume)
    path.unlink()
    return paths


def label_record(seed: int, shot: Shot, face: Box) -> dict[str, Any]:
    """Return a photo's label record; `face` is the true box in pixels of the upright photo."""
    rng = rng_for(seed, "votes", shot.name)
    session, person = shot.session, shot.session.person
    body: dict[str, Any] = {
        "filename": shot.name,
        "gender": person.sex,
        "age": person.age,
        "isProf": "일반인",
        "faceExp_uploader": session.emotion,
        "bg_uploader": session.place.name,
    }
    for annotator in "ABC":
        body[f"annot_{annotator}"] = {
            "boxes": _draw_box(rng, face),
            "faceExp": draw_vote(rng, session.emotion),
            "bg": session.place.name,
        }
    return body


def label_file(records: list[dict[str, Any]], encoding: str) -> bytes:
    """Return the bytes of a label JSON, "utf-8-sig" (with BOM) or "cp949": the archive has both."""
    return json.dumps(records, ensure_ascii=False, indent=1).encode(encoding)


def _draw_box(rng: np.random.Generator, face: Box) -> dict[str, float]:
    """Return the box of an annotator: each edge is off by about 2 % of the face's size."""
    dx, dy = rng.normal(0, 0.02 * face.width, 2), rng.normal(0, 0.02 * face.height, 2)
    edges = {"minX": face.x0 + dx[0], "minY": face.y0 + dy[0]}
    edges |= {"maxX": face.x1 + dx[1], "maxY": face.y1 + dy[1]}
    return {edge: round(max(0.0, float(value)), 3) for edge, value in edges.items()}

"""Storage: folders, zips and zips in pieces, written so that equal input gives equal bytes.

`zipfile` cannot write what the archive holds: it sets the UTF-8 flag for every name that is not
ASCII, and AI-Hub's zips have CP949 names without it. What is needed of the format is little:

    local header │ name │ bytes        once a member, one after the other
    central header │ name              once a member, with the offset of its local header
    end record                         how many, how long, where the central headers begin

Fields as in PKWARE's APPNOTE 4.3.7, 4.3.12 and 4.3.16; stored, not compressed; no zip64.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from zlib import crc32

import numpy as np

from fertools.data import Box
from fertools.sample.people import dice
from fertools.sample.schedule import Shot

UTF8_FLAG = 0x0800
VERSION = 20
NEW_YEAR_DATE, MIDNIGHT = (2021 - 1980) << 9 | 3 << 5 | 1, 0  # 1 March 2021, MS-DOS form


class Container(Protocol):
    """Something that members are added to inside a `with` block."""

    def add(self, name: str, content: bytes) -> None:
        """Write one member."""

    def __enter__(self) -> Self:
        """Open it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish it."""


class Folder:
    """Members as loose files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, content: bytes) -> None:
        """Write one file."""
        (self.path / name).write_bytes(content)

    def __enter__(self) -> Self:
        """Make the folder."""
        self.path.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it as it is."""


class StoredZip:
    """Members as a zip whose names are in `encoding`: "utf-8" with the flag, "cp949" without.

    A name that CP949 cannot hold raises UnicodeEncodeError; more than 4 GiB, struct.error.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self._directory: list[bytes] = []

    def add(self, name: str, content: bytes) -> None:
        """Write one member."""
        raw = name.encode(self.encoding)
        flag = UTF8_FLAG if self.encoding == "utf-8" else 0
        size, stamp = len(content), (MIDNIGHT, NEW_YEAR_DATE)
        shared = struct.pack(
            "<HHHHHIIIHH", VERSION, flag, 0, *stamp, crc32(content), size, size, len(raw), 0
        )
        offset = self._file.tell()
        tail = struct.pack("<HHHII", 0, 0, 0, 0, offset)
        made_by = struct.pack("<H", VERSION)
        self._directory.append(b"PK\x01\x02" + made_by + shared + tail + raw)
        self._file.write(b"PK\x03\x04" + shared + raw + content)

    def __enter__(self) -> Self:
        """Open the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        """Write the directory and close."""
        offset, directory = self._file.tell(), b"".join(self._directory)
        count = len(self._directory)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), offset, 0)
        self._file.write(directory + b"PK\x05\x06" + end)
        self._file.close()


def cut(path: Path, pieces: int) -> list[Path]:
    """Cut a zip into `NAME.zip.part<byte offset>` pieces, as AI-Hub serves large ones."""
    size = path.stat().st_size
    step = -(-size // pieces)
    paths = []
    with path.open("rb") as whole:
        for offset in range(0, size, step):
            piece = path.with_name(f"{path.name}.part{offset}")
            piece.write_bytes(whole.read(step))
            paths.append(piece)
    path.unlink()
    return paths


# How often one annotator agrees with the name. The archive's figures are those of the majority
# of three, m = 3p² - 2p³: 기쁨 0.975, 중립 0.946, 당황 0.775, 불안 0.378; the other three are not
# published and stand between.
AGREES = {
    "기쁨": 0.906,
    "당황": 0.693,
    "분노": 0.78,
    "불안": 0.418,
    "상처": 0.52,
    "슬픔": 0.72,
    "중립": 0.860,
}
TAKEN_FOR = {
    "기쁨": ("중립", "당황"),
    "당황": ("불안", "중립", "슬픔"),
    "분노": ("상처", "불안", "중립"),
    "불안": ("당황", "슬픔", "상처", "중립"),
    "상처": ("슬픔", "중립", "분노"),
    "슬픔": ("상처", "불안", "중립"),
    "중립": ("슬픔", "상처"),
}
UNKNOWN = "알수없음"  # about one disagreement in eight


def record(seed: int, shot: Shot, face: Box) -> dict[str, Any]:
    """Give a photo's label record; `face` is the true box in the upright photo, in pixels."""
    roll = dice(seed, "votes", shot.name)
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
            "boxes": _box(roll, face),
            "faceExp": _vote(roll, session.emotion),
            "bg": session.place.name,
        }
    return body


def label_file(records: list[dict[str, Any]], encoding: str) -> bytes:
    """Give a label JSON: UTF-8 with BOM ("utf-8-sig") or "cp949", as the archive has both."""
    return json.dumps(records, ensure_ascii=False, indent=1).encode(encoding)


def _vote(roll: np.random.Generator, emotion: str) -> str:
    if roll.random() < AGREES[emotion]:
        return emotion
    return UNKNOWN if roll.random() < 0.125 else str(roll.choice(TAKEN_FOR[emotion]))


def _box(roll: np.random.Generator, face: Box) -> dict[str, float]:
    """Nobody draws a box twice alike: each edge is off by about 2 % of the face."""
    dx, dy = roll.normal(0, 0.02 * face.width, 2), roll.normal(0, 0.02 * face.height, 2)
    edges = {"minX": face.x0 + dx[0], "minY": face.y0 + dy[0]}
    edges |= {"maxX": face.x1 + dx[1], "maxY": face.y1 + dy[1]}
    return {edge: round(max(0.0, float(at)), 3) for edge, at in edges.items()}

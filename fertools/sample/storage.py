"""Write folders, zips, zip volumes and label files; equal input has equal bytes.

`zipfile` cannot write what the archive holds: it sets the UTF-8 flag for every name that is not
ASCII, and AI-Hub's zips have CP949 names without it. Only this part of the format is needed:

    local header │ name │ bytes        once a member, one after the other
    central header │ name              once a member, with the offset of its local header
    end record                         number, size and offset of the central headers

Fields as in PKWARE's APPNOTE 4.3.7, 4.3.12 and 4.3.16; stored, not compressed; no zip64.

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
from fertools.sample.people import rng_for
from fertools.sample.schedule import Shot

UTF8_FLAG: Final = 0x0800
VERSION: Final = 20
MIDNIGHT, DATE = 0, (2021 - 1980) << 9 | 3 << 5 | 1  # 1 March 2021 in MS-DOS format

#: How often one annotator agrees with the name, and the other emotions that annotators choose. The
#: archive's figures are those of the majority of three, m = 3p² - 2p³: 기쁨 0.975, 중립 0.946, 당황
#: 0.775, 불안 0.378; the other three are not published and are chosen between these.
VOTES: Final = {
    "기쁨": (0.906, ("중립", "당황")),
    "당황": (0.693, ("불안", "중립", "슬픔")),
    "분노": (0.78, ("상처", "불안", "중립")),
    "불안": (0.418, ("당황", "슬픔", "상처", "중립")),
    "상처": (0.52, ("슬픔", "중립", "분노")),
    "슬픔": (0.72, ("상처", "불안", "중립")),
    "중립": (0.860, ("슬픔", "상처")),
}
UNKNOWN: Final = "알수없음"  # about one disagreement in eight


class Folder:
    """A container whose members are the files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it as it is."""


class StoredZip:
    """A container that is a zip with names in `encoding`: "utf-8" with the flag, "cp949" without.

    Raises UnicodeEncodeError for a name that CP949 does not have, struct.error beyond 4 GiB.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self._directory: list[bytes] = []

    def add(self, name: str, content: bytes) -> None:
        raw = name.encode(self.encoding)
        flag = UTF8_FLAG if self.encoding == "utf-8" else 0
        size, stamp = len(content), (MIDNIGHT, DATE)
        shared = struct.pack(
            "<HHHHHIIIHH", VERSION, flag, 0, *stamp, crc32(content), size, size, len(raw), 0
        )
        offset = self._file.tell()
        tail = struct.pack("<HHHII", 0, 0, 0, 0, offset)
        made_by = struct.pack("<H", VERSION)
        self._directory.append(b"PK\x01\x02" + made_by + shared + tail + raw)
        self._file.write(b"PK\x03\x04" + shared + raw + content)

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        offset, directory = self._file.tell(), b"".join(self._directory)
        count = len(self._directory)
        end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), offset, 0)
        self._file.write(directory + b"PK\x05\x06" + end)
        self._file.close()


def split_zip(path: Path, volumes: int) -> list[Path]:
    """Split a zip into volumes `NAME.zip.part<byte offset>`, as AI-Hub serves large ones."""
    size = path.stat().st_size
    step = -(-size // volumes)
    paths = []
    with path.open("rb") as whole:
        for offset in range(0, size, step):
            volume = path.with_name(f"{path.name}.part{offset}")
            volume.write_bytes(whole.read(step))
            paths.append(volume)
    path.unlink()
    return paths


def label_record(seed: int, shot: Shot, face: Box) -> dict[str, Any]:
    """Return a photo's label record; `face` is the true box in the upright photo, in pixels."""
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
            "boxes": _box(rng, face),
            "faceExp": _vote(rng, session.emotion),
            "bg": session.place.name,
        }
    return body


def label_file(records: list[dict[str, Any]], encoding: str) -> bytes:
    """Return a label JSON in "utf-8-sig" (with BOM) or "cp949"; the archive has both."""
    return json.dumps(records, ensure_ascii=False, indent=1).encode(encoding)


def _vote(rng: np.random.Generator, emotion: str) -> str:
    agreement, others = VOTES[emotion]
    if rng.random() < agreement:
        return emotion
    return UNKNOWN if rng.random() < 0.125 else str(rng.choice(others))


def _box(rng: np.random.Generator, face: Box) -> dict[str, float]:
    """Return a box as an annotator draws it: each edge is off by about 2 % of the face."""
    dx, dy = rng.normal(0, 0.02 * face.width, 2), rng.normal(0, 0.02 * face.height, 2)
    edges = {"minX": face.x0 + dx[0], "minY": face.y0 + dy[0]}
    edges |= {"maxX": face.x1 + dx[1], "maxY": face.y1 + dy[1]}
    return {edge: round(max(0.0, float(at)), 3) for edge, at in edges.items()}

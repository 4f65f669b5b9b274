"""One archive with everything that can be wrong with one: a row each, and no traceback."""

from __future__ import annotations

import os
import random
import struct
import sys
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

import fertools
from fertools.archive.scan import scan
from tests.archive.rawzip import UTF8, Item, write_zip
from tests.faces.bytes_of import riff
from tests.fakes import BrightSpot, photo, photo_name, write_archive

KOREAN = photo_name(1, "슬픔", 1)


def image(kind: str, *parameters: int, channels: int = 3, depth: str = "uint8") -> bytes:
    """Encode a photo with a bright square in another format."""
    top = np.iinfo(depth).max
    pixels = np.full((64, 80, channels), top // 6, depth)
    pixels[16:40, 20:44] = top
    done, data = cv2.imencode(f".{kind}", pixels, parameters)
    assert done
    return data.tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """Write a PNG whose header says what it likes."""
    head = chunk(b"IHDR", struct.pack(">2L5B", width, height, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def sized(data: bytes, width: int, height: int) -> bytes:
    """Let a JPEG's frame header claim another size."""
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">2H", height, width) + data[at + 9 :]


def with_exif(data: bytes, orientation: int, offset: int = 8) -> bytes:
    """Put an EXIF orientation into a JPEG."""
    tiff = b"II*\0" + struct.pack("<LHHHLLL", offset, 1, 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def several(first: bytes, second: bytes) -> bytes:
    """Put two JPEGs into one file, as cameras with two lenses do (MPO, CIPA DC-007)."""
    body = b"MPF\0II*\0\x08\0\0\0\0\0"
    return first[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + first[2:] + second


def framed(data: bytes, marker: int, bits: int = 8) -> bytes:
    """Let a JPEG claim another process, such as arithmetic coding, or another depth."""
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes([marker]) + data[at + 2 : at + 4] + bytes([bits]) + data[at + 5 :]


def with_scans(data: bytes, number: int) -> bytes:
    """Repeat a progressive JPEG's last scan, which costs its decoder a whole picture each time."""
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * number + data[-2:]


def cmyk() -> bytes:
    """Draw the photo in four inks."""
    inks = np.full((64, 80, 4), 40, np.uint8)
    inks[16:40, 20:44] = 250
    return bytes(
        simplejpeg.encode_jpeg(inks, quality=95, colorspace="CMYK", colorsubsampling="444")
    )


#: No wall of the archive beside it, or its label would contradict that one's.
WHOLE = photo(seed=90)
SOF = WHOLE.index(b"\xff\xc0")
PROGRESSIVE = image("jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)

#: What the bytes are, and every outcome that is right for them.
BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "one byte": (b"\xff", "unsupported"),
    "html": (b"<!doctype html><title>403</title>", "unsupported"),
    "jpeg cut at 2 %": (WHOLE[: len(WHOLE) // 50], "damaged unsupported"),
    "jpeg cut at 50 %": (WHOLE[: len(WHOLE) // 2], "damaged"),
    "jpeg cut at 90 %": (WHOLE[: len(WHOLE) * 9 // 10], "damaged"),
    "jpeg cut in its header": (WHOLE[: SOF + 4], "damaged"),
    "half and an end marker": (WHOLE[: len(WHOLE) // 2] + b"\xff\xd9", "damaged"),
    "only the end marker missing": (WHOLE[:-2], "kept damaged"),
    "junk behind": (WHOLE + bytes(500_000), "kept"),
    "progressive": (PROGRESSIVE, "kept"),
    "progressive, cut": (PROGRESSIVE[:-200], "damaged"),
    "progressive, 1,000 scans": (with_scans(PROGRESSIVE, 1000), "too_large"),
    "two pictures": (several(WHOLE, photo((40, 30, 20), seed=5)), "kept"),
    "four inks": (cmyk(), "kept"),
    "12 bits": (framed(WHOLE, 0xC1, bits=12), "unsupported"),
    "lossless": (framed(WHOLE, 0xC3), "unsupported"),
    "arithmetic": (framed(WHOLE, 0xC9), "unsupported"),
    "gray": (image("jpg", channels=1), "kept"),
    "jpeg called png": (WHOLE, "kept"),
    "png": (image("png"), "kept"),
    "png with transparency": (image("png", channels=4), "kept"),
    "png of 16 bits": (image("png", depth="uint16"), "kept"),
    "png, cut": (image("png")[:-40], "damaged"),
    "png with a wrong checksum": (image("png").replace(b"IDAT", b"IDAU"), "damaged"),
    "png, animated": (
        image("png").replace(chunk(b"IEND", b""), chunk(b"acTL", bytes(7) + b"\2")),
        "unsupported damaged",
    ),
    "png, animated in front": (
        image("png")[:33] + chunk(b"acTL", b"\0\0\0\2\0\0\0\0") + image("png")[33:],
        "unsupported",
    ),
    "webp": (image("webp"), "kept"),
    "webp, animated": (
        riff((b"VP8X", b"\x02" + bytes(9)), (b"ANIM", bytes(6)), (b"ANMF", bytes(24))),
        "unsupported",
    ),
    "bmp": (image("bmp"), "kept"),
    "bmp, cut": (image("bmp")[:500], "damaged"),
    "gif": (b"GIF89a" + bytes(40), "unsupported"),
    "tiff": (image("tiff"), "unsupported"),
    "pdf": (b"%PDF-1.4", "unsupported"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), "unsupported"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
    "zip": (b"PK\x03\x04" + bytes(40), "unsupported"),
    "png of 20000 x 20000": (png(20000, 20000), "too_large"),
    "png of 2^31": (png(2**31 - 1, 2**31 - 1), "too_large damaged"),
    "jpeg of 65500 x 65500": (sized(WHOLE, 65500, 65500), "too_large"),
    "jpeg of 0 x 0": (sized(WHOLE, 0, 0), "damaged"),
    "png of 1 x 1": (png(1, 1, b"\0\0"), "no_face"),
    "png of 1 x 4000": (png(1, 4000, bytes(8000)), "no_face"),
    "black": (png(80, 64, bytes(81 * 64)), "no_face"),
    "no face": (photo(None), "no_face"),
    "exif 0": (with_exif(WHOLE, 0), "kept"),
    "exif 6": (with_exif(WHOLE, 6), "kept"),
    "exif 99": (with_exif(WHOLE, 99), "kept"),
    "exif far away": (with_exif(WHOLE, 6, offset=2**31), "kept"),
}

#: A photo with another label must be another photo, or the two contradict each other.
_END, OTHER = photo_name(2, "기쁨", 0), photo((40, 30, 20), gray=90, seed=9)

#: A zip's name and bytes; whether its members are used is told by its rows.
ZIPS: dict[str, bytes] = {
    "cp949": write_zip(Item(KOREAN.encode("cp949"), WHOLE)),
    "utf-8 without the flag": write_zip(Item(KOREAN.encode(), WHOLE)),
    "flag on cp949": write_zip(Item(KOREAN.encode("cp949"), WHOLE, flags=UTF8)),
    "mixed": write_zip(Item(KOREAN.encode("cp949"), WHOLE), Item(_END.encode(), OTHER, flags=UTF8)),
    "syllables beyond euc-kr": write_zip(Item(f"뷁쨰/{KOREAN}".encode("cp949"), WHOLE)),
    "climbing": write_zip(Item(f"../../{KOREAN}".encode(), WHOLE)),
    "absolute": write_zip(Item(f"/etc/{KOREAN}".encode(), WHOLE)),
    "drive": write_zip(Item(f"C:\\{KOREAN}".encode(), WHOLE)),
    "nul": write_zip(Item(b"a\0" + KOREAN.encode(), WHOLE)),
    "long": write_zip(Item(b"x" * 300 + KOREAN.encode(), WHOLE)),
    "twice": write_zip(Item(KOREAN.encode(), WHOLE), Item(KOREAN.encode(), photo(seed=93))),
    "encrypted": write_zip(Item(KOREAN.encode(), WHOLE, flags=1)),
    "lzma": write_zip(Item(KOREAN.encode(), WHOLE, method=14)),
    "crc": write_zip(Item(KOREAN.encode(), WHOLE, crc=1), Item(_END.encode(), OTHER)),
    "smaller than it says": write_zip(Item(KOREAN.encode(), WHOLE, method=8, size=10**6)),
    "larger than it says": write_zip(Item(KOREAN.encode(), WHOLE, method=8, size=10)),
    "bomb": write_zip(Item(KOREAN.encode(), bytes(50_000_000), method=8)),
    "zip in zip": write_zip(Item(b"inner.zip", write_zip(Item(KOREAN.encode(), WHOLE)))),
    "overlap": write_zip(Item(KOREAN.encode(), WHOLE), Item(_END.encode(), OTHER, at=0)),
    "zip64": write_zip(Item(KOREAN.encode(), WHOLE), zip64=True),
    "lying locator": write_zip(Item(KOREAN.encode(), WHOLE), locator=2**40),
    "claims ten million": write_zip(Item(KOREAN.encode(), WHOLE), claimed=10**7, zip64=True),
    "junk in front": write_zip(Item(KOREAN.encode(), WHOLE), front=b"MZ" + bytes(999)),
    "cut": write_zip(Item(KOREAN.encode(), WHOLE))[:-30],
    "no bytes": b"",
    "no zip": b"hello",
    "link": write_zip(Item(KOREAN.encode(), b"/etc/passwd", mode=0o120777)),
}


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_everything(source: Path) -> None:
    """Write an archive of sound photos and of everything above."""
    write_archive(source)
    for number, (what, (data, _)) in enumerate(BYTES.items()):
        put(source / f"bytes {what}" / photo_name(number % 10, "슬픔", 30 + number), data)
    for what, data in ZIPS.items():
        put(source / "zips" / f"{what}.zip", data)
    split = write_zip(*(Item(photo_name(i, "슬픔", 1).encode(), WHOLE) for i in range(4)))
    for at in (0, 2000, 4000):
        put(source / "pieces" / f"whole.zip.part{at}", split[at : at + 2000 if at < 4000 else None])
    put(source / "pieces" / "gap.zip.part0", split[:2000])
    put(source / "pieces" / "gap.zip.part4000", split[4000:])
    _write_names(source / "names")


def _write_names(home: Path) -> None:
    put(home / unicodedata.normalize("NFD", KOREAN), WHOLE)
    put(home / KOREAN, photo(seed=91))
    for strange in ("a\nb", "a\tb", "\x1b[31mred", "\u202egnp", "=cmd()|x", "[x]", "a'b", "100%"):
        put(home / f"{strange} {KOREAN}", photo(seed=92))
    put(home / "A.jpg", WHOLE)
    put(home / "a.JPG", WHOLE)
    for other in (f"._{KOREAN}", "Thumbs.db", f"__MACOSX/{KOREAN}", ".hidden.jpg", "a.txt"):
        put(home / other, b"x")
    put(home / "/".join(["d"] * 100) / KOREAN, photo(seed=94))
    (home / "folder.jpg").mkdir()
    if os.name == "posix":
        put(home / os.fsdecode(KOREAN.encode("cp949")), WHOLE)
        os.mkfifo(home / "pipe.jpg")
        (home / "inside.jpg").symlink_to(KOREAN)
        (home / "outside.jpg").symlink_to("/etc/passwd")
        (home / "loop.jpg").symlink_to("loop.jpg")
        (home / "nothing.jpg").symlink_to("nowhere")
        with (home / f"sparse {KOREAN}").open("wb") as file:
            file.truncate(1 << 40)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("inputs") / "src"
    write_everything(source)
    return source


def build(source: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, out, **look | options)
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def test_everything_at_once_is_a_row_each_and_a_dataset(everything: Path, tmp_path: Path) -> None:
    rows = build(everything, tmp_path / "out")
    assert len(rows) == len(scan(everything).members)
    fates: dict[str, str] = {}
    for row in rows:
        container = str(row["container"])
        if container.startswith("bytes "):
            fates[container.removeprefix("bytes ")] = row["outcome"]
    wrong = {w: fates[w] for w, (_, right) in BYTES.items() if fates[w] not in right.split()}
    assert wrong == {}
    assert sum(row["outcome"] == "kept" for row in rows if "1.Training" in row["key"]) == 60
    verdict = fertools.verify(tmp_path / "out", everything, quiet=True)
    assert verdict.ok, verdict.text()


def test_what_zips_hold_is_used_or_told_why_not(everything: Path, tmp_path: Path) -> None:
    rows = build(everything, tmp_path / "out")
    fates = {name: Counter(_outcomes(rows, f"zips/{name}.zip")) for name in ZIPS}
    for name in ("cp949", "utf-8 without the flag", "flag on cp949", "zip64", "junk in front"):
        assert fates[name] == {"kept": 1}, name
    assert fates["mixed"] == {"kept": 2}
    assert fates["encrypted"] == {"encrypted": 1}
    assert fates["crc"] == {"unreadable": 1, "kept": 1}
    assert fates["no zip"] == {"damaged_archive": 1}
    assert "kept" not in fates["link"] + fates["bomb"] + fates["smaller than it says"]
    assert Counter(_outcomes(rows, "pieces/whole.zip")) == {"kept": 4}
    assert "damaged_archive" in _outcomes(rows, "pieces/gap.zip")


def _outcomes(rows: list[dict[str, Any]], where: str) -> list[str]:
    return [row["outcome"] for row in rows if where in (row["container"], row["key"])]


def test_nothing_is_written_outside_of_out(everything: Path, tmp_path: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in everything.rglob("*")}
    build(everything, tmp_path / "deep" / "out")
    assert {path: path.lstat().st_mtime_ns for path in everything.rglob("*")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def write_many(source: Path, members: int, troubles: float) -> None:
    """Write many photos into a folder and two zips, some troubled in one of the ways above."""
    dice = random.Random(1)
    kinds = cycle([data for data, right in BYTES.values() if "kept" not in right])
    spoil: list[Callable[[bytes, bytes], Item]] = [
        lambda name, data: Item(name, data[: dice.randrange(len(data))]),
        lambda name, _: Item(name, next(kinds)),
        lambda name, data: Item(name, data.replace(b"\xff\xda", b"\xff\xdb")),
    ]
    spoil_packed = [
        *spoil,
        lambda name, data: Item(name, data, crc=1),
        lambda name, data: Item(name, data, flags=1),
        lambda name, data: Item(name, data, method=14),
        lambda name, data: Item(name, data, method=8, size=10**6),
    ]
    zipped: dict[str, list[Item]] = {"당황": [], "분노": []}
    for number in range(members):
        who, emotion = number % 60, ("기쁨", "당황", "분노")[number // 60 % 3]
        name = photo_name(who, emotion, number).encode("cp949" if emotion == "당황" else "utf-8")
        item = Item(name, photo(seed=number), method=8 if emotion == "분노" else 0)
        if dice.random() < troubles:
            item = dice.choice(spoil_packed if emotion in zipped else spoil)(name, item.data)
        if emotion in zipped:
            zipped[emotion].append(item)
        else:
            put(source / emotion / name.decode(), item.data)
    for emotion, items in zipped.items():
        put(source / f"EMOIMG_{emotion}.zip", write_zip(*items))


@pytest.mark.parametrize(
    "members", [300, pytest.param(10_000, marks=pytest.mark.slow)], ids=["300", "10,000"]
)
def test_troubles_among_many_lose_nobody(tmp_path: Path, members: int) -> None:
    write_many(tmp_path / "src", members, 0.03)
    rows = build(tmp_path / "src", tmp_path / "out", jobs=1 if members < 1000 else 2)
    assert len(rows) == members
    outcomes = Counter(row["outcome"] for row in rows)
    assert 0.94 * members < outcomes["kept"] < 0.99 * members, outcomes
    if members > 1000:
        assert {"damaged", "empty", "too_large", "no_face", "unreadable"} <= set(outcomes)
        assert {"unsupported", "encrypted"} <= set(outcomes)
    verdict = fertools.verify(tmp_path / "out", tmp_path / "src", quiet=True)
    assert verdict.ok, verdict.text()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_a_row(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    hidden = next(source.rglob("*.jpg"))
    hidden.chmod(0)
    rows = build(source, tmp_path / "out")
    assert [row["outcome"] for row in rows if row["key"].endswith(hidden.name)] == ["unreadable"]

"""Builds from archives whose photos lie in tars, as in the recovery tests of folders and zips."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import fertools
from tests.archive.rawzip import Item, write_zip
from tests.fakes import EMOTION_NAMES, BrightSpot, photo, photo_name

#: Options of all builds here.
LOOK: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}


def photos(emotion: str, people: range, shots: int = 2) -> dict[str, bytes]:
    """Return photos of some people by name."""
    return {
        photo_name(who, emotion, shot): photo(
            (10 + who, 8, 24), seed=EMOTION_NAMES.index(emotion) * 10**5 + 100 * who + shot
        )
        for who in people
        for shot in range(shots)
    }


def zip_of(files: dict[str, bytes]) -> bytes:
    return write_zip(*(Item(name.encode(), data, method=8) for name, data in files.items()))


def volumes(name: str, data: bytes, size: int = 9000) -> dict[str, bytes]:
    return {f"{name}.part{at}": data[at : at + size] for at in range(0, len(data), size)}


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_download(source: Path) -> Path:
    """Write a download.tar with a zip in volumes, a tar of photos, and a zip beside them."""
    pieces = volumes("원천데이터/[원천]EMOIMG_기쁨_TRAIN_01.zip", zip_of(photos("기쁨", range(12))))
    write_tar(source / "download.tar", pieces)
    folder = "[원천]EMOIMG_당황_TRAIN_01"
    write_tar(
        source / "photos.tar",
        {f"{folder}/{name}": data for name, data in photos("당황", range(12)).items()},
    )
    (source / "[원천]EMOIMG_분노_TRAIN_01.zip").write_bytes(zip_of(photos("분노", range(12))))
    return source


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def test_a_dataset_from_tars_has_every_photo_and_is_verified(tmp_path: Path) -> None:
    source = write_download(tmp_path / "src")
    fertools.build_dataset(source, tmp_path / "out", **LOOK)
    rows = rows_of(tmp_path / "out")
    assert [row["outcome"] for row in rows] == ["kept"] * 72
    assert {row["label"] for row in rows} == {"기쁨", "당황", "분노"}
    verdict = fertools.verify(tmp_path / "out", source, quiet=True)
    assert verdict.ok, verdict.text()


def test_a_tar_that_was_touched_costs_one_reading_and_changes_no_byte(tmp_path: Path) -> None:
    source, out = write_download(tmp_path / "src"), tmp_path / "out"
    fertools.build_dataset(source, out, **LOOK)
    first = (out / "SHA256SUMS").read_bytes()
    for name in ("download.tar", "photos.tar"):
        os.utime(source / name, ns=(1, 1))
    fertools.build_dataset(source, out, **LOOK, seed=5, overwrite=True)
    fertools.build_dataset(source, out, **LOOK, overwrite=True)
    assert (out / "SHA256SUMS").read_bytes() == first


def test_another_photo_in_a_tar_of_the_same_size_is_processed_again(tmp_path: Path) -> None:
    """A tar has no checksum: its time leads to a comparison by SHA-256."""
    source, out = write_download(tmp_path / "src"), tmp_path / "out"
    fertools.build_dataset(source, out, **LOOK)
    data = bytearray((source / "photos.tar").read_bytes())
    start = data.index(b"\xff\xd8")
    before = {row["key"]: row["digest"] for row in rows_of(out)}
    data[start + 600] ^= 1
    (source / "photos.tar").write_bytes(data)
    fertools.build_dataset(source, out, **LOOK, seed=5, overwrite=True)
    after = {row["key"]: row["digest"] for row in rows_of(out)}
    changed = [key for key in before if before[key] != after[key]]
    assert len(changed) == 1
    assert changed[0].startswith("photos.tar/")

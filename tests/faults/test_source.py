"""An archive that changes: while it is read, and between an interruption and going on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import fertools
from fertools.data import Face
from fertools.errors import OutputError
from tests.archive.rawzip import Item, write_zip
from tests.fakes import BrightSpot, photo, photo_name, write_archive
from tests.faults.history import digests


class Meanwhile:
    """Finds what the bright spot finds, and does something at its twentieth photo."""

    name = BrightSpot().name

    def __init__(self, deed: Callable[[], object]) -> None:
        self.deed, self.looked = deed, 0

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.looked += 1
        if self.looked == 20:
            self.deed()
        return BrightSpot().detect(image)


def build(source: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    look: dict[str, Any] = {"detector": BrightSpot(), "size": 16, "quiet": True, "jobs": 1}
    fertools.build_dataset(source, out, **look | options)
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows


def zipped(first_seed: int) -> tuple[bytes, dict[str, str]]:
    """Write a zip of a hundred photos of ten people, and name each one's digest."""
    photos = {
        photo_name(i % 10, "기쁨", i): photo((10 + i % 30, 8, 24), seed=first_seed + i)
        for i in range(100)
    }
    data = write_zip(*(Item(name.encode(), data) for name, data in photos.items()))
    return data, {name: sha256(data).hexdigest() for name, data in photos.items()}


def renamed(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


def rewritten(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)


@pytest.mark.parametrize("replace", [renamed, rewritten])
def test_a_zip_that_is_replaced_while_it_is_read_gives_no_mixed_bytes(
    tmp_path: Path, replace: Callable[[Path, bytes], None]
) -> None:
    before, sums = zipped(100)
    path = tmp_path / "src" / "EMOIMG_기쁨.zip"
    path.parent.mkdir()
    path.write_bytes(before)
    deed = Meanwhile(lambda: replace(path, zipped(500)[0]))
    rows = build(path.parent, tmp_path / "out", detector=deed)
    fates = Counter(row["outcome"] for row in rows)
    assert len(rows) == 100
    assert set(fates) <= {"kept", "changed", "unreadable"}
    assert fates["changed"] >= 50
    for row in rows:
        if row["outcome"] == "kept":
            assert row["digest"] == sums[row["key"].rpartition("/")[2]]
    assert fertools.verify(tmp_path / "out", quiet=True).ok


def test_photos_that_change_or_go_while_others_are_read_are_rows(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    last = sorted(source.rglob("*.jpg"))[-4:]

    def deed() -> None:
        last[0].unlink()
        last[1].write_bytes(last[1].read_bytes() + b"more")
        os.utime(last[2], ns=(1, 1))
        last[3].unlink()
        last[3].symlink_to("/etc/passwd")

    rows = build(source, tmp_path / "out", detector=Meanwhile(deed))
    fates = {row["key"].rpartition("/")[2]: row["outcome"] for row in rows}
    assert [fates[path.name] for path in last] == ["changed"] * 4
    assert Counter(fates.values()) == {"kept": 56, "changed": 4}


@pytest.fixture
def broken_off(tmp_path: Path) -> tuple[Path, Path]:
    """An archive, and the OUT of a build of it that was stopped half-way."""
    source, out = write_archive(tmp_path / "src"), tmp_path / "out"

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(source, out, detector=Meanwhile(stop))
    assert list(out.rglob("*.rows"))
    return source, out


def test_a_file_more_or_less_at_resume_is_refused_with_the_difference(
    broken_off: tuple[Path, Path],
) -> None:
    source, out = broken_off
    new = source / photo_name(1, "중립", 9)
    new.write_bytes(photo(seed=77))
    with pytest.raises(OutputError, match=r"members 60 \(now 61\).*--overwrite"):
        build(source, out)
    new.unlink()
    first = sorted(source.rglob("*.jpg"))[0]
    data = first.read_bytes()
    first.unlink()
    with pytest.raises(OutputError, match=r"members 60 \(now 59\)"):
        build(source, out)
    first.write_bytes(data)  # the same bytes again, at another time: the same archive
    build(source, out)
    build(source, out.with_name("fresh"))
    assert digests(out) == digests(out.with_name("fresh"))


@pytest.mark.slow
def test_the_number_of_workers_may_change_at_resume_and_the_size_may_not(
    broken_off: tuple[Path, Path],
) -> None:
    source, out = broken_off
    with pytest.raises(OutputError, match=r"size 16 \(now 24\)"):
        build(source, out, size=24)
    build(source, out, jobs=2)
    build(source, out.with_name("fresh"))
    assert digests(out) == digests(out.with_name("fresh"))

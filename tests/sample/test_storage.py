"""The zip writer, read by the standard library."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from fertools.sample.storage import StoredZip, split_zip


def written(path: Path, coding: str) -> Path:
    with StoredZip(path, coding) as archive:
        archive.add("기쁨.jpg", b"a" * 1000)
        archive.add("empty.jpg", b"")
    return path


def test_utf8_names_carry_the_flag(tmp_path: Path) -> None:
    with ZipFile(written(tmp_path / "a.zip", "utf-8")) as archive:
        assert archive.namelist() == ["기쁨.jpg", "empty.jpg"]
        assert [archive.read(name) for name in archive.namelist()] == [b"a" * 1000, b""]
        assert {entry.compress_type for entry in archive.infolist()} == {0}
        assert archive.infolist()[0].date_time == (2021, 3, 1, 0, 0, 0)


def test_cp949_names_do_not(tmp_path: Path) -> None:
    with ZipFile(written(tmp_path / "a.zip", "cp949")) as archive:
        entry = archive.infolist()[0]
        assert entry.flag_bits == 0
        assert entry.filename.encode("cp437") == "기쁨.jpg".encode("cp949")
        assert archive.testzip() is None


def test_a_zip_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", "utf-8")
    with pytest.raises(FileExistsError), StoredZip(path, "utf-8"):
        pass


def test_pieces_join_to_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", "utf-8")
    whole = path.read_bytes()
    pieces = split_zip(path, 3)
    assert [piece.name for piece in pieces] == ["a.zip.part0", "a.zip.part404", "a.zip.part808"]
    assert b"".join(piece.read_bytes() for piece in pieces) == whole
    assert not path.exists()

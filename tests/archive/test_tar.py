from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import IN_TAR, ReadFault, Reason, Unusable
from fertools.errors import SourceError
from tests.archive.rawzip import Item, write_zip
from tests.fakes import photo_name

LONG = [photo_name(who, "기쁨", who) for who in range(4)]  # above 100 bytes: extended headers
ITEMS = [Item(f"{n:02}.jpg".encode(), bytes([n]) * 400) for n in range(20)]
ZIP = write_zip(*ITEMS)


@dataclass(frozen=True)
class Entry:
    name: str
    data: bytes = b"photo"
    type: bytes = tarfile.REGTYPE


def write_tar(*entries: Entry, format: int = tarfile.GNU_FORMAT, encoding: str = "utf-8") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format, encoding=encoding) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type, info.size = entry.type, len(entry.data)
            tar.addfile(info, io.BytesIO(entry.data))
    return file.getvalue()


def pieces(data: bytes, size: int, name: str = "x/NAME.zip") -> list[Entry]:
    return [Entry(f"{name}.part{at}", data[at : at + size]) for at in range(0, len(data), size)]


def read(source: Path) -> dict[str, bytes | Reason]:
    found: dict[str, bytes | Reason] = {}
    with Reader(source) as reader:
        for member in scan(source).members:
            try:
                found[member.key] = reader.read(member)
            except Unusable as error:
                found[member.key] = error.drop.reason
    return found


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_photos_are_read_in_place_whatever_the_format(tmp_path: Path, format: int) -> None:
    names = [f"기쁨/{n}.jpg" if format == tarfile.USTAR_FORMAT else f"기쁨/{n}" for n in LONG]
    if format == tarfile.USTAR_FORMAT:  # it has no names above 100 bytes without folders
        names = [f"{'d' * 90}/기쁨 {number}.jpg" for number in range(4)]
    tar = write_tar(
        *(Entry(n, n.encode()) for n in names), Entry("d", b"", tarfile.DIRTYPE), format=format
    )
    (tmp_path / "photos.tar").write_bytes(tar)
    assert read(tmp_path) == {f"photos.tar/{name}": name.encode() for name in names}
    assert scan(tmp_path).warnings == ()
    assert read(tmp_path / "photos.tar") == read(tmp_path)
    member = scan(tmp_path).members[0]
    assert (member.container, member.path) == ("photos.tar", b"photos.tar")
    assert member.packed is not None
    assert (member.packed.method, member.has_checksum) == (IN_TAR, False)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_korean_names_are_decoded(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.tar").write_bytes(write_tar(*map(Entry, LONG), encoding=encoding))
    assert set(read(tmp_path)) == {f"a.tar/{name}" for name in LONG}


def test_the_volumes_in_download_tar_are_read_as_one_zip(tmp_path: Path) -> None:
    """D1.2: aihubshell's download.tar, without the two copies that unpacking and joining write."""
    entries = [Entry("x/", b"", tarfile.DIRTYPE), *pieces(ZIP, 1000), Entry("x/whole.zip", ZIP)]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "download.tar").write_bytes(write_tar(*entries))
    (tmp_path / "d" / "beside.zip").write_bytes(ZIP)
    before = sorted(tmp_path.rglob("*"))
    listed = scan(tmp_path)
    assert listed.warnings == ()
    zips = ("d/beside.zip", "d/download.tar/x/NAME.zip", "d/download.tar/x/whole.zip")
    right = {f"{zipped}/{item.name.decode()}": item.data for zipped in zips for item in ITEMS}
    assert read(tmp_path) == right
    assert list(read(tmp_path)) == sorted(right)
    assert {m.path for m in listed.members} >= {b"d/download.tar/x/NAME.zip.part0"}
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_volume_in_a_tar_is_named(tmp_path: Path) -> None:
    entries = [piece for piece in pieces(ZIP, 1000) if not piece.name.endswith("part2000")]
    (tmp_path / "download.tar").write_bytes(write_tar(*entries))
    listed = scan(tmp_path)
    assert "NAME.zip.part2000 is missing" in listed.warnings[0]
    found = {key: data for key, data in read(tmp_path).items() if isinstance(data, bytes)}
    right = {f"download.tar/x/NAME.zip/{item.name.decode()}": item.data for item in ITEMS}
    assert found.items() < right.items()
    assert len(found) > 14


def test_a_tar_that_was_cut_gives_what_lies_before(tmp_path: Path) -> None:
    photos = [Entry(f"{number}.jpg", bytes([number]) * 700) for number in range(4)]
    tar = write_tar(*photos, *pieces(ZIP, 1500))
    whole_zip = {f"a.tar/x/NAME.zip/{item.name.decode()}": item.data for item in ITEMS}
    right = {f"a.tar/{photo.name}": photo.data for photo in photos} | whole_zip
    for size in range(512, len(tar) - 10_240 + 512, 256):  # tarfile pads to 10,240 bytes
        (tmp_path / "a.tar").write_bytes(tar[:size])
        try:
            listed = scan(tmp_path)
        except SourceError:
            assert size < 3 * 512
            continue
        damaged = [m for m in listed.members if m.dropped and m.key == "a.tar"]
        assert damaged or size >= len(tar) - 10_240
        assert any(line.startswith("a.tar: it was cut") for line in listed.warnings) or not damaged
        found = {key: data for key, data in read(tmp_path).items() if isinstance(data, bytes)}
        assert found.items() <= right.items()
        assert len(found) >= min(4, size // 1536)
    assert found == right


def test_a_damaged_header_is_told_and_what_lies_before_is_used(tmp_path: Path) -> None:
    tar = bytearray(write_tar(*(Entry(f"{number}.jpg") for number in range(3))))
    tar[2 * 1024 + 100] ^= 1
    (tmp_path / "a.tar").write_bytes(tar)
    listed = scan(tmp_path)
    assert "its header at byte 2,048 is damaged" in listed.warnings[0]
    assert [m.key for m in listed.members if not m.dropped] == ["a.tar/0.jpg", "a.tar/1.jpg"]
    assert next(m for m in listed.members if m.key == "a.tar").dropped is not None


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_a_compressed_tar_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(write_tar(Entry("1.jpg"))))
    (tmp_path / "2.jpg").write_bytes(b"photo")
    listed = scan(tmp_path)
    assert len(listed.warnings) == 1
    assert listed.warnings[0].startswith(f"{name}: ")
    assert "unpack it" in listed.warnings[0]
    assert [m.key for m in listed.members if not m.dropped] == ["2.jpg"]


def test_what_is_no_file_in_a_tar_has_a_row(tmp_path: Path) -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
    special = [Entry(f"{number}.jpg", b"", kind) for number, kind in enumerate(kinds)]
    others = [
        Entry("../../up.jpg"),
        Entry("empty.jpg", b""),
        Entry("inner.tar"),
        Entry("labels.json", b"{}"),
        Entry("__MACOSX/._1.jpg"),
        Entry("twice.jpg", b"old"),
        Entry("twice.jpg", b"new"),
    ]
    (tmp_path / "a.tar").write_bytes(write_tar(*special, *others))
    fates = {m.key: m.dropped and m.dropped.reason for m in scan(tmp_path).members}
    assert fates == {
        **{f"a.tar/{number}.jpg": Reason.UNREADABLE for number in range(4)},
        "a.tar/up.jpg": None,
        "a.tar/empty.jpg": Reason.EMPTY,
        "a.tar/inner.tar": Reason.NOT_A_PHOTO,
        "a.tar/labels.json": Reason.LABEL_FILE,
        "a.tar/__MACOSX/._1.jpg": Reason.NOT_A_PHOTO,
        "a.tar/twice.jpg": Reason.NOT_A_PHOTO,
        "a.tar/twice.jpg #2": None,
    }
    assert read(tmp_path)["a.tar/twice.jpg #2"] == b"new"
    assert read(tmp_path)["a.tar/labels.json"] == b"{}"


def test_a_tar_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(bytes(1024))
    with pytest.raises(SourceError, match="no photo that can be used"):
        scan(tmp_path)


def resize(tar: Path) -> None:
    tar.write_bytes(write_tar(Entry("0.jpg", b"x"), Entry("1.jpg", b"another photo")))


@pytest.mark.parametrize("change", [resize, Path.unlink])
def test_a_tar_that_changes_after_the_scan_is_a_fault(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    tar = tmp_path / "a.tar"
    tar.write_bytes(write_tar(Entry("0.jpg", b"x" * 600), Entry("1.jpg")))
    members = scan(tmp_path).members
    change(tar)
    for member in members:
        with Reader(tmp_path, since=0) as reader, pytest.raises(ReadFault):
            reader.read(member)


def test_the_times_of_a_tar_do_not_matter_where_the_headers_agree(tmp_path: Path) -> None:
    tar = tmp_path / "download.tar"
    tar.write_bytes(write_tar(Entry("1.jpg"), *pieces(ZIP, 1000)))
    members = list(scan(tmp_path).members)
    os.utime(tar, ns=(1, 1))
    with Reader(tmp_path, since=0) as reader:
        assert len([reader.read(member) for member in members]) == 21


def test_sizes_that_lie_end_the_listing(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1.jpg")
    info.size = 1 << 60  # above 8 GiB it is written in base 256
    (tmp_path / "a.tar").write_bytes(
        write_tar(Entry("0.jpg"))[:1024] + info.tobuf(tarfile.GNU_FORMAT)
    )
    listed = scan(tmp_path)
    assert "it was cut inside 1.jpg" in listed.warnings[0]
    assert [m.key for m in listed.members if not m.dropped] == ["a.tar/0.jpg"]

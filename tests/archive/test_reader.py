from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fertools.archive import reader as reading
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Drop, Member, ReadFault, Reason, Unusable
from tests.archive.rawzip import Item, write_zip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(b"a photo")
    (tmp_path / "b.zip").write_bytes(write_zip(Item(b"b.jpg", b"packed photo" * 9, method=8)))
    return tmp_path


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def refused(source: Path, member: Member) -> Drop:
    """Return what the bytes themselves say against a member."""
    with Reader(source) as reader, pytest.raises(Unusable) as caught:
        reader.read(member)
    return caught.value.drop


def fault(source: Path, member: Member) -> Drop:
    """Return what kept a member from being read; its file may have changed since the scan."""
    with Reader(source, since=0) as reader, pytest.raises(ReadFault) as caught:
        reader.read(member)
    return caught.value.drop


def test_every_way_of_changing_a_loose_file_is_seen(source: Path) -> None:
    photo = source / "a.jpg"
    member = scan(source).members[0]
    assert member.key == "a.jpg"

    photo.write_bytes(b"a longer photo")
    assert fault(source, member).reason is Reason.CHANGED

    photo.unlink()
    assert fault(source, member).reason is Reason.CHANGED

    os.mkfifo(photo)
    assert fault(source, member).reason is Reason.CHANGED

    photo.unlink()
    (source / "copy").write_bytes(b"a photo")
    photo.symlink_to("copy")
    assert fault(source, member).reason is Reason.CHANGED


def test_a_file_that_is_being_written_to_is_not_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = source / "a.jpg"
    member = scan(source).members[0]
    whole_read = os.pread

    def read(descriptor: int, count: int, at: int) -> bytes:
        os.utime(photo, ns=(member.modified + 1, member.modified + 1))
        return whole_read(descriptor, count, at)

    monkeypatch.setattr(os, "pread", read)
    assert "written to" in fault(source, member).detail


def test_times_do_not_matter_where_the_bytes_agree(source: Path) -> None:
    """V1, V2: a zip that was touched, or another machine's copy, has other times."""
    loose, packed = scan(source).members
    for path in source.iterdir():
        os.utime(path, ns=(1, 1))
    with Reader(source) as reader:
        assert reader.read(loose) == b"a photo"
        assert reader.read(packed) == b"packed photo" * 9
        os.utime(source / "b.zip", ns=(2, 2))
        assert reader.read(packed) == b"packed photo" * 9


def test_a_zip_replaced_or_gone_is_seen(source: Path) -> None:
    member = scan(source).members[1]
    archive = source / "b.zip"
    archive.write_bytes(write_zip(Item(b"c.jpg", b"another photo" * 9, method=8)))
    os.utime(archive, ns=(1, 1))
    assert fault(source, member).reason is Reason.CHANGED
    archive.unlink()
    assert fault(source, member).reason is Reason.CHANGED


def test_damage_in_a_zip_that_nobody_wrote_to_is_a_fact(source: Path) -> None:
    member = scan(source).members[1]
    archive = source / "b.zip"
    data = bytearray(archive.read_bytes())
    data[45] ^= 1
    archive.write_bytes(data)
    os.utime(archive, ns=(member.modified, member.modified))
    assert refused(source, member).reason is Reason.UNREADABLE


def test_a_zip_cut_behind_its_mtime_is_seen(source: Path) -> None:
    member = scan(source).members[1]
    archive = source / "b.zip"
    archive.write_bytes(archive.read_bytes()[:40])
    os.utime(archive, ns=(member.modified, member.modified))
    assert refused(source, member).reason is Reason.UNREADABLE  # nothing tells that it was cut
    os.utime(archive, ns=(1, 1))
    assert fault(source, member).reason is Reason.CHANGED


def test_a_volume_that_is_gone_is_named(tmp_path: Path) -> None:
    data = write_zip(Item(b"b.jpg", b"packed photo" * 9))
    (tmp_path / "b.zip.part0").write_bytes(data[:50])
    (tmp_path / "b.zip.part50").write_bytes(data[50:100])
    (tmp_path / "b.zip.part100").write_bytes(data[100:])
    (member,) = scan(tmp_path).members
    (tmp_path / "b.zip.part50").unlink()
    assert fault(tmp_path, member) == Drop(
        Reason.CHANGED,
        "b.zip.part50 is missing (or b.zip.part0 was cut)",
    )


def test_a_set_whose_volumes_are_gone_is_changed(tmp_path: Path) -> None:
    (tmp_path / "b.zip.part0").write_bytes(write_zip(Item(b"b.jpg")))
    (member,) = scan(tmp_path).members
    (tmp_path / "b.zip.part0").unlink()
    assert fault(tmp_path, member).reason is Reason.CHANGED


def test_a_link_in_the_place_of_a_volume_is_a_missing_volume(tmp_path: Path) -> None:
    data = write_zip(Item(b"b.jpg"), Item(b"c.jpg", bytes(1500)))
    (tmp_path / "b.zip.part0").write_bytes(data[:1000])
    (tmp_path / "elsewhere").write_bytes(data[1000:])
    (tmp_path / "b.zip.part1000").symlink_to("elsewhere")
    members = {member.name: member for member in scan(tmp_path).members}
    with Reader(tmp_path) as reader:
        assert reader.read(members["b.jpg"]) == b"photo"


def test_what_is_too_large_is_not_opened(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 6)
    for member in scan(source).members:
        absent = replace(member, path=b"not there")
        assert refused(source, absent).reason is Reason.TOO_LARGE
    monkeypatch.setattr(reading, "MAX_BYTES", 7)
    with Reader(source) as reader:
        assert reader.read(scan(source).members[0]) == b"a photo"


def test_a_member_without_bytes_is_empty(source: Path) -> None:
    member = replace(scan(source).members[0], size=0)
    assert refused(source, member) == Drop(Reason.EMPTY)


def test_a_file_without_permission_is_unreadable(source: Path) -> None:
    member = scan(source).members[0]
    (source / "a.jpg").chmod(0)
    if os.access(source / "a.jpg", os.R_OK):
        pytest.skip("root may read everything")
    assert fault(source, member) == Drop(Reason.UNREADABLE, "Permission denied")


def test_an_io_error_is_unreadable(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    members = scan(source).members
    monkeypatch.setattr(os, "pread", fail)
    for member in members:
        assert fault(source, member) == Drop(Reason.UNREADABLE, "Input/output error")


def test_short_reads_are_completed(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_read = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, at: whole_read(fd, min(count, 3), at))
    members = scan(source).members
    with Reader(source) as reader:
        assert [reader.read(m) for m in members] == [b"a photo", b"packed photo" * 9]


def test_a_disk_that_gives_less_than_the_size_is_seen(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = scan(source).members
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    for member in members:
        assert fault(source, member).reason is Reason.CHANGED


def test_a_handful_of_files_is_open_over_many_containers(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.zip").write_bytes(write_zip(Item(b"a.jpg", b"%d" % number)))
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    members = scan(tmp_path).members
    before = open_files()
    with Reader(tmp_path) as reader:
        for member in [*members] * 50:
            assert reader.read(member)
        assert open_files() <= before + 8
    assert open_files() == before


def test_a_closed_reader_opens_again(source: Path) -> None:
    members = scan(source).members
    reader = Reader(source)
    reader.close()
    assert reader.read(members[1]) == b"packed photo" * 9
    reader.close()


def test_nothing_of_the_users_is_written_to(source: Path) -> None:
    def state() -> dict[str, tuple[int, int, bytes]]:
        files = sorted(source.iterdir())
        return {f.name: (f.stat().st_mtime_ns, f.stat().st_ctime_ns, f.read_bytes()) for f in files}

    before = state()
    with Reader(source) as reader:
        for member in scan(source).members:
            reader.read(member)
    assert state() == before

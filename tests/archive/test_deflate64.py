from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from fertools.archive.containers import entry
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Reason, Unusable
from tests.archive.rawzip import Item, write_zip

inflate64 = pytest.importorskip("inflate64")

#: Longer than 64 KiB: beyond that deflate64 refers further back than deflate.
DATA = bytes(range(256)) * 700 + b"end" * 40_000


def packed(data: bytes) -> bytes:
    packer = inflate64.Deflater()
    return bytes(packer.deflate(data) + packer.flush())


def item(name: bytes, data: bytes, **fields: int) -> Item:
    given = {"size": len(data), "crc": zlib.crc32(data)} | fields
    return Item(name, packed(data), method=9, **given)  # type: ignore[arg-type]


def test_members_of_windows_explorer_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(write_zip(item(b"1.jpg", DATA), item(b"2.jpg", b"x")))
    listed = scan(tmp_path)
    assert listed.warnings == ()
    with Reader(tmp_path) as reader:
        assert [reader.read(member) for member in listed.members] == [DATA, b"x"]


@pytest.mark.parametrize(
    "broken",
    [
        item(b"1.jpg", DATA, size=len(DATA) - 1),
        item(b"1.jpg", DATA, size=len(DATA) + 1),
        item(b"1.jpg", DATA, crc=1),
        Item(b"1.jpg", packed(DATA)[:-30], method=9, size=len(DATA), crc=zlib.crc32(DATA)),
        Item(b"1.jpg", b"\xff" * 300, method=9, size=len(DATA), crc=zlib.crc32(DATA)),
    ],
    ids=["shorter", "longer", "crc", "cut", "no deflate64"],
)
def test_damage_is_a_fact(tmp_path: Path, broken: Item) -> None:
    (tmp_path / "a.zip").write_bytes(write_zip(broken))
    with Reader(tmp_path, since=None) as reader, pytest.raises(Unusable) as caught:
        reader.read(scan(tmp_path).members[0])
    assert caught.value.drop.reason is Reason.UNREADABLE


def test_want_of_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Inflater:
        def inflate(self, data: bytes) -> bytes:
            raise MemoryError

    (tmp_path / "a.zip").write_bytes(write_zip(item(b"1.jpg", DATA)))
    monkeypatch.setattr(inflate64, "Inflater", Inflater)
    with Reader(tmp_path) as reader, pytest.raises(MemoryError):
        reader.read(scan(tmp_path).members[0])


def test_without_the_package_the_row_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "find_spec", lambda name: None)
    entry.readable_methods.cache_clear()
    try:
        (tmp_path / "a.zip").write_bytes(write_zip(item(b"1.jpg", DATA), Item(b"2.jpg")))
        rows = {member.name: member.dropped for member in scan(tmp_path).members}
    finally:
        entry.readable_methods.cache_clear()
    assert rows["2.jpg"] is None
    assert rows["1.jpg"] is not None
    assert "pip install 'fertools[deflate64]'" in rows["1.jpg"].detail

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fertools.archive.containers.zips import _CHUNK_BYTES
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Member, Reason, Unusable
from tests.archive.rawzip import Item, write_zip

ITEMS = [
    Item("기쁨/1.jpg".encode("cp949"), b"first photo" * 3),
    Item(b"2.jpg", b"second photo" * 9, method=8),
    Item(b"3.jpg", b"third photo"),
]
FORMS = ["", "plain", "mark", "64", "mark64"]


def readable(folder: Path) -> dict[str, bytes]:
    """Scan a folder of one loose photo and one zip, and read what the zip gives."""
    (folder / "loose.jpg").write_bytes(b"loose")
    members = scan(folder).members
    with Reader(folder) as reader:
        return {m.name: reader.read(m) for m in members if m.packed and not m.dropped}


@pytest.mark.parametrize("form", FORMS)
def test_cut_anywhere_every_whole_member_is_saved_and_no_other(tmp_path: Path, form: str) -> None:
    items = [Item(i.name, i.data, i.method, descriptor=form) for i in ITEMS]
    data = write_zip(*items)
    ends: list[int] = []
    for item in items:
        ends.append((ends[-1] if ends else 0) + len(item.local()))
    for cut in range(0, len(data), 3):
        (tmp_path / "a.zip").write_bytes(data[:cut])
        saved = readable(tmp_path)
        whole = {
            i.name.decode("cp949"): i.data for i, e in zip(items, ends, strict=True) if e <= cut
        }
        assert saved == whole, f"cut at {cut}"


def test_the_damaged_zip_has_a_row_and_its_members_theirs(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(write_zip(*ITEMS)[:-30])
    listed = scan(tmp_path)
    rows: list[Member] = [m for m in listed.members if m.dropped]
    assert [m.key for m in rows] == ["a.zip"]
    assert rows[0].dropped is not None
    assert rows[0].dropped.reason is Reason.DAMAGED_ARCHIVE
    assert [m.key for m in listed.members][1:] == ["a.zip/기쁨/1.jpg", "a.zip/2.jpg", "a.zip/3.jpg"]
    (warning,) = listed.warnings
    assert warning.startswith("a.zip: ")
    assert "3 of its photos can be used" in warning


@pytest.mark.parametrize(
    "gap", [1, 255, 256, 300, _CHUNK_BYTES - 2, _CHUNK_BYTES, _CHUNK_BYTES + 255, 3 * _CHUNK_BYTES]
)
def test_junk_between_members_is_jumped_over(tmp_path: Path, gap: int) -> None:
    first, _, third = (item.local() for item in ITEMS)
    (tmp_path / "a.zip").write_bytes(first + b"\0" * gap + third)
    assert list(readable(tmp_path)) == ["기쁨/1.jpg", "3.jpg"]


def test_a_stored_zip_inside_a_lost_one_gives_no_members(tmp_path: Path) -> None:
    nested = Item(b"in.zip", write_zip(Item(b"inner.jpg")))
    (tmp_path / "a.zip").write_bytes(nested.local() + ITEMS[2].local())
    assert list(readable(tmp_path)) == ["3.jpg"]


def test_a_file_of_nothing_but_marks_is_given_up_soon(tmp_path: Path) -> None:
    mark = Item(b"a", b"", descriptor="mark").local()[:31]
    (tmp_path / "a.zip").write_bytes(mark * 1000)
    started = time.process_time()
    assert readable(tmp_path) == {}
    assert time.process_time() - started < 3


def test_a_line_of_the_directory_that_is_damaged_loses_nothing(tmp_path: Path) -> None:
    data = bytearray(write_zip(*ITEMS))
    second_line = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
    data[second_line] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    assert len(readable(tmp_path)) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_bytes_are_damaged_what_is_read_is_right(
    tmp_path: Path, data: st.DataObject
) -> None:
    written = bytearray(write_zip(*ITEMS))
    for _ in range(data.draw(st.integers(1, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "loose.jpg").write_bytes(b"loose")
    (tmp_path / "a.zip").write_bytes(written)
    truth = {item.data for item in ITEMS}
    with Reader(tmp_path) as reader:
        for member in scan(tmp_path).members:
            if member.packed:
                try:
                    assert reader.read(member) in truth
                except Unusable:
                    continue

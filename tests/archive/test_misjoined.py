"""Zips of the true size, with small members: the disk holds only what is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fertools.archive.containers.misjoined import VOLUME_BYTES
from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Unusable
from tests.archive.rawzip import Item, write_zip

#: D1.1 of a user's report: 81 volumes of 1 GiB, the last one shorter.
SIZE = 86_016_937_297
COUNT = 81

#: Four members in each volume, and one across each border.
STARTS = [
    number * VOLUME_BYTES + at
    for number in range(COUNT)
    for at in (0, 1000, VOLUME_BYTES // 16, VOLUME_BYTES // 15, VOLUME_BYTES - 60)
    if number < COUNT - 1 or at < VOLUME_BYTES // 14
]
ITEMS = [
    Item(f"{number:03}.jpg".encode(), bytes([number % 251]) * 300) for number in range(len(STARTS))
]


def write_joined(path: Path, order: list[int]) -> None:
    """Write the zip as a sparse file, its volumes in an order."""
    places: dict[int, int] = {}
    at = 0
    for number in order:
        places[number] = at
        at += min(VOLUME_BYTES, SIZE - number * VOLUME_BYTES)
    with path.open("wb") as file:
        file.truncate(SIZE)

        def write(offset: int, data: bytes) -> None:
            while data:
                number, within = divmod(offset, VOLUME_BYTES)
                chunk = data[: VOLUME_BYTES - within]
                os.pwrite(file.fileno(), chunk, places[number] + within)
                offset, data = offset + len(chunk), data[len(chunk) :]

        starts = [start + 600 * (start % VOLUME_BYTES == 0 and start > 0) for start in STARTS]
        for item, start in zip(ITEMS, starts, strict=True):
            write(start, item.local())
        lines = b"".join(i.line(at, zip64=True) for i, at in zip(ITEMS, starts, strict=True))
        end = write_zip(zip64=True)  # the end records of an empty zip, then its numbers
        at = SIZE - len(lines) - len(end)
        end_records = bytearray(end)
        for place, number in ((24, len(ITEMS)), (32, len(ITEMS)), (40, len(lines)), (48, at)):
            end_records[place : place + 8] = number.to_bytes(8, "little")
        end_records[64:72] = (at + len(lines)).to_bytes(8, "little")
        write(at, lines + bytes(end_records))


def by_offset(number: int) -> str:
    return str(number * VOLUME_BYTES)


def from_one(number: int) -> str:
    return str(number + 1)


@pytest.mark.parametrize("name", [by_offset, str, from_one])
def test_81_volumes_in_the_order_of_text_are_read_in_place(
    tmp_path: Path, name: Callable[[int], str]
) -> None:
    order = sorted(range(COUNT), key=name)
    assert order != list(range(COUNT))
    path = tmp_path / "a.zip"
    write_joined(path, order)
    assert path.stat().st_blocks * 512 < 8 << 20
    listed = scan(tmp_path)
    assert listed.warnings == (
        "a.zip: its 81 volumes of 1 GiB were joined in the order of their names as text; it is "
        "read in the right order, nothing needs to be repaired",
    )
    with Reader(tmp_path) as reader:
        found = {member.name: reader.read(member) for member in listed.members}
    assert found == {item.name.decode(): item.data for item in ITEMS}
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_right_order_has_the_same_members_and_no_line(tmp_path: Path) -> None:
    for name, order in (("right", range(COUNT)), ("wrong", sorted(range(COUNT), key=by_offset))):
        (tmp_path / name).mkdir()
        write_joined(tmp_path / name / "a.zip", list(order))
    right, wrong = (scan(tmp_path / name) for name in ("right", "wrong"))
    assert right.warnings == ()
    places = [[(m.key, m.packed) for m in listed.members] for listed in (right, wrong)]
    assert places[0] == places[1]


def test_an_order_that_has_only_the_directory_right_is_refused(tmp_path: Path) -> None:
    """The user's first hypothesis: a wrong order with the directory at the right offset."""
    order = sorted(range(COUNT), key=by_offset)
    order[3], order[40] = order[40], order[3]
    write_joined(tmp_path / "a.zip", order)
    listed = scan(tmp_path)
    assert not any("joined in the order" in line for line in listed.warnings)
    assert any("a.zip: it has no directory" in line for line in listed.warnings)
    right = {item.name.decode(): item.data for item in ITEMS}
    with Reader(tmp_path) as reader:
        for member in listed.members:
            try:
                assert reader.read(member) == right[member.name]
            except Unusable:
                continue

"""Members as columns: what is packed comes back as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fertools.archive.scan import scan
from fertools.columns import BATCH_ROWS
from fertools.data import Drop, Member, Reason, ZipLocation
from tests.archive.rawzip import Item, write_zip
from tests.fakes import members_of

ODD = [
    Member("a.jpg", "", b"a.jpg", 5, 1),
    Member("기쁨/a_b.jpg", "기쁨", "기쁨/a_b.jpg".encode("cp949"), 5, 2),
    Member("z.zip/x_1.jpg", "z.zip", b"\xff.zip", 9, 7, ZipLocation(1 << 40, 5, 8, (1 << 32) - 1)),
    Member(
        "z.zip/(no name)", "z.zip", b"z.zip", 9, 7, ZipLocation(-3, 5, 99, 0), Drop(Reason.EMPTY)
    ),
    Member("z.zip", "", b"z.zip", 1 << 40, 7, None, Drop(Reason.DAMAGED_ARCHIVE, "cut")),
    Member("_/_", "_", b"_/_", 0, 0, None, Drop(Reason.EMPTY)),
]


def test_members_come_back_as_they_were() -> None:
    members = members_of(ODD)
    assert list(members) == ODD
    assert [members[i] for i in range(-6, 6)] == ODD + ODD
    assert list(members[2:5]) == ODD[2:5]
    assert list(members[::-2]) == ODD[::-2]
    assert list(members.take(np.array([5, 0, 5]))) == [ODD[5], ODD[0], ODD[5]]


def test_keys_and_photos_are_made_when_asked_for() -> None:
    members = members_of(ODD)
    assert list(members.keys) == [member.key for member in ODD]
    assert list(members.photo_keys) == ["a.jpg", "기쁨/a_b.jpg", "z.zip/x_1.jpg"]
    assert members.size == sum(member.size for member in ODD)


def test_more_members_than_a_batch_have_one_order_and_unique_keys(tmp_path: Path) -> None:
    """Issue 10, item 11: keys are numbered over all batches, as they were in one list."""
    items = [Item(b"%d.jpg" % (n % BATCH_ROWS), b"%d" % n) for n in range(BATCH_ROWS + 3)]
    items.append(Item(b"1.jpg #2", b"own"))
    (tmp_path / "a.zip").write_bytes(joined(items))
    members = scan(tmp_path).members
    assert [m.packed.offset for m in members if m.packed] == sorted(
        m.packed.offset for m in members if m.packed
    )
    assert [m.key for m in members[BATCH_ROWS:]] == [
        "a.zip/0.jpg #2",
        "a.zip/1.jpg #2",
        "a.zip/2.jpg #2",
        "a.zip/1.jpg #2 #2",
    ]
    assert len(set(members.keys)) == len(members) == BATCH_ROWS + 4


def joined(items: list[Item]) -> bytes:
    """Write a zip of many members; `write_zip` would take minutes."""
    body = b"".join(item.local() for item in items)
    lines, at = [], 0
    for item in items:
        lines.append(item.line(at))
        at += len(item.local())
    tail = write_zip(*items[:1])[-22:]
    listed = b"".join(lines)
    count = (len(items) & 0xFFFF).to_bytes(2, "little")
    ends = len(listed).to_bytes(4, "little") + at.to_bytes(4, "little")
    return body + listed + tail[:8] + count + count + ends + tail[20:]


def test_a_batch_of_members_takes_less_than_their_keys(tmp_path: Path) -> None:
    """Issue 10, item 11: what stays of half a million names is columns, not objects."""
    who = "1076" * 16
    for folder in range(40):
        home = tmp_path / f"[원천]EMOIMG_기쁨_TRAIN_{folder:02}"
        home.mkdir()
        for n in range(50):
            name = f"{who}_여_30_기쁨_공공시설&종교&의료시설_20210202{folder:06}-001-{n:03}.jpg"
            (home / name).write_bytes(b"x")
    members = scan(tmp_path).members
    columns = getattr(members, "columns", None)
    assert columns is not None, "a list of objects"
    held = sum(batch.nbytes for batch in columns.batches)
    assert held < sum(sys.getsizeof(key) for key in members.keys)

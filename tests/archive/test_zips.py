from __future__ import annotations

import io
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from struct import pack

import pytest

from fertools.archive.reader import Reader
from fertools.archive.scan import Scan, scan
from fertools.data import Member, Reason, Unusable
from fertools.errors import SourceError
from tests.archive.rawzip import UTF8, Item, write_zip

GOOD = Item(b"good.jpg", b"a good photo")


def put(folder: Path, data: bytes, name: str = "a.zip") -> Scan:
    """Scan a folder that holds a loose photo and a zip of these bytes."""
    (folder / "loose.jpg").write_bytes(b"loose")
    (folder / name).write_bytes(data)
    return scan(folder)


def inside(listed: Scan) -> dict[str, Member]:
    return {m.name: m for m in listed.members if m.container == "a.zip"}


def whole(listed: Scan) -> Member | None:
    return next((m for m in listed.members if m.key == "a.zip"), None)


def contents(folder: Path, listed: Scan) -> dict[str, bytes | Reason]:
    """Return each packed member's bytes, or the reason why it has none."""
    found: dict[str, bytes | Reason] = {}
    with Reader(folder) as reader:
        for name, member in inside(listed).items():
            try:
                found[name] = reader.read(member)
            except Unusable as error:
                found[name] = error.drop.reason
    return found


@pytest.mark.parametrize("flags", [0, UTF8])
def test_names_in_both_encodings_with_the_flag_and_without(tmp_path: Path, flags: int) -> None:
    words = ["기쁨", "중립", "뷁", "쨰"]
    items = [Item(f"{w}8.jpg".encode(), w.encode(), flags=flags) for w in words]
    items += [Item(f"{w}9.jpg".encode("cp949"), w.encode(), flags=flags) for w in words]
    listed = put(tmp_path, write_zip(*items))
    assert listed.warnings == ()
    assert contents(tmp_path, listed) == {f"{w}{n}.jpg": w.encode() for n in "89" for w in words}


def test_what_zipfile_writes_is_read_back(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("기쁨")
        archive.writestr("기쁨/a.jpg", b"A" * 5000)
        with archive.open("기쁨/b.jpg", "w", force_zip64=True) as target:
            target.write(b"B" * 5000)
    listed = put(tmp_path, buffer.getvalue())
    assert contents(tmp_path, listed) == {"기쁨/a.jpg": b"A" * 5000, "기쁨/b.jpg": b"B" * 5000}


def test_members_come_by_offset_and_folders_not_at_all(tmp_path: Path) -> None:
    data = write_zip(Item(b"z.jpg"), Item(b"d/", b""), Item(b"e\\", b""), Item(b"a.jpg"))
    members = [m for m in put(tmp_path, data).members if m.packed]
    assert [m.name for m in members] == ["z.jpg", "a.jpg"]
    assert [m.packed.offset for m in members if m.packed] == [0, 40 + 32 + 32]


def test_a_directory_in_another_order_is_put_in_that_of_the_bytes(tmp_path: Path) -> None:
    listed = put(tmp_path, write_zip(Item(b"a.jpg", at=40), Item(b"b.jpg", at=0)))
    assert list(contents(tmp_path, listed).items()) == [("b.jpg", b"photo"), ("a.jpg", b"photo")]


@pytest.mark.parametrize(
    ("item", "reason", "part"),
    [
        (Item(b"a.jpg", flags=1), Reason.ENCRYPTED, "password"),
        (Item(b"a.jpg", method=12), Reason.UNREADABLE, "method 12 (bzip2)"),
        (Item(b"a.jpg", method=77), Reason.UNREADABLE, "method 77 (unknown)"),
        (Item(b"a.jpg", mode=stat.S_IFLNK | 0o777), Reason.UNREADABLE, "a link"),
        (Item(b"a.jpg", mode=stat.S_IFCHR), Reason.UNREADABLE, "a device"),
        (Item(b"a.jpg", b""), Reason.EMPTY, ""),
        (Item(b"a.json"), Reason.LABEL_FILE, ""),
        (Item(b"b.zip", write_zip(GOOD)), Reason.NOT_A_PHOTO, "a zip inside a zip"),
        (Item(b"a.jpg\x00.exe"), Reason.NOT_A_PHOTO, ".exe"),
        (Item(b"__MACOSX/._a.jpg"), Reason.NOT_A_PHOTO, "macOS"),
    ],
)
def test_an_entry_that_is_no_usable_photo(
    tmp_path: Path, item: Item, reason: Reason, part: str
) -> None:
    listed = put(tmp_path, write_zip(item, GOOD))
    bad, good = inside(listed).values()
    assert bad.dropped is not None
    assert bad.dropped.reason is reason
    assert part in bad.dropped.detail
    assert good.dropped is None


def test_label_files_can_be_read_and_other_drops_repeat_their_reason(tmp_path: Path) -> None:
    listed = put(tmp_path, write_zip(Item(b"l.json", b"[]"), Item(b"Thumbs.db"), GOOD))
    assert contents(tmp_path, listed) == {
        "l.json": b"[]",
        "Thumbs.db": Reason.NOT_A_PHOTO,
        "good.jpg": b"a good photo",
    }


def test_one_name_twice_gives_two_keys(tmp_path: Path) -> None:
    items = [Item(b"a.jpg", data) for data in (b"1", b"2", b"3")]
    listed = put(tmp_path, write_zip(*items, Item(b"a.jpg #2", b"4")))
    assert list(inside(listed)) == ["a.jpg", "a.jpg #2", "a.jpg #3", "a.jpg #2 #2"]
    assert list(contents(tmp_path, listed).values())[:3] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (Item(b"a.jpg", b"photo", crc=7), "CRC-32"),
        (Item(b"a.jpg", b"photo", size=4), "not the 4 bytes"),
        (Item(b"a.jpg", b"photo", size=6), "not the 6 bytes"),
        (Item(b"a.jpg", b"photo" * 99, method=8, size=494), "not the 494 bytes"),
        (Item(b"a.jpg", b"photo" * 99, method=8, size=496), "not the 496 bytes"),
        (Item(b"a.jpg", b"photo" * 99, method=8, packed=3), "not the 495 bytes"),
    ],
)
def test_an_entry_that_lies_is_unreadable_and_its_neighbour_is_not(
    tmp_path: Path, item: Item, part: str
) -> None:
    listed = put(tmp_path, write_zip(item, GOOD))
    bad, good = inside(listed).values()
    with Reader(tmp_path) as reader:
        with pytest.raises(Unusable, match=part) as caught:
            reader.read(bad)
        assert caught.value.drop.reason is Reason.UNREADABLE
        assert reader.read(good) == b"a good photo"


def test_damaged_deflate_bytes_are_unreadable(tmp_path: Path) -> None:
    data = bytearray(write_zip(Item(b"a.jpg", bytes(range(256)) * 9, method=8), GOOD))
    data[35] = 0xFF
    listed = put(tmp_path, bytes(data))
    assert contents(tmp_path, listed) == {"a.jpg": Reason.UNREADABLE, "good.jpg": b"a good photo"}


def test_a_bomb_unpacks_no_further_than_it_says(tmp_path: Path) -> None:
    bomb = Item(b"a.jpg", bytes(5_000_000), method=8, size=1000)
    listed = put(tmp_path, write_zip(bomb))
    assert contents(tmp_path, listed) == {"a.jpg": Reason.UNREADABLE}


def test_overlapping_entries_are_refused_and_the_rest_is_not(tmp_path: Path) -> None:
    # The bomb's shape: one packed kernel, and entries in front of it that all reach into it.
    kernel = Item(b"k.jpg", b"kernel" * 20)
    far = Item(b"a.jpg", b"", packed=len(kernel.local()), size=500, method=8)
    copies = [replace(kernel, name=b"2.jpg", at=0), replace(kernel, name=b"3.jpg", at=0)]
    overlapping = write_zip(far, kernel, GOOD)
    found = {name: m.dropped for name, m in inside(put(tmp_path, overlapping)).items()}
    assert found["a.jpg"] is not None
    assert found["a.jpg"].reason is Reason.UNREADABLE
    assert found["k.jpg"] is found["good.jpg"] is None

    shared = inside(put(tmp_path, write_zip(kernel, *copies)))
    assert sum(member.dropped is None for member in shared.values()) <= 1


def test_an_entry_that_reaches_into_the_directory_is_refused(tmp_path: Path) -> None:
    member = inside(put(tmp_path, write_zip(GOOD, Item(b"a.jpg", packed=10**6))))["a.jpg"]
    assert member.dropped is not None
    assert "overlap" in member.dropped.detail


@pytest.mark.parametrize("locator", [None, 10**12, 3])
def test_zip64_with_a_true_locator_and_with_a_lying_one(
    tmp_path: Path, locator: int | None
) -> None:
    listed = put(tmp_path, write_zip(GOOD, Item(b"b.jpg"), zip64=True, locator=locator))
    assert listed.warnings == ()
    assert contents(tmp_path, listed) == {"good.jpg": b"a good photo", "b.jpg": b"photo"}


def test_a_locator_that_nothing_asks_for_is_ignored(tmp_path: Path) -> None:
    listed = put(tmp_path, write_zip(GOOD, locator=10**12))
    assert listed.warnings == ()
    assert contents(tmp_path, listed) == {"good.jpg": b"a good photo"}


@pytest.mark.parametrize("zip64", [False, True])
def test_a_directory_that_claims_ten_million_entries(tmp_path: Path, zip64: bool) -> None:
    claimed = 10_000_000 if zip64 else 50_000
    listed = put(tmp_path, write_zip(GOOD, claimed=claimed, zip64=zip64))
    row = whole(listed)
    assert row is not None
    assert row.dropped is not None
    assert row.dropped.reason is Reason.DAMAGED_ARCHIVE
    assert f"claims {claimed:,} entries and holds 1" in row.dropped.detail
    assert contents(tmp_path, listed)["good.jpg"] == b"a good photo"


@pytest.mark.parametrize("front", [b"MZ junk in front", b"PK\x05\x06" + bytes(18)])
def test_junk_in_front_moves_every_offset(tmp_path: Path, front: bytes) -> None:
    listed = put(tmp_path, write_zip(GOOD, Item(b"b.jpg"), front=front))
    assert contents(tmp_path, listed) == {"good.jpg": b"a good photo", "b.jpg": b"photo"}


def test_a_comment_that_holds_another_end_record(tmp_path: Path) -> None:
    for comment in (b"PK\x05\x06" + bytes(18), b"x" * 60_000 + write_zip(disk=3)):
        listed = put(tmp_path, write_zip(GOOD, comment=comment))
        assert contents(tmp_path, listed).get("good.jpg") == b"a good photo"


def test_an_empty_zip_is_a_row_and_no_fault(tmp_path: Path) -> None:
    listed = put(tmp_path, write_zip())
    row = whole(listed)
    assert listed.warnings == ()
    assert row is not None
    assert row.dropped is not None
    assert (row.dropped.reason, row.size) == (Reason.NOT_A_PHOTO, 22)
    assert row.container == ""


@pytest.mark.parametrize("data", [b"", b"P", b"PK\x05\x06", bytes(5000), b"<html>no</html>"])
def test_what_is_no_zip_is_a_row_and_a_warning(tmp_path: Path, data: bytes) -> None:
    listed = put(tmp_path, data)
    row = whole(listed)
    assert row is not None
    assert row.dropped is not None
    assert row.dropped.reason is Reason.DAMAGED_ARCHIVE
    assert [m.key for m in listed.members if m.dropped is None] == ["loose.jpg"]
    (warning,) = listed.warnings
    assert warning.startswith("a.zip: it has no directory")
    assert warning.isprintable()


def test_a_split_set_is_one_row_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "a.z01").write_bytes(b"PK\x07\x08" + GOOD.local())
    listed = put(tmp_path, write_zip(GOOD, disk=1))
    assert {m.key: m.dropped and m.dropped.reason for m in listed.members} == {
        "a.z01": Reason.NOT_A_PHOTO,
        "a.zip": Reason.DAMAGED_ARCHIVE,
        "loose.jpg": None,
    }
    assert "zip -s 0 'a.zip' --out 'joined a.zip'" in listed.warnings[0]


def test_a_zip_as_src_has_paths_relative_to_its_folder(tmp_path: Path) -> None:
    put(tmp_path, write_zip(GOOD))
    source = tmp_path / "a.zip"
    (member,) = scan(source).members
    assert (member.key, member.container, member.path) == ("a.zip/good.jpg", "a.zip", b"a.zip")
    with Reader(source) as reader:
        assert reader.read(member) == b"a good photo"


def test_a_zip_in_a_folder_keeps_the_folder_in_its_container(tmp_path: Path) -> None:
    (tmp_path / "1.Training").mkdir()
    (tmp_path / "1.Training" / "[원천]a (1).ZIP").write_bytes(write_zip(GOOD))
    (member,) = scan(tmp_path).members
    assert member.container == "1.Training/[원천]a (1).ZIP"
    assert member.name == "good.jpg"


def test_a_damaged_zip_as_src_names_the_damage(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(SourceError, match=r"1 damaged_archive\): a\.zip: it has no directory"):
        scan(tmp_path / "a.zip")


def test_a_sparse_terabyte_is_neither_searched_nor_read(tmp_path: Path) -> None:
    with (tmp_path / "b.jpg").open("wb") as photo:
        photo.truncate(1 << 40)
    (tmp_path / "a.zip").touch()
    with (tmp_path / "a.zip").open("r+b") as archive:
        archive.truncate(1 << 40)
    (tmp_path / "good.jpg").write_bytes(b"x")
    listed = scan(tmp_path)
    row = whole(listed)
    assert row is not None and row.dropped is not None
    huge = next(m for m in listed.members if m.key == "b.jpg")
    with Reader(tmp_path) as reader, pytest.raises(Unusable) as caught:
        reader.read(huge)
    assert caught.value.drop.reason is Reason.TOO_LARGE


def test_zip64_numbers_stand_behind_another_extra_field(tmp_path: Path) -> None:
    """The usual zip64 field is read for many entries at once; this is the unusual one."""
    item = Item(b"good.jpg", b"a good photo")
    line = item.line(0, zip64=True)
    other = pack("<2H4s", 0x5455, 4, b"time")
    extra = other + line[-28:]
    line = line[:30] + pack("<H", len(extra)) + line[32:-28] + extra
    tail = pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(line), len(item.local()), 0)
    listed = put(tmp_path, item.local() + line + tail)
    with Reader(tmp_path) as reader:
        (member,) = (m for m in listed.members if m.packed)
        assert reader.read(member) == b"a good photo"


def test_a_size_beyond_63_bits_is_a_row_of_the_ledger(tmp_path: Path) -> None:
    """Such a size ended the build with OverflowError in the ledger, whose column has 63 bits."""
    data = bytearray(write_zip(GOOD, Item(b"lies.jpg", b"x"), zip64=True))
    at = data.rindex(pack("<2HQ", 1, 24, 1))
    data[at + 4 : at + 12] = b"\xff" * 8
    listed = put(tmp_path, bytes(data))
    (lies,) = (m for m in listed.members if m.name == "lies.jpg")
    assert lies.size < 1 << 63
    with Reader(tmp_path) as reader, pytest.raises(Unusable, match="too_large"):
        reader.read(lies)

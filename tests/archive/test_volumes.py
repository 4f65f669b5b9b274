from __future__ import annotations

from pathlib import Path

import pytest

from fertools.archive.containers.volumes import Gap, Volume, order_volumes, parse_volume_name
from fertools.archive.reader import Reader
from fertools.archive.scan import Scan, scan
from fertools.data import Reason, Unusable
from tests.archive.rawzip import Item, write_zip

ITEMS = [Item(f"{n:02}.jpg".encode(), bytes([n]) * 40) for n in range(20)]
DATA = write_zip(*ITEMS)
NAMES = {item.name.decode(): item.data for item in ITEMS}


def cut(size: int) -> list[tuple[int, bytes]]:
    """Return the zip in volumes of a size, each with its offset."""
    return [(at, DATA[at : at + size]) for at in range(0, len(DATA), size)]


def write(folder: Path, volumes: dict[int, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "loose.jpg").write_bytes(b"loose")
    for number, data in volumes.items():
        (folder / f"a.zip.part{number}").write_bytes(data)


def by_offset(size: int) -> dict[int, bytes]:
    return dict(cut(size))


def counted(size: int) -> dict[int, bytes]:
    return dict(enumerate(data for _, data in cut(size)))


def read(source: Path, listed: Scan) -> dict[str, bytes | Reason]:
    found: dict[str, bytes | Reason] = {}
    with Reader(source) as reader:
        for member in listed.members:
            if member.packed:
                try:
                    found[member.name] = reader.read(member)
                except Unusable as error:
                    found[member.name] = error.drop.reason
    return found


@pytest.mark.parametrize("size", [3, 100, 500, len(DATA) - 1, len(DATA)])
@pytest.mark.parametrize("numbering", [by_offset, counted])
def test_whole_sets_read_as_one_zip(tmp_path: Path, size: int, numbering: object) -> None:
    assert callable(numbering)
    write(tmp_path, numbering(size))
    listed = scan(tmp_path)
    assert listed.warnings == ()
    assert [m.key for m in listed.members if not m.packed] == ["loose.jpg"]
    assert {m.container for m in listed.members if m.packed} == {"a.zip"}
    assert {m.path for m in listed.members if m.packed} == {b"a.zip.part0"}
    assert read(tmp_path, listed) == NAMES


def test_ten_comes_after_nine() -> None:
    volumes = [Volume(b"a.zip.part%d" % n, 0, 50, 0) for n in (10, 9, 1, 0, 2, 3, 4, 5, 6, 7, 8)]
    volume_set = order_volumes(volumes)
    assert [volume.path for volume in volume_set.volumes] == [
        b"a.zip.part%d" % n for n in range(11)
    ]
    assert [volume.start for volume in volume_set.volumes] == list(range(0, 550, 50))
    assert volume_set.faults == ()


@pytest.mark.parametrize("lost", [0, 500, 1000])
def test_a_missing_volume_by_offset_is_named_and_the_others_are_used(
    tmp_path: Path, lost: int
) -> None:
    volumes = by_offset(500)
    del volumes[lost]
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    row = next(m for m in listed.members if m.key == "a.zip")
    assert row.dropped is not None
    assert row.dropped.reason is Reason.DAMAGED_ARCHIVE
    assert f"a.zip.part{lost} is missing" in row.dropped.detail
    assert f"a.zip.part{lost} is missing" in listed.warnings[0]
    spans = {m.name: (m.packed.offset, m.packed.offset + 76) for m in listed.members if m.packed}
    expected = {
        name: Reason.UNREADABLE if start < lost + 500 and lost < end else NAMES[name]
        for name, (start, end) in spans.items()
    }
    assert len(expected) == 20
    assert read(tmp_path, listed) == expected
    lying = [m for m in listed.members if m.packed and m.dropped]
    assert len(lying) == list(expected.values()).count(Reason.UNREADABLE)
    assert all(m.dropped and f"part{lost} is missing" in m.dropped.detail for m in lying)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_volume_by_count_is_named_and_the_others_are_used(
    tmp_path: Path, lost: int
) -> None:
    volumes = counted(500)
    del volumes[lost]
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    assert f"a.zip.part{lost} is missing" in listed.warnings[0]
    found = read(tmp_path, listed)
    assert sum(isinstance(data, bytes) for data in found.values()) >= 12
    assert all(data in (NAMES[name], Reason.UNREADABLE) for name, data in found.items())


def test_without_its_last_volume_the_front_is_recovered(tmp_path: Path) -> None:
    volumes = {at: data for at, data in cut(500) if at <= 500}
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    assert "a.zip.part500 is the last volume here: is a later one missing?" in listed.warnings[0]
    found = read(tmp_path, listed)
    assert found == {name: NAMES[name] for name in found}
    assert len(found) == 1000 // 76


def test_both_a_middle_and_the_last_volume_missing(tmp_path: Path) -> None:
    volumes = by_offset(300)
    del volumes[600]
    del volumes[max(volumes)]
    write(tmp_path, volumes)
    found = read(tmp_path, scan(tmp_path))
    assert found == {name: NAMES[name] for name in found}
    assert len(found) >= 14


def test_a_volume_that_was_cut_is_named(tmp_path: Path) -> None:
    volumes = by_offset(500)
    volumes[500] = volumes[500][:-30]
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    assert "(or a.zip.part500 was cut)" in listed.warnings[0]
    found = read(tmp_path, listed)
    assert [found[name] for name in found].count(Reason.UNREADABLE) == 2


def test_a_volume_that_is_too_long_is_named_and_all_is_read(tmp_path: Path) -> None:
    size = 12_000
    data = write_zip(Item(b"big.jpg", bytes(30_000)))
    volumes = {at: data[at : at + size] for at in range(0, len(data), size)}
    volumes[12_000] += b"more"
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    assert "a.zip.part12000 is 4 bytes too long" in listed.warnings[0]
    assert read(tmp_path, listed) == {"big.jpg": bytes(30_000)}


def test_swapped_volumes_are_named_and_give_no_wrong_bytes(tmp_path: Path) -> None:
    volumes = by_offset(430)
    volumes[430], volumes[860] = volumes[860], volumes[430]
    write(tmp_path, volumes)
    listed = scan(tmp_path)
    said = "\n".join(listed.warnings)
    assert "a.zip.part430 does not match the zip's directory" in said
    assert "a.zip.part860 does not match the zip's directory" in said
    found = read(tmp_path, listed)
    assert all(data in (NAMES[name], Reason.UNREADABLE) for name, data in found.items())
    assert Reason.UNREADABLE in found.values()


def test_a_volume_as_src_stands_for_its_set(tmp_path: Path) -> None:
    write(tmp_path, by_offset(500))
    source = tmp_path / "a.zip.part500"
    listed = scan(source)
    assert read(source, listed) == NAMES


def test_a_zip_beside_its_own_volumes_is_pointed_out(tmp_path: Path) -> None:
    write(tmp_path, by_offset(500))
    (tmp_path / "a.zip").write_bytes(DATA)
    listed = scan(tmp_path)
    assert "a.zip is there both whole and in volumes" in listed.warnings[0]
    assert len({m.key for m in listed.members}) == 41


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"d/a.zip.part0", (b"d/a.zip", 0)),
        (b"a.ZIP.part1073741824", (b"a.ZIP", 1073741824)),
        (b"a.zip.part07", None),
        (b"a.zip.part", None),
        (b"a.zip.part0 (1)", None),
        (b"a.tar.part0", None),
        (b".zip.part0", None),
    ],
)
def test_what_is_a_volume(path: bytes, found: tuple[bytes, int] | None) -> None:
    assert parse_volume_name(path) == found


def test_a_gap_of_unknown_length_is_as_long_as_the_other_volumes() -> None:
    sizes = {0: 100, 1: 100, 4: 30}
    volume_set = order_volumes(Volume(b"a.zip.part%d" % n, 0, size, n) for n, size in sizes.items())
    assert volume_set.gaps == (
        Gap(200, 300, "a.zip.part2 is missing"),
        Gap(300, 400, "a.zip.part3 is missing"),
    )
    assert (volume_set.size, volume_set.modified) == (430, 4)

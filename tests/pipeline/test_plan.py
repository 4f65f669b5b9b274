"""Parts: how the archive is cut, and what a worker reads back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fertools.data import Box, Member, ZipLocation
from fertools.pipeline.parts import PartFiles
from fertools.pipeline.plan import (
    Parts,
    PartsPlan,
    cut_into_parts,
    part_fingerprint,
    planned_names,
    read_part,
    read_times,
    scanned_at,
)
from tests.fakes import members_of


def member(number: int, container: str = "a") -> Member:
    return Member(f"{container}/{number:05d}.jpg", container, b"x", 10 + number, 5)


def cut_all(members: list[Member]) -> Parts:
    return cut_into_parts(members_of(members), np.arange(len(members)))


def test_a_part_never_crosses_a_container() -> None:
    members = [member(i) for i in range(6)] + [member(i, "b") for i in range(5)]
    assert [[m.key for m in part] for part in cut_all(members)] == [
        [f"a/{i:05d}.jpg" for i in range(4)],
        ["a/00004.jpg", "a/00005.jpg"],
        [f"b/{i:05d}.jpg" for i in range(4)],
        ["b/00004.jpg"],
    ]


def test_large_archives_have_parts_of_256() -> None:
    assert {len(part) for part in cut_all([member(i) for i in range(64 * 300)])} == {256}
    assert len(cut_all([])) == 0


def test_what_is_planned_is_read_back(tmp_path: Path) -> None:
    location = ZipLocation(1 << 40, 5, 8, 1 << 31)
    packed = Member("z.zip/기쁨 1.jpg", "z.zip", b"\xff.zip", 9, 7, location)
    members = members_of([member(1), member(2), packed])
    parts = Parts(members, np.arange(3), np.array([0, 2, 3]))
    box = Box(1.5, 2.0, 30.0, 40.0)
    files = [PartFiles(tmp_path, name) for name in ("one", "two")]
    PartsPlan(tmp_path / "plan.arrow", parts, {packed.key: box}, "", files, 7).write()
    read = [list(read_part(tmp_path / "plan.arrow", i)) for i in range(2)]
    assert read == [[(member(1), None), (member(2), None)], [(packed, box)]]
    assert planned_names(tmp_path / "plan.arrow") == ["one", "two"]
    assert scanned_at(tmp_path / "plan.arrow") == 7
    assert read_times(tmp_path / "plan.arrow", 0) == [5, 5]
    assert read_times(tmp_path / "plan.arrow", 1) == [None]
    (tmp_path / "plan.arrow").write_bytes(b"nothing of the kind")
    assert planned_names(tmp_path / "plan.arrow") == []


def test_a_parts_name_covers_the_recipe_and_who_is_in_it() -> None:
    one = [member(1), member(2)]
    packed = Member("z.zip/1.jpg", "z.zip", b"z.zip", 9, 7, ZipLocation(0, 5, 8, 1))
    names = {
        part_fingerprint("a", one, {}),
        part_fingerprint("b", one, {}),
        part_fingerprint("a", one[:1], {}),
        part_fingerprint("a", [member(1), Member("a/00002.jpg", "a", b"x", 13, 5)], {}),
        part_fingerprint("a", one, {one[0].key: Box(0, 0, 1, 1)}),
        part_fingerprint("a", [packed], {}),
        part_fingerprint("a", [replace(packed, packed=ZipLocation(0, 5, 8, 2))], {}),
        part_fingerprint("a", [replace(packed, packed=ZipLocation(9, 5, 8, 1))], {}),
    }
    assert len(names) == 8
    assert part_fingerprint("a", list(one), {"another": Box(0, 0, 1, 1)}) in names


def test_a_parts_name_does_not_cover_times() -> None:
    """V2, R9: another machine's copy of the archive has other times."""
    packed = Member("z.zip/1.jpg", "z.zip", b"z.zip", 9, 7, ZipLocation(0, 5, 8, 1))
    for one in (member(1), packed):
        assert part_fingerprint("a", [one], {}) == part_fingerprint(
            "a", [replace(one, modified=8)], {}
        )

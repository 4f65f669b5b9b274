from __future__ import annotations

import os
import shutil
import socket
import unicodedata
from pathlib import Path

import pytest

from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Member, Reason
from fertools.errors import SourceError
from tests.archive.rawzip import Item, write_zip


def by_key(source: Path) -> dict[str, Member]:
    return {member.key: member for member in scan(source).members}


def reason(member: Member) -> Reason | None:
    return member.dropped.reason if member.dropped else None


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "기쁨").mkdir(parents=True)
    (folder / "기쁨" / "a.jpg").write_bytes(b"photo a")
    return folder


def test_a_photo_keeps_its_container_size_and_time(source: Path) -> None:
    member = by_key(source)["기쁨/a.jpg"]
    status = (source / "기쁨" / "a.jpg").stat()
    assert (member.container, member.name, member.path) == ("기쁨", "a.jpg", "기쁨/a.jpg".encode())
    assert (member.size, member.modified) == (7, status.st_mtime_ns)
    assert member.packed is None
    assert member.dropped is None


def test_every_file_has_a_row_and_folders_have_none(source: Path) -> None:
    for name in ("Thumbs.db", "._a.jpg", "b.JPEG", "b.jpg.irx603", "x.json", ".DS_Store"):
        (source / name).write_bytes(b"x")
    (source / "__MACOSX").mkdir()
    (source / "__MACOSX" / "a.jpg").write_bytes(b"x")
    (source / "folder.jpg").mkdir()
    (source / "empty.jpg").touch()
    assert {key: reason(member) for key, member in by_key(source).items()} == {
        "Thumbs.db": Reason.NOT_A_PHOTO,
        "._a.jpg": Reason.NOT_A_PHOTO,
        "b.JPEG": None,
        "b.jpg.irx603": Reason.NOT_A_PHOTO,
        "x.json": Reason.LABEL_FILE,
        ".DS_Store": Reason.NOT_A_PHOTO,
        "__MACOSX/a.jpg": Reason.NOT_A_PHOTO,
        "empty.jpg": Reason.EMPTY,
        "기쁨/a.jpg": None,
    }


def test_a_hidden_zip_is_not_opened(source: Path) -> None:
    (source / "._a.zip").write_bytes(b"no zip at all")
    listed = scan(source)
    assert listed.warnings == ()
    assert [reason(m) for m in listed.members if m.key == "._a.zip"] == [Reason.NOT_A_PHOTO]


def test_links_are_rows_and_never_followed(source: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"x")
    (source / "inside.jpg").symlink_to("기쁨/a.jpg")
    (source / "folder").symlink_to("기쁨")
    (source / "up").symlink_to(".")
    (source / "outside.jpg").symlink_to(outside)
    (source / "dangling.jpg").symlink_to("nowhere.jpg")
    (source / "loop.jpg").symlink_to("loop.jpg")
    drops = {key: member.dropped for key, member in by_key(source).items() if member.dropped}
    assert {key: (drop.reason, drop.detail) for key, drop in drops.items()} == {
        "inside.jpg": (
            Reason.NOT_A_PHOTO,
            "a link to 기쁨/a.jpg, which has a row of its own",
        ),
        "folder": (Reason.NOT_A_PHOTO, "a link to 기쁨, which has a row of its own"),
        "up": (Reason.NOT_A_PHOTO, "a link to ., which has a row of its own"),
        "outside.jpg": (
            Reason.UNREADABLE,
            "a link that leaves SRC: put the file itself there",
        ),
        "dangling.jpg": (Reason.UNREADABLE, "a link to nothing"),
        "loop.jpg": (Reason.UNREADABLE, "a link in a loop"),
    }


def test_a_neighbour_whose_name_begins_like_src_is_outside(source: Path, tmp_path: Path) -> None:
    neighbour = tmp_path / "src2"
    neighbour.mkdir()
    (neighbour / "a.jpg").write_bytes(b"x")
    (source / "b.jpg").symlink_to(neighbour / "a.jpg")
    assert reason(by_key(source)["b.jpg"]) is Reason.UNREADABLE


def test_pipes_sockets_and_devices_never_block(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(source / "pipe.jpg")
    os.mkfifo(source / "pipe.zip")
    monkeypatch.chdir(source)  # a socket's path has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        rows = by_key(source)
    details = {key: m.dropped.detail for key, m in rows.items() if m.dropped}
    assert details == {
        "pipe.jpg": "a FIFO, not a file",
        "pipe.zip": "a FIFO, not a file",
        "socket.jpg": "a socket, not a file",
    }


def test_names_in_any_encoding_and_length_can_be_read(source: Path) -> None:
    spellings = [
        "뷁.jpg".encode("cp949"),
        unicodedata.normalize("NFD", "슬픔.jpg").encode(),
        b"\xff\xfe.jpg",
        b"a\nb\x1b[2J.jpg",
        b"[1].jpg",
        b"x" * 251 + b".jpg",
    ]
    for raw in spellings:
        Path(os.fsdecode(os.fsencode(source) + b"/" + raw)).write_bytes(raw)
    rows = by_key(source)
    assert {"뷁.jpg", "슬픔.jpg", r"\xff\xfe.jpg", "a\nb\x1b[2J.jpg", "[1].jpg"} <= rows.keys()
    with Reader(source) as reader:
        for member in rows.values():
            if member.container == "":
                assert reader.read(member) == member.path


def test_each_step_of_a_path_has_an_encoding_of_its_own(source: Path) -> None:
    mixed = Path(os.fsdecode(os.fsencode(source / "기쁨") + b"/" + "뷁".encode("cp949")))
    mixed.mkdir()
    (mixed / "a.jpg").write_bytes(b"x")
    (mixed / "b.zip").write_bytes(write_zip(Item(b"c.jpg")))
    assert {"기쁨/뷁/a.jpg", "기쁨/뷁/b.zip/c.jpg"} <= by_key(source).keys()


def test_composed_and_decomposed_twins_are_both_kept_apart(source: Path) -> None:
    twin = source / unicodedata.normalize("NFD", "기쁨")
    twin.mkdir()
    (twin / "a.jpg").write_bytes(b"the other")
    members = scan(source).members
    assert [member.key for member in members] == ["기쁨/a.jpg", "기쁨/a.jpg #2"]
    assert {member.container for member in members} == {"기쁨"}
    with Reader(source) as reader:
        assert {reader.read(member) for member in members} == {b"photo a", b"the other"}


def test_endings_that_differ_in_case_are_two_photos(source: Path) -> None:
    (source / "A.jpg").write_bytes(b"1")
    (source / "a.JPG").write_bytes(b"2")
    assert {"A.jpg", "a.JPG"} <= by_key(source).keys()


def test_200_folders_deep(source: Path) -> None:
    deep = source.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    (deep / "a.jpg").write_bytes(b"deep")
    member = by_key(source)["d/" * 200 + "a.jpg"]
    with Reader(source) as reader:
        assert reader.read(member) == b"deep"


def test_the_order_is_that_of_names_whatever_came_first(tmp_path: Path) -> None:
    names = [f"{folder}{n:02}.jpg" for folder in ("", "a/", "a b/", "b/") for n in range(20)]
    for order in (names, names[::-1]):
        folder = tmp_path / str(order is names)
        for name in order:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"x")
        assert [member.key for member in scan(folder).members] == names


def test_a_folder_that_cannot_be_listed_is_a_row(source: Path) -> None:
    locked = source / "locked"
    locked.mkdir(mode=0)
    if os.access(locked, os.R_OK):
        pytest.skip("root may list everything")
    try:
        member = by_key(source)["locked"]
    finally:
        locked.chmod(0o700)
    assert reason(member) is Reason.UNREADABLE


def test_a_zip_that_cannot_be_opened_is_a_row_and_a_fault(source: Path) -> None:
    (source / "b.zip").write_bytes(write_zip(Item(b"c.jpg")))
    (source / "b.zip").chmod(0)
    if os.access(source / "b.zip", os.R_OK):
        pytest.skip("root may read everything")
    listed = scan(source)
    assert [reason(m) for m in listed.members if m.key == "b.zip"] == [Reason.UNREADABLE]
    assert listed.faults == ("b.zip: Permission denied",)


def test_src_may_be_a_link_and_relative(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source.parent / "link").symlink_to("src")
    monkeypatch.chdir(source.parent)
    members = scan(Path("link")).members
    with Reader(Path("link")) as reader:
        assert [reader.read(member) for member in members] == [b"photo a"]


def test_src_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone is not there: check the path"):
        scan(tmp_path / "gone")


def test_src_that_is_no_archive_says_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SourceError, match=r"a\.txt is neither a folder nor a \.zip"):
        scan(tmp_path / "a.txt")


def test_src_that_is_a_link_in_a_loop_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match="loop cannot be read: Too many levels"):
        scan(tmp_path / "loop")


def test_src_without_photos_says_what_it_has(source: Path) -> None:
    shutil.rmtree(source / "기쁨")
    with pytest.raises(SourceError, match=r"holds no photo that can be used \(it is empty\)"):
        scan(source)
    (source / "Thumbs.db").write_bytes(b"x")
    (source / "a.jpg").touch()
    with pytest.raises(SourceError, match=r"\(1 empty, 1 not_a_photo\): give the folder"):
        scan(source)


def test_a_message_cannot_carry_control_characters(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        scan(tmp_path / "\x1b[2J\n")
    assert str(caught.value).isprintable()

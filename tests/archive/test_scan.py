from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from struct import pack

import pytest

from fertools.archive.reader import Reader
from fertools.archive.scan import scan
from fertools.data import Reason
from fertools.errors import SourceError
from tests.archive.rawzip import Item, write_zip


def test_the_real_archive_is_listed_and_read_whole(photos: Path) -> None:
    listed = scan(photos)
    reasons = Counter(m.dropped.reason for m in listed.members if m.dropped)
    assert listed.warnings == ()
    assert reasons == {Reason.NOT_A_PHOTO: 4, Reason.LABEL_FILE: 3, Reason.EMPTY: 1}
    kept = [m for m in listed.members if m.dropped is None]
    by_container = Counter(m.container.rpartition("]")[2] for m in kept)
    assert by_container == {
        "EMOIMG_기쁨_TRAIN_01.zip": 12,
        "EMOIMG_기쁨_TRAIN_02.zip": 12,
        "EMOIMG_중립_TRAIN_01": 28,
        "EMOIMG_당황_TRAIN_01": 15,
        "EMOIMG_기쁨_VALID.zip": 4,
    }
    with Reader(photos) as reader:
        data = [reader.read(member) for member in kept]
    assert [len(photo) for photo in data] == [member.size for member in kept]
    assert {photo[:2] for photo in data} == {b"\xff\xd8", b"\x89P"}


def test_the_real_label_files_can_be_read(photos: Path) -> None:
    labels = [
        m
        for m in scan(photos).members
        if m.dropped is not None and m.dropped.reason is Reason.LABEL_FILE
    ]
    with Reader(photos) as reader:
        assert all(len(reader.read(member)) == member.size for member in labels)


def test_two_scans_are_equal_and_keys_unique(photos: Path) -> None:
    first, second = scan(photos), scan(photos)
    assert list(first.members) == list(second.members)
    assert first.warnings == second.warnings
    assert len({member.key for member in first.members}) == len(first.members) == 79


def test_pictures_in_formats_that_are_not_read_are_counted_with_the_cure(tmp_path: Path) -> None:
    """T7: they were `not_a_photo`, and nothing was said."""
    for name in ("a/1.heic", "a/2.HEIC", "a/3.gif", "b/4.tiff", "b/5.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "c.zip").write_bytes(write_zip(Item(b"6.heic")))
    found = scan(tmp_path)
    reasons = Counter(m.dropped.reason for m in found.members if m.dropped)
    assert reasons == {Reason.UNSUPPORTED: 5}
    assert found.warnings == (
        "1 GIF, 3 HEIC, 1 TIFF pictures are left out, their format is not read: convert to JPEG",
    )


def test_an_archive_of_such_pictures_alone_says_so(tmp_path: Path) -> None:
    """T7: an iPhone's archive was said to be empty."""
    (tmp_path / "1.heic").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"\(1 unsupported\): 1 HEIC pictures .* convert to JPEG"):
        scan(tmp_path)


def test_a_zip_with_a_password_is_named_with_its_count(tmp_path: Path) -> None:
    """T8: its photos were rows `encrypted`, and nothing was said."""
    locked = [Item(f"{i}.jpg".encode(), flags=1) for i in range(3)]
    (tmp_path / "슬픔.zip").write_bytes(write_zip(*locked))
    (tmp_path / "기쁨.zip").write_bytes(write_zip(Item(b"1.jpg")))
    found = scan(tmp_path)
    assert found.warnings == (
        "슬픔.zip: 3 photos are behind a password: unpack it with the password, and give the "
        "folder instead",
    )
    (tmp_path / "기쁨.zip").unlink()
    with pytest.raises(SourceError, match=r"\(3 encrypted\): 슬픔.zip: 3 photos"):
        scan(tmp_path)


@pytest.mark.slow
def test_half_a_million_names_within_a_gigabyte(tmp_path: Path) -> None:
    body, lines = bytearray(), bytearray()
    for n in range(500_000):
        name = f"{n:064x}_여_30_기쁨_공공시설&종교&의료시설_20210202151813-001-{n % 1000:03}.jpg"
        item = Item(name.encode("cp949"), b"x")
        lines += item.line(len(body))
        body += item.local()
    counts = (500_000, 500_000, len(lines), len(body))
    tail = pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *counts)
    tail += pack("<4sLQL", b"PK\x06\x07", 0, len(body) + len(lines), 1)
    tail += pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    (tmp_path / "a.zip").write_bytes(body + lines + tail)
    script = (
        "import resource, sys, time; from pathlib import Path;"
        "from fertools.archive.scan import scan;"
        "count = len(scan(Path(sys.argv[1])).members);"
        "print(count, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    count, seconds, kilobytes = said.split()
    assert int(count) == 500_000
    assert float(seconds) < 15
    assert int(kilobytes) < 1_000_000

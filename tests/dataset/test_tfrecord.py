from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fertools.dataset.tfrecord import (
    MAX_DATA_BYTES,
    RecordLocation,
    RecordWriter,
    frame,
    read_record,
    read_records,
    unframe,
)
from fertools.errors import DatasetError

RECORDS = [b"first", b"", "둘째".encode() * 20]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "three.tfrecord"
    path.write_bytes(b"".join(map(frame, RECORDS)))
    return path


def masked(data: bytes) -> int:
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def test_a_frame_is_the_bytes_that_tensorflow_writes() -> None:
    # Taken once from tf.io.TFRecordWriter of TensorFlow 2.21.
    assert frame(b"").hex() == "000000000000000029039807d8ea82a2"
    assert frame(b"fertools").hex() == ("0800000000000000ff86240f666572746f6f6c731a5d522d")


def test_a_record_is_taken_out_of_its_frame_or_refused() -> None:
    for data in RECORDS:
        record = frame(data)
        assert unframe(record) == data
        for at in range(len(record)):
            with pytest.raises(ValueError, match="checksum"):
                unframe(record[:at] + bytes((record[at] ^ 1,)) + record[at + 1 :])
        for other in (record[:-1], record + b"\0"):
            with pytest.raises(ValueError, match=r"too few|its length is \d+ bytes, not"):
                unframe(other)


def test_the_writer_says_where_each_record_lies() -> None:
    file = io.BytesIO()
    writer = RecordWriter(file)

    places = [writer.write(data) for data in RECORDS]

    assert places == [RecordLocation(0, 21), RecordLocation(21, 16), RecordLocation(37, 136)]
    assert (writer.records, writer.size) == (3, len(file.getvalue()))
    assert [read_record(file, place.offset) for place in reversed(places)] == RECORDS[::-1]


@given(st.lists(st.binary(max_size=300)))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("records") / "file"
    path.write_bytes(b"".join(map(frame, data)))
    assert list(read_records(path)) == data


def test_every_flipped_byte_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes((whole[at] ^ 0x40,)) + whole[at + 1 :])
        with pytest.raises(DatasetError, match=r"record [012] at byte"):
            list(read_records(file))


def test_every_cut_is_noticed_but_one_between_two_records(file: Path) -> None:
    whole = file.read_bytes()
    borders = {0: 0, 21: 1, 37: 2}
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        if size in borders:
            assert list(read_records(file)) == RECORDS[: borders[size]]
            continue
        with pytest.raises(DatasetError, match=r"the file is cut|it claims \d+ bytes"):
            list(read_records(file))


def test_damage_is_reported_where_it_is_after_what_is_whole(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    whole[40] ^= 1  # in the length of the third record
    file.write_bytes(whole)
    records = read_records(file)

    assert [next(records), next(records)] == RECORDS[:2]
    with pytest.raises(DatasetError) as raised:
        next(records)
    assert str(raised.value) == (
        f"{file}: record 2 at byte 37: the checksum of its length is wrong: "
        "put a whole copy back, or build again"
    )


@pytest.mark.parametrize("length", [6, 64 << 30, 2**63, 2**64 - 1])
def test_a_length_with_a_right_checksum_is_not_believed(tmp_path: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    path = tmp_path / "hostile"
    path.write_bytes(head + struct.pack("<I", masked(head)) + b"12345" + b"\0" * 4)

    with pytest.raises(DatasetError, match=f"claims {length} bytes, the file has 5 left"):
        list(read_records(path))


def test_a_sparse_file_does_not_make_a_long_record_true(tmp_path: Path) -> None:
    head = struct.pack("<Q", MAX_DATA_BYTES + 1)
    path = tmp_path / "sparse"
    path.write_bytes(head + struct.pack("<I", masked(head)))
    os.truncate(path, 1 << 40)

    with pytest.raises(DatasetError, match="claims"):
        list(read_records(path))


@pytest.mark.parametrize("offset", [1, 20, 37 + 136, 1000])
def test_no_record_begins_there(file: Path, offset: int) -> None:
    with file.open("rb") as opened, pytest.raises(DatasetError) as raised:
        read_record(opened, offset)
    assert str(raised.value).startswith(f"{file}: the record at byte {offset}: ")


def test_what_is_no_file_is_said_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "absent", "."):
        with pytest.raises(DatasetError, match="is missing or is not a file"):
            list(read_records(tmp_path / name))


def test_a_record_beyond_protobufs_limit_is_refused() -> None:
    class Long(bytes):
        def __len__(self) -> int:
            return 2**31

    with pytest.raises(ValueError, match="2147483648 bytes"):
        RecordWriter(io.BytesIO()).write(Long())

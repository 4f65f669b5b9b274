"""Plain gray TIFF files, as JAFFE has them; all others are rows with a reason."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from fertools.data import Reason, Unusable
from fertools.faces.decode import decode, read_header
from fertools.faces.tiff import decode_tiff

IMAGE = np.random.default_rng(1).integers(0, 256, (12, 10), np.uint8)


def tiff(
    image: np.ndarray = IMAGE, order: str = "<", strips: int = 1, following: int = 0, **other: int
) -> bytes:
    """Write a baseline TIFF; `other` replaces bits, compression, photometric or samples."""
    values = {"bits": 8, "compression": 1, "photometric": 1, "samples": 1} | other
    rows = -(-len(image) // strips)
    parts = [image[at : at + rows].tobytes() for at in range(0, len(image), rows)]
    offsets = [8 + sum(map(len, parts[:i])) for i in range(len(parts))]
    lists_at = 8 + image.size
    lists = struct.pack(f"{order}{2 * strips}L", *offsets, *map(len, parts))

    def listed(at: int, items: list[int]) -> int:
        return items[0] if strips == 1 else at

    entries = [
        (256, 3, 1, image.shape[1]),
        (257, 3, 1, image.shape[0]),
        (258, 3, 1, values["bits"]),
        (259, 3, 1, values["compression"]),
        (262, 3, 1, values["photometric"]),
        (273, 4, strips, listed(lists_at, offsets)),
        (277, 3, 1, values["samples"]),
        (279, 4, strips, listed(lists_at + 4 * strips, list(map(len, parts)))),
    ]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        inline = f"{order}HHL" + ("H2x" if kind == 3 else "L")
        directory += struct.pack(inline, tag, kind, count, value)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    start = lists_at + len(lists)
    return b"".join(
        [
            head,
            struct.pack(f"{order}L", start),
            *parts,
            lists,
            directory,
            struct.pack(f"{order}L", following),
        ]
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("strips", [1, 3])
def test_pixels_are_opencvs(order: str, strips: int) -> None:
    data = tiff(order=order, strips=strips)
    assert (decode_tiff(data) == IMAGE).all()
    opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert opencv is not None
    assert (opencv == IMAGE).all()
    header = read_header(data, 10_000)
    assert (header.format, header.width, header.height) == ("TIFF", 10, 12)
    assert (decode(data, header) == IMAGE[:, :, np.newaxis]).all()


def test_white_may_be_zero() -> None:
    assert (decode_tiff(tiff(photometric=0)) == 255 - IMAGE).all()


@pytest.mark.parametrize(
    "other",
    [{"bits": 16}, {"compression": 5}, {"photometric": 2}, {"samples": 3}, {"following": 8}],
)
def test_other_kinds_are_unsupported(other: dict[str, int]) -> None:
    with pytest.raises(Unusable) as found:
        read_header(tiff(IMAGE, "<", 1, **other), 10_000)
    assert found.value.drop.reason is Reason.UNSUPPORTED


def test_a_cut_file_is_never_half_a_picture() -> None:
    data = tiff()
    for length in range(len(data)):
        with pytest.raises(Unusable):
            decode(data[:length], read_header(data[:length], 10_000))


def test_missing_rows_are_damage() -> None:
    with pytest.raises(Unusable, match="60 of 120 pixels"):
        decode_tiff(tiff().replace(struct.pack("<L", 120), struct.pack("<L", 60)))

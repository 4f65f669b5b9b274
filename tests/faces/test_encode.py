"""A crop's bytes: what any reader gets out of them, and how many there are."""

from __future__ import annotations

import hashlib
import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as Pillow

from fertools.data import Box, Face
from fertools.faces.crop import crop_gray, encode
from fertools.faces.decode import Picture
from fertools.options import FaceOptions, ImageFormat
from tests.faces.bytes_of import Image, picture

PNG, RAW = FaceOptions(), FaceOptions(image_format="raw")


def crop() -> Image:
    photo = Picture(picture(100, 160), 1, 160, 100)
    return crop_gray(photo, Face(Box(0, 0, 100, 100), 0.9), FaceOptions())


def pixels(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=300), elements=st.integers(0, 255)
    )
)
def test_png_and_raw_keep_every_value(gray: Image) -> None:
    for options in (PNG, RAW):
        data = encode(gray, options)
        assert np.array_equal(pixels(data), gray)
        with Pillow.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode, image.info) == ("PNG", "L", {})
            assert np.array_equal(np.asarray(image), gray)


def test_how_many_bytes_a_crop_takes() -> None:
    gray = crop()
    compressed, raw = encode(gray, PNG), encode(gray, RAW)
    fine, coarse = (
        encode(gray, FaceOptions(image_format="jpeg", jpeg_quality=quality)) for quality in (95, 40)
    )
    assert len(coarse) < len(fine) < len(compressed) < 0.6 * len(raw)
    assert gray.size < len(raw) < gray.size + 400  # a filter each row, and what PNG needs
    _, theirs = cv2.imencode(".png", gray)
    assert len(compressed) < 1.1 * len(theirs)


def test_jpeg_is_close() -> None:
    gray = crop()
    data = encode(gray, FaceOptions(image_format="jpeg", jpeg_quality=95))
    assert data.startswith(b"\xff\xd8\xff")
    assert np.abs(pixels(data).astype(int) - gray).max() < 12


@pytest.mark.parametrize(
    ("image_format", "file_format"), [("png", "png"), ("raw", "png"), ("jpeg", "jpeg")]
)
def test_what_a_reader_has_to_decode(image_format: ImageFormat, file_format: str) -> None:
    assert FaceOptions(image_format=image_format).file_format == file_format


def test_what_is_compressed_does_not_change_by_accident() -> None:
    gray = (np.add.outer(np.arange(40), np.arange(30)) ** 2 % 251).astype(np.uint8)
    data = encode(gray, PNG)
    assert data[:33].hex() == ("89504e470d0a1a0a0000000d494844520000001e000000280800000000cc7815ce")
    length = int.from_bytes(data[33:37], "big")
    rows = zlib.decompress(data[41 : 41 + length])  # how it is compressed is up to zlib's version
    assert hashlib.sha256(rows).hexdigest() == (
        "dee52dcae1b773c884224cb98035db505f78bb8ec6ddf8b117143d1be932f1c9"
    )
    assert data[45 + length :].hex() == "0000000049454e44ae426082"
